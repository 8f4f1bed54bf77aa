//! Structured logs on standard error.

use tracing_subscriber::EnvFilter;

use crate::failure::{Done, Failure};
use crate::settings::Log;

/// Our crates at the level that was set; others only when something is wrong.
fn filter(level: &str) -> String {
    let ours = ["archive", "ingest", "index", "export", "console", "cli"]
        .map(|name| format!("custody_{name}={level}"));
    // The kernel's errors reach us as values; its own log would repeat them without a place.
    format!("warn,delta_kernel=off,delta_kernel_default_engine=off,librdkafka=error,{}", ours.join(","))
}

/// Starts logging.
pub fn start(log: &Log) -> Done {
    let filter = EnvFilter::try_new(filter(&log.level)).map_err(Failure::usage)?;
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start, as in tests, keeps the first.
    let _ =
        if log.format == "json" { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    Ok(())
}
