//! The `custody` command, as a library: its parts can be tested without starting it.

pub mod settings;
pub mod sim;
