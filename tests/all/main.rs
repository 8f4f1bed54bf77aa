//! Every end-to-end test that needs no service: one binary.

mod layering;
mod pipeline;
mod reconcile;
mod stores;
mod trouble;
mod world;
