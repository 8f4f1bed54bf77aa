//! Stores that take a request and never answer it, or never to its end.

use std::fmt::Debug;
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::clock::SystemClock;
use crate::writer::{Writer, WriterSettings};

/// The beginning of an answer.
const HALF: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nETag: \"e\"\r\nLast-Modified: Wed, 29 May 2013 09:15:02 GMT\r\n\r\nhalf";

const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// An S3 endpoint that says this to a request, by its head, and then nothing more, until it is dropped.
fn hanging(says: fn(&str) -> &'static [u8]) -> (Runtime, S3Settings) {
    let server = runtime().unwrap();
    let listener = server.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    server.spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut head, mut bytes) = (Vec::new(), [0; 4_096]);
                while !head.windows(4).any(|four| four == b"\r\n\r\n") {
                    match connection.read(&mut bytes).await {
                        Ok(read @ 1..) => head.extend_from_slice(&bytes[..read]),
                        _ => return,
                    }
                }
                // A client that has gone needs no answer.
                let _ = connection.write_all(says(&String::from_utf8_lossy(&head))).await;
                std::future::pending::<()>().await;
            });
        }
    });
    let settings = S3Settings {
        endpoint: Some(endpoint),
        region: Some("us-east-1".into()),
        allow_http: true,
        request_age_max: Duration::from_millis(100),
    };
    (server, settings)
}

/// As [`Store::open`] makes it, with credentials that are in no environment.
fn store(settings: &S3Settings) -> Arc<Store> {
    let client = s3_client("bucket", settings).with_access_key_id("a").with_secret_access_key("b");
    Arc::new(Store::over(Arc::new(client.build().unwrap()), "s3://bucket/prefix/").unwrap())
}

/// The operation ends, and says what could not be done with what.
#[track_caller]
fn check<T: Debug>(done: Result<T, Error>, expected: &str) {
    let error = done.unwrap_err();
    assert_eq!(error.kind, Kind::Retry, "{error}");
    assert!(error.to_string().starts_with(expected), "{error}");
    assert!(format!("{error:?}").contains("TimedOut"), "{error:?}");
}

type Operation = fn(&Store) -> Result<(), Error>;

#[test]
fn every_operation_ends() {
    let (_server, settings) = hanging(|_| b"");
    let store = store(&settings);
    let operations: [(&str, Operation); 8] = [
        ("cannot write s3://bucket/prefix/a (operation timed out): ", |store| store.put("a", &b"x"[..])),
        ("cannot write s3://bucket/prefix/a (operation timed out): ", |store| {
            store.put_new("a", &b"x"[..]).map(drop)
        }),
        ("cannot list s3://bucket/prefix/a (operation timed out): ", |store| store.list("a").map(drop)),
        ("cannot list s3://bucket/prefix/ (operation timed out): ", |store| store.folders().map(drop)),
        ("cannot read s3://bucket/prefix/a (operation timed out): ", |store| store.get("a").map(drop)),
        ("cannot look at s3://bucket/prefix/a (operation timed out): ", |store| store.size("a").map(drop)),
        ("cannot remove s3://bucket/prefix/a (operation timed out): ", |store| store.remove("a")),
        ("cannot remove s3://bucket/prefix/a (operation timed out): ", |store| store.remove_listed("a")),
    ];
    thread::scope(|scope| {
        for (expected, operation) in operations {
            let store = &store;
            scope.spawn(move || check(operation(store), expected));
        }
    });
}

#[test]
fn an_answer_without_an_end_is_none() {
    let (_server, settings) = hanging(|_| HALF);
    let store = store(&settings);
    check(store.get("a"), "cannot read s3://bucket/prefix/a (operation timed out): ");
    check(store.list("a"), "cannot list s3://bucket/prefix/a (operation timed out): ");
}

/// The library that knows the table asks through the same client.
#[test]
fn an_archive_in_it_cannot_be_opened_or_made() {
    let open = |says| {
        let (_server, settings) = hanging(says);
        let clock = Arc::new(SystemClock::default());
        Writer::in_store(store(&settings), &WriterSettings::default(), clock).map(drop)
    };
    check(open(|_| b""), "cannot read s3://bucket/prefix/_delta_log/00000000000000000000.json");
    // There is none, and then nobody answers.
    let none = |head: &str| match head.starts_with("GET /bucket/prefix/_delta_log/00000000000000000000.json ")
    {
        true => NOT_FOUND,
        false => b"",
    };
    check(open(none), "cannot create the archive");
}
