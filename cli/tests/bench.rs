//! `custody bench` as a command: what its JSON has, and what it says of a command that is wrong.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use custody_ingest::kafka::{Embedded, Producer};
use serde_json::Value;

fn bench(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_custody")).arg("bench").args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn report(args: &[&str]) -> Value {
    let output = bench(args);
    assert!(output.status.success(), "{}", said(&output));
    // Progress is on standard error, and nothing but the report on standard output.
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Every member is there and is what it should be.
#[track_caller]
fn check(report: &Value, events: u64, archived: u64) {
    let number = |name: &str| report[name].as_f64().unwrap_or_else(|| panic!("{name} is {}", report[name]));
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs().max(b.abs());
    let positive = "payload_bytes_per_event events_per_second events_per_cpu_second cpu_ns_per_event commits \
        stages_cpu_ns_per_event cpu_to_stages searchable_events_per_second searchable_seconds_p50 \
        archive_bytes_per_event index_bytes_per_event uncompacted_archive_bytes_per_event zstd_bytes_per_event \
        zstd_19_bytes_per_event fetch_20_ms_p50 fetch_20_again_ms_p50 top20_ms_p50 start_worker_seconds start_searcher_seconds";
    positive.split_whitespace().for_each(|name| assert!(number(name) > 0.0, "{name} is {}", number(name)));
    assert_eq!((number("events"), number("archived_before")), (events as f64, archived as f64));
    // All that was published was archived.
    let backlog = events;
    assert_eq!(number("records"), (archived + events + backlog) as f64 + number("searchable_events"));

    assert!(near(number("events_per_cpu_second") * number("cpu_ns_per_event"), 1e9));
    let parts = |of: &str| {
        number(&format!("{of}archive_bytes_per_event")) + number(&format!("{of}index_bytes_per_event"))
    };
    assert!(near(number("bytes_per_event"), parts("")));
    assert!(near(number("uncompacted_bytes_per_event"), parts("uncompacted_")));
    assert!(near(number("bytes_to_zstd"), number("bytes_per_event") / number("zstd_bytes_per_event")));
    assert!(number("zstd_19_bytes_per_event") < number("zstd_bytes_per_event"));
    assert!(number("zstd_bytes_per_event") < number("payload_bytes_per_event"));
    for (low, high) in [
        ("searchable_seconds_p50", "searchable_seconds_p99"),
        ("searchable_seconds_p99", "searchable_seconds_max"),
        ("fetch_20_ms_p50", "fetch_20_ms_p99"),
        ("top20_ms_p50", "top20_ms_p99"),
    ] {
        assert!(number(low) <= number(high), "{low} {} {high} {}", number(low), number(high));
    }
    let start = number("start_worker_seconds").max(number("start_searcher_seconds"));
    assert_eq!(number("start_seconds"), start);

    let stages = report["stages"].as_array().unwrap();
    let sum: f64 = stages
        .iter()
        .filter(|stage| stage["in_sum"] == true)
        .map(|stage| stage["cpu_ns_per_event"].as_f64().unwrap())
        .sum();
    assert_eq!(stages.len(), 7);
    assert!(near(sum, number("stages_cpu_ns_per_event")));
    let asked = report["top20"].as_array().unwrap();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|asked| asked["found"].as_u64().is_some_and(|found| found > 0)), "{asked:?}");

    let machine = &report["machine"];
    assert!(machine["cores"].as_u64().is_some_and(|cores| cores > 0), "{machine}");
    assert!(machine["os"].is_string() && machine["custody_version"].is_string(), "{machine}");
    assert_eq!(report["broker"]["kind"], "embedded");
    // What is null is explained, and nothing else is.
    let absent = report["absent"].as_object().unwrap();
    for (name, value) in report.as_object().unwrap() {
        assert_eq!(value.is_null(), absent.contains_key(name), "{name}: {value}, {absent:?}");
    }
    assert_eq!(absent.contains_key("cost_growth"), archived == 0, "{absent:?}");
}

const SMALL: [&str; 8] = ["--events", "2000", "--seconds", "1", "--rate", "1500", "--format", "json"];

#[test]
fn everything_is_measured_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    check(&report(&[&SMALL[..], &["--dir", path]].concat()), 2_000, 0);
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);
}

#[test]
fn on_top_of_what_was_archived_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new");
    let args = [&SMALL[..], &["--archived", "3000", "--keep", "--dir", path.to_str().unwrap()]].concat();
    let report = report(&args);
    check(&report, 2_000, 3_000);
    assert!(report["cost_growth"].as_f64().is_some_and(|growth| growth > 0.0));
    // What is kept is an archive with its index.
    let archive = path.join("measured/archive");
    let mut verify = Command::new(env!("CARGO_BIN_EXE_custody"));
    let verify = verify.current_dir(dir.path()).args(["verify", "--archive"]).arg(&archive);
    let verified = verify.arg("--index").arg(path.join("measured/index")).output().unwrap();
    assert!(verified.status.success(), "{}", said(&verified));
}

#[track_caller]
fn refused(args: &[&str], code: i32, says: &[&str]) {
    let output = bench(args);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    says.iter().for_each(|part| assert!(text.contains(part), "{part:?} is not in {text:?}"));
    assert!(output.stdout.is_empty());
}

#[test]
fn what_is_wrong_is_said_before_anything_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let full = |path: &Path| {
        fs::write(path.join("file"), "x").unwrap();
        path.to_str().unwrap().to_owned()
    };
    let dir = full(dir.path());
    refused(&["--dir", &dir], 2, &[&dir, "is not empty"]);
    assert_eq!(fs::read_to_string(Path::new(&dir).join("file")).unwrap(), "x");
    refused(&["--brokers", "127.0.0.1:1"], 2, &["--topic"]);
    refused(&["--brokers", "127.0.0.1:1", "--topic", "t"], 1, &["no Kafka broker answers at 127.0.0.1:1"]);
    refused(&["--events", "10"], 2, &["--events"]);

    let embedded = Embedded::start("used", 2).unwrap();
    let brokers = embedded.brokers();
    let producer = Producer::connect(&brokers, "used", &Default::default()).unwrap();
    (0..3).for_each(|_| producer.send(b"k", b"{}").unwrap());
    producer.flush().unwrap();
    refused(&["--brokers", &brokers, "--topic", "used"], 2, &["used", "3 messages", "make a new one"]);
    refused(&["--brokers", &brokers, "--topic", "used", "--kafka-property", "x"], 2, &["kafka.properties"]);
}
