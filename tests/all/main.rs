//! Every end-to-end test that needs no service: one binary.

mod layering;
mod pipeline;
mod reconcile;
mod status;
mod stores;
mod trouble;
mod world;
