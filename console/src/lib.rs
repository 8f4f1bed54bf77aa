//! What a running worker tells over HTTP: `/healthz`, `/readyz`, `/metrics`.
//!
//! The only crate that knows the HTTP framework.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::sync::oneshot;

/// How long requests that are under way may take when the server ends: one that
/// never ends must not keep the worker from ending.
const GRACE: Duration = Duration::from_secs(1);

/// What the server asks of the worker.
pub trait Probe: Send + Sync + 'static {
    /// `Err` says why not everything that is published is being archived.
    fn ready(&self) -> Result<(), String>;
    /// The metrics in OpenMetrics text form.
    fn metrics(&self) -> String;
}

/// A running server; ends when dropped, within a second.
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
        let (ending, late) = oneshot::channel();
        let ended = async {
            drop(stopped.await);
            // Nobody waits for it when all requests have ended.
            let _ = ending.send(());
        };
        let late = async {
            drop(late.await);
            tokio::time::sleep(GRACE).await;
        };
        let served = axum::serve(listener, app).with_graceful_shutdown(ended).into_future();
        let served = runtime.block_on(async {
            tokio::select! {
                served = served => served,
                () = late => Ok(()),
            }
        });
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::mpsc;

    use super::*;

    struct Fixed;

    impl Probe for Fixed {
        fn ready(&self) -> Result<(), String> {
            Err("the disk is full".into())
        }

        fn metrics(&self) -> String {
            "# EOF\n".into()
        }
    }

    fn server() -> Server {
        serve("127.0.0.1:0".parse().unwrap(), Arc::new(Fixed)).unwrap()
    }

    #[test]
    fn each_route_answers() {
        let server = server();
        for (path, status, body) in [
            ("/healthz", "200", "ok\n"),
            ("/readyz", "503", "not ready: the disk is full\n"),
            ("/metrics", "200", "# EOF\n"),
            ("/", "404", ""),
        ] {
            let mut stream = TcpStream::connect(server.address).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let (head, found) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {head}");
            assert_eq!(found, body, "{path}");
        }
    }

    /// A request that never ends must not keep the worker from ending.
    #[test]
    fn it_ends_whatever_its_clients_do() {
        let server = server();
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let (ended, told) = mpsc::channel();
        thread::spawn(move || {
            drop(server);
            ended.send(())
        });
        told.recv_timeout(Duration::from_secs(10)).expect("the server ends");
    }
}
