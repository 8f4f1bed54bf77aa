//! Every end-to-end test that needs no service: one binary.

mod layering;
mod pipeline;
mod status;
mod trouble;
