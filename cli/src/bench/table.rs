//! What was measured, as people read it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::machine::Machine;
use super::report::Report;

/// What we aim for: the third column.
#[derive(Debug, Clone, Copy)]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    /// From 1 on it is reached.
    fn ratio(self, measured: f64) -> f64 {
        match self {
            Target::AtLeast(target) => measured / target,
            Target::AtMost(target) => target / measured.max(f64::MIN_POSITIVE),
        }
    }
}

/// One line.
struct Row {
    what: String,
    /// `None`: the report says why.
    measured: Option<f64>,
    /// Digits behind the point.
    digits: usize,
    unit: &'static str,
    target: Option<Target>,
}

fn row(what: impl Into<String>, measured: impl Into<Option<f64>>, digits: usize, unit: &'static str) -> Row {
    Row { what: what.into(), measured: measured.into(), digits, unit, target: None }
}

impl Row {
    fn at_least(self, target: f64) -> Row {
        Row { target: Some(Target::AtLeast(target)), ..self }
    }

    fn at_most(self, target: f64) -> Row {
        Row { target: Some(Target::AtMost(target)), ..self }
    }

    fn number(&self, number: f64) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        format!("{}{unit}", grouped(number, self.digits))
    }

    /// `width` is that of the first column.
    fn line(&self, width: usize) -> String {
        let measured = self.measured.map_or("-".to_owned(), |number| self.number(number));
        let (target, ratio) = match self.target {
            None => (String::new(), String::new()),
            Some(target) => {
                let (sign, number) = match target {
                    Target::AtLeast(number) => ("≥", number),
                    Target::AtMost(number) => ("≤", number),
                };
                let ratio = self.measured.map_or("-".to_owned(), |of| format!("{:.2}", target.ratio(of)));
                (format!("{sign} {}", self.number(number)), ratio)
            }
        };
        format!("{:<width$}{measured:>16}{target:>18}{ratio:>8}", self.what).trim_end().to_owned()
    }
}

/// A number with commas between thousands.
fn grouped(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((&*text, None), |(whole, rest)| (whole, Some(rest)));
    let mut out = String::new();
    for (nth, digit) in whole.chars().enumerate() {
        if nth > 0 && (whole.len() - nth).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    rest.map_or(out.clone(), |rest| format!("{out}.{rest}"))
}

/// Everything.
pub(super) fn table(report: &Report) -> String {
    let mut out = head(report);
    let mut line = |text: &str| {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{text}");
    };
    let rows = rows(report);
    let width = rows.iter().map(|row| row.what.chars().count()).max().unwrap_or_default();
    line(&format!("{:<width$}{:>16}{:>18}{:>8}", "what", "measured", "target", "ratio"));
    rows.iter().for_each(|row| line(&row.line(width)));
    line("");
    line(&format!("{:<44}{:>14}{:>10}{:>20}", "stage, one thread", "events/s", "MB/s", "CPU ns an event"));
    for stage in &report.stages {
        let mark = if stage.in_sum { "" } else { " *" };
        line(&format!(
            "{:<44}{:>14}{:>10.1}{:>20}",
            format!("{}{mark}", stage.name),
            grouped(stage.events_per_second, 0),
            stage.megabytes_per_second,
            grouped(stage.cpu_ns_per_event, 0)
        ));
    }
    line("* a part of another stage, or later: not in the sum");
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (what, why) in &report.absent {
        reasons.entry(why).or_default().push(what);
    }
    for (why, what) in reasons {
        line(&format!("\nnot measured: {}: {why}", what.join(", ")));
    }
    out
}

fn head(report: &Report) -> String {
    let Machine { custody_version, cpu_model, cores, memory_bytes, os, kernel, file_system, .. } =
        &report.machine;
    let cpu = cpu_model.as_deref().unwrap_or("an unknown CPU");
    let memory = memory_bytes.map_or("unknown memory".to_owned(), |bytes| format!("{:.1} GiB", gib(bytes)));
    let load = report.machine.load_average;
    let load = load.map_or(String::new(), |load| format!("; load average before: {load:.2}"));
    let on = file_system.as_deref().unwrap_or("an unknown file system");
    let broker = match &report.broker.address {
        Some(address) => format!("Kafka at {address}"),
        None => "the embedded broker".to_owned(),
    };
    let before = match report.archived_before {
        0 => String::new(),
        before => format!(" on top of {}", grouped(before as f64, 0)),
    };
    format!(
        "custody {custody_version} on {cpu}, {cores} cores, {memory}, {os} ({kernel}), {on}{load}\n\
         {} simulated events of {:.0} bytes{before}, from {broker}, {} partitions\n\n",
        grouped(report.events as f64, 0),
        report.payload_bytes_per_event,
        report.broker.partitions
    )
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn rows(report: &Report) -> Vec<Row> {
    let of = |events: u64| grouped(events as f64, 0);
    let rate = report.searchable_events_per_second;
    let rate = rate.map_or(String::new(), |rate| format!(", at {} events/s", grouped(rate, 0)));
    let cpus: Vec<String> = report.worker_cpus.iter().map(ToString::to_string).collect();
    let on = if cpus.is_empty() { String::new() } else { format!(", on CPU {}", cpus.join(" and ")) };
    let mut rows = vec![
        row("events a CPU-second of the worker, everything included", report.events_per_cpu_second, 0, "")
            .at_least(150_000.0),
        row(format!("  events a second{on}"), report.events_per_second, 0, ""),
        row("  CPU time an event", report.cpu_ns_per_event, 0, "ns"),
        row("  the same as a multiple of the sum of its stages", report.cpu_to_stages, 2, ""),
        row("two cores against one", report.speedup_two_cores, 2, "times").at_least(1.8),
        row("archive and index after compaction, an event", report.bytes_per_event, 1, "bytes").at_most(80.0),
        row("  archive", report.archive_bytes_per_event, 1, "bytes"),
        row("  index", report.index_bytes_per_event, 1, "bytes"),
        row("  both before compaction", report.uncompacted_bytes_per_event, 1, "bytes"),
        row("  zstd -3 of the raw events: the floor", report.zstd_bytes_per_event, 1, "bytes"),
        row("  zstd -19", report.zstd_19_bytes_per_event, 1, "bytes"),
        row("  both as a multiple of zstd -3", report.bytes_to_zstd, 2, ""),
        row(format!("searchable after being published, p99{rate}"), report.searchable_seconds_p99, 2, "s")
            .at_most(5.0),
        row("  p50", report.searchable_seconds_p50, 2, "s"),
        row("  max", report.searchable_seconds_max, 2, "s"),
        row("resident memory of the worker, at most", report.rss_bytes_max.map(mib), 0, "MiB").at_most(512.0),
    ];
    if report.archived_before > 0 {
        let what = format!("cost an event after {} archived, against none", of(report.archived_before));
        rows.push(row(what, report.cost_growth, 2, "times").at_most(1.1));
    }
    let what = format!("20 scattered of {} records fetched and proven, p50", of(report.records));
    rows.push(row(what, report.fetch_20_ms_p50, 2, "ms").at_most(2.0));
    rows.push(row("  p99", report.fetch_20_ms_p99, 2, "ms"));
    rows.push(row("  the same 20 again and again, p50", report.fetch_20_again_ms_p50, 2, "ms"));
    for asked in &report.top20 {
        let what = format!("newest 20 of {} for {}: {}, p50", of(asked.found), asked.what, asked.query);
        rows.push(row(what, asked.ms_p50, 2, "ms").at_most(3.0));
        rows.push(row("  p99", asked.ms_p99, 2, "ms"));
    }
    rows.push(
        row("start until the first batch is archived", report.start_worker_seconds, 2, "s").at_most(2.0),
    );
    rows.push(row("  and what Kafka took to give partitions", report.start_kafka_seconds, 2, "s"));
    rows.push(
        row("start until the first query is answered", report.start_searcher_seconds, 2, "s").at_most(2.0),
    );
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        let shown = [(0.0, 0), (999.0, 0), (1_000.0, 0), (1_234_567.891, 2), (-1_000.0, 0)];
        let shown = shown.map(|(number, digits)| grouped(number, digits));
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567.89", "-1,000"]);
    }

    #[test]
    fn from_one_on_a_target_is_reached() {
        let line = |row: Row| row.line(3).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(line(row("a", 75_000.0, 0, "").at_least(150_000.0)), "a 75,000 ≥ 150,000 0.50");
        assert_eq!(line(row("b", 40.0, 1, "bytes").at_most(80.0)), "b 40.0 bytes ≤ 80.0 bytes 2.00");
        assert_eq!(line(row("c", None, 1, "s").at_most(5.0)), "c - ≤ 5.0 s -");
        assert_eq!(line(row("d", 2.0, 1, "")), "d 2.0");
    }
}
