//! `custody import`: publishes history to Kafka and says what was taken.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use custody_ingest::kafka::Producer;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Done, Failure};
use crate::import::skype::History;
use crate::import::{ImportReport, Lines, Outgoing, Simple, import_lines, import_skype, skype};
use crate::open;
use crate::settings::Loaded;
use crate::show::one_line;
use crate::{out, outln};

fn connect(loaded: &Loaded) -> Result<Producer, Failure> {
    open::require(loaded, &["kafka.brokers", "kafka.topics"])?;
    let kafka = &loaded.settings.kafka;
    let [topic] = kafka.topics.as_slice() else {
        return Err(Failure::usage(format!(
            "an import goes to one topic, not to {}: give one --topic",
            kafka.topics.len()
        )));
    };
    Ok(Producer::connect(&kafka.brokers, topic, &kafka.properties)?)
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} events, {per_sec}, {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn publish<'a>(
    producer: &'a Producer,
    bar: &'a ProgressBar,
) -> impl FnMut(Outgoing) -> Result<(), Failure> + 'a {
    move |outgoing| {
        producer.send(&outgoing.key, &outgoing.payload)?;
        bar.inc(1);
        Ok(())
    }
}

fn source_of(path: &Path) -> String {
    let name = path.file_name().map_or_else(|| "stdin".into(), |name| name.to_string_lossy());
    Simple::source_of(if path.as_os_str() == "-" { "stdin" } else { &name })
}

/// `custody import events FILE…`
pub fn events(loaded: &Loaded, files: &[PathBuf], tenant: &str) -> Done {
    let producer = connect(loaded)?;
    let imported = import_files(&producer, files, tenant);
    // Also after a failure: whoever imports again must know what is there already.
    let flushed = producer.flush();
    outln!("acknowledged by Kafka: {}", producer.acknowledged());
    let refused = imported?;
    flushed?;
    if refused > 0 {
        return Err(Failure::failed(format!("{refused} lines were refused; everything else was published")));
    }
    Ok(())
}

/// How many lines were refused.
fn import_files(producer: &Producer, files: &[PathBuf], tenant: &str) -> Result<u64, Failure> {
    let mut refused = 0;
    for file in files {
        let mut lines =
            Lines::open(file).map_err(|e| Failure::failed(format!("cannot open {}: {e}", file.display())))?;
        let mut form = Simple::new(source_of(file), tenant);
        let bar = spinner();
        let report = import_lines(&mut lines, &mut form, &mut publish(producer, &bar))
            .map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
        producer.flush()?;
        bar.finish_and_clear();
        out!("{}", published(file, &report));
        eprint!("{}", refusals(file, &report));
        refused += report.refused_count;
    }
    Ok(refused)
}

/// `custody import skype-db FILE`
pub fn skype_db(loaded: &Loaded, file: &Path, tenant: &str) -> Done {
    if !file.is_file() {
        return Err(Failure::failed(format!("{}: there is no such file", file.display())));
    }
    let history = skype::read(file, &source_of(file), tenant).map_err(Failure::failed)?;
    let left_out = left_out(file, &history);
    let producer = connect(loaded)?;
    let bar = spinner();
    let report = import_skype(history, &mut publish(&producer, &bar))?;
    producer.flush()?;
    bar.finish_and_clear();
    out!("{}", published(file, &report));
    eprint!("{left_out}");
    outln!("acknowledged by Kafka: {}", producer.acknowledged());
    Ok(())
}

/// What went to Kafka. Types and reasons hold texts of the input, which may be hostile.
fn published(file: &Path, report: &ImportReport) -> String {
    let mut out = format!(
        "{}: {} events published, {} lines refused\n",
        file.display(),
        report.accepted,
        report.refused_count
    );
    for (kind, count) in &report.by_type {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "  {count:>9}  {}", one_line(kind));
    }
    out
}

fn refusals(file: &Path, report: &ImportReport) -> String {
    let mut out = String::new();
    for (line, reason) in &report.refused {
        let _ = writeln!(out, "{}:{line}: refused: {}", file.display(), one_line(reason));
    }
    let more = report.refused_count.saturating_sub(report.refused.len() as u64);
    if more > 0 {
        let _ = writeln!(out, "{}: and {more} more refused lines", file.display());
    }
    out
}

/// Rows of a Skype database that are in no event: nothing is left out in silence.
fn left_out(file: &Path, history: &History) -> String {
    let not_mapped =
        history.tables.iter().map(|table| (table.table, table.not_mapped)).filter(|(_, rows)| *rows > 0);
    let unread = history.unread.iter().map(|(table, rows)| (table.as_str(), *rows));
    let mut out = String::new();
    for (table, rows) in not_mapped.chain(unread) {
        let _ = writeln!(out, "{}: {rows} rows of table {} were not read", file.display(), one_line(table));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::skype::TableCount;

    #[test]
    fn hostile_input_cannot_draw_on_the_terminal() {
        let report = ImportReport {
            accepted: 1,
            refused: vec![(2, "no \u{1b}[2J".into())],
            refused_count: 3,
            by_type: [("a\u{1b}[2J".to_owned(), 1)].into(),
        };
        let file = Path::new("f");
        let expected = "f: 1 events published, 3 lines refused\n          1  a\\u{1b}[2J\n";
        assert_eq!(published(file, &report), expected);
        let expected = "f:2: refused: no \\u{1b}[2J\nf: and 2 more refused lines\n";
        assert_eq!(refusals(file, &report), expected);
    }

    #[test]
    fn rows_that_are_left_out_are_told() {
        let count = |table, not_mapped| TableCount { table, rows: 9, not_mapped, ..TableCount::default() };
        let history = History {
            events: Vec::new(),
            tables: vec![count("Messages", 0), count("Calls", 2)],
            context: vec![("Contacts", 4)],
            unread: vec![("Bots".into(), 1)],
        };
        let expected = "f: 2 rows of table Calls were not read\nf: 1 rows of table Bots were not read\n";
        assert_eq!(left_out(Path::new("f"), &history), expected);
    }
}
