//! The `custody` command, as a library: its parts can be tested without starting it.
//!
//! - [`args`] is the command line, [`settings`] the settings file and the environment
//! - [`run`] is the worker: ingest, and [`follow`] for its index
//! - [`compacting`] keeps the archive's files few
//! - [`asking`] searches and shows, [`handing`] produces what is [`wanted`]
//! - [`packing`] makes one file of a production
//! - [`signing`] makes keys for productions
//! - [`gaps`] lists what was lost, and accepts a topic that was made again
//! - [`people`] takes the register of people from a file or a directory, and lists it
//! - [`import`] reads existing history, [`importing`] publishes it
//! - [`mod@out`] prints answers
//! - [`demo`] shows it all with the simulated gateway of [`sim`], [`bench`](mod@bench) measures what it costs

pub mod args;
pub mod asking;
pub mod bench;
pub mod compacting;
pub mod demo;
pub mod exactness;
pub mod failure;
pub mod follow;
pub mod gaps;
pub mod handing;
pub mod import;
pub mod importing;
pub mod logging;
pub mod open;
pub mod out;
pub mod packing;
pub mod people;
pub mod reconcile;
pub mod run;
pub mod settings;
pub mod show;
pub mod signing;
pub mod sim;
pub mod verifying;
pub mod wanted;
