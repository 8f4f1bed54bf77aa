//! What a running worker tells over HTTP: `/healthz`, `/readyz`, `/metrics`.
//!
//! The only crate that knows the HTTP framework.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::oneshot;

/// What the server asks of the worker.
pub trait Probe: Send + Sync + 'static {
    /// `Err` says why not everything that is published is being archived.
    fn ready(&self) -> Result<(), String>;
    /// The metrics in OpenMetrics text form.
    fn metrics(&self) -> String;
}

/// A running server; ends when dropped.
pub struct Server {
    /// Where it listens: the port that was chosen when port 0 was asked for.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that ended by itself has dropped its end.
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(thread::JoinHandle::join);
    }
}

/// Starts the server on a thread of its own.
pub fn serve(listen: SocketAddr, probe: Arc<dyn Probe>) -> io::Result<Server> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(listen))?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let app = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(probe);
    let thread = thread::Builder::new().name("custody-http".to_owned()).spawn(move || {
        let ended = async { drop(stopped.await) };
        let served = runtime.block_on(axum::serve(listener, app).with_graceful_shutdown(ended).into_future());
        if let Err(error) = served {
            eprintln!("the HTTP server ended: {error}");
        }
    })?;
    Ok(Server { address, stop: Some(stop), thread: Some(thread) })
}

async fn ready(State(probe): State<Arc<dyn Probe>>) -> impl IntoResponse {
    match probe.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn metrics(State(probe): State<Arc<dyn Probe>>) -> impl IntoResponse {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], probe.metrics())
}
