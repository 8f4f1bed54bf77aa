//! Call detail records: a call in a row.

use std::borrow::Cow;
use std::iter;

use custody_schemas::Kind;
use custody_schemas::event::{Call, Party, Quality, Text};
use custody_schemas::time::time_us;
use jiff::tz::TimeZone;

use crate::describe::named;
use crate::document::Document;
use crate::error::Error;
use crate::format::calls::{KnownCall, calls_of};
use crate::format::columns::{joined, local, people};
use crate::format::csv::{BOM, Table};
use crate::format::{Format, Line, Rendered};
use crate::item::Item;

/// Where the rows of a volume are.
pub(crate) const CALLS: &str = "calls.csv";

/// The media whose quality has columns.
const MEDIA: [&str; 3] = ["audio", "video", "screen"];

/// A column of a medium's quality.
type Measure = (&'static str, fn(&Quality<'_>) -> String);

/// What there is of the quality of each.
const MEASURES: [Measure; 5] = [
    ("codec", |quality| of(quality.codec.as_deref())),
    ("jitter_ms", |quality| number(quality.jitter_ms)),
    ("loss_pct", |quality| number(quality.loss_pct)),
    ("round_trip_ms", |quality| number(quality.round_trip_ms)),
    ("mos", |quality| number(quality.mos)),
];

/// What a row is made of.
struct Row<'r> {
    document: &'r Document<'r>,
    call: &'r KnownCall<'r>,
}

type Column = (&'static str, fn(&Row<'_>) -> String);

/// Which call, who, when and how it ended.
const CALL: [Column; 30] = [
    ("document", |row| row.document.number.clone()),
    ("call_id", |row| row.call.text(|call| &call.id)),
    ("ended", |row| yes_or_no(row.call.ended.is_some())),
    ("conversation", |row| of(row.call.data(|data| data.conversation.as_ref()?.id.as_deref()))),
    ("conversation_kind", |row| of(row.call.data(|data| data.conversation.as_ref()?.kind.as_deref()))),
    ("title", |row| of(row.call.data(|data| data.conversation.as_ref()?.title.as_deref()))),
    ("from_name", |row| from(row, |party| party.name.as_deref())),
    ("from_address", |row| from(row, |party| party.address.as_deref())),
    ("from_network", |row| from(row, |party| party.network.as_deref())),
    ("from_scope", |row| from(row, |party| party.scope.as_deref())),
    ("to", |row| {
        people(row.call.data(|data| data.to.as_ref().filter(|to| !to.is_empty())).into_iter().flatten())
    }),
    ("via", |row| row.call.data(|data| data.via.as_deref()).map(named).unwrap_or_default()),
    ("on_behalf_of", |row| row.call.value(|call| &call.on_behalf_of)),
    ("referred_by", |row| row.call.value(|call| &call.referred_by)),
    ("original_target", |row| row.call.value(|call| &call.original_target)),
    ("answered_by", |row| row.call.answered.and_then(Item::from).map(named).unwrap_or_default()),
    ("participants", |row| row.call.each(participant)),
    ("zone", |row| row.document.about.zone_name.clone()),
    ("invite_time", |row| shown(row, invited(row))),
    ("answer_time", |row| shown(row, answered(row))),
    ("end_time", |row| shown(row, ended(row))),
    ("duration_ms", |row| duration_ms(row).map(|ms| ms.to_string()).unwrap_or_default()),
    ("media", |row| joined(row.call.call(|call| call.media.as_ref()).into_iter().flatten().map(|m| &**m))),
    ("media_over_time", |row| row.call.each(|item| media_then(item, &row.document.about.zone))),
    ("response_code", |row| integer(row.call.call(|call| call.response_code))),
    ("reason", |row| row.call.text(|call| &call.reason)),
    ("diagnostics", |row| row.call.value(|call| &call.diagnostics)),
    ("client", |row| of(row.call.data(|data| data.client.as_deref()))),
    ("from_message_count", |row| integer(row.call.call(|call| call.from_message_count))),
    ("to_message_count", |row| integer(row.call.call(|call| call.to_message_count))),
];

/// Where all that is from; values of several events are in the order of `event_types`.
const EVENTS: [Column; 13] = [
    ("source", |row| of(row.call.first(|item| item.event.as_ref().map(|event| &*event.source)))),
    ("tenant", |row| of(row.call.first(|item| item.event.as_ref()?.tenant.as_deref()))),
    ("event_types", |row| row.call.each(|item| Some(item.kind.clone()))),
    ("ids", |row| row.call.each(|item| Some(item.event.as_ref()?.id.to_string()))),
    ("clients", |row| row.call.each(|item| Some(of(item.data().client.as_deref())))),
    ("warnings", |row| {
        row.call.each(|item| Some(joined(item.warnings.iter().map(|warning| warning.word()))))
    }),
    ("copies", |row| row.call.each(|item| Some(item.shown.deliveries.to_string()))),
    ("context", |row| row.call.each(|item| Some(yes_or_no(item.shown.is_context)))),
    ("redactions", |row| row.call.each(|item| Some(item.shown.redactions.to_string()))),
    ("positions", |row| row.call.each(|item| Some(item.shown.position.to_string()))),
    ("leaf_hashes", |row| row.call.each(|item| Some(item.shown.leaf.to_string()))),
    ("batches", |row| row.call.each(|item| Some(item.shown.batch.clone()))),
    ("batch_roots", |row| row.call.each(|item| Some(item.shown.batch_root.to_string()))),
];

/// Rows of calls.
#[derive(Debug, Default)]
pub(crate) struct Cdr;

impl Format for Cdr {
    fn begin(&self) -> Result<Vec<Line>, Error> {
        let mut table = Table::new();
        let quality = MEDIA.iter().flat_map(|medium| MEASURES.map(|(name, _)| format!("{medium}_{name}")));
        let names = |columns: &'static [Column]| columns.iter().map(|(name, _)| Cow::Borrowed(*name));
        let other = iter::once(Cow::Borrowed("quality_other"));
        table.row(names(&CALL).chain(quality.map(Cow::Owned)).chain(other).chain(names(&EVENTS)))?;
        Ok(vec![Line { path: CALLS, bytes: [BOM.as_bytes(), &table.finish()?].concat() }])
    }

    fn render(&self, document: &Document<'_>) -> Result<Rendered, Error> {
        let mut table = Table::new();
        for call in &calls_of(document.items) {
            let row = Row { document, call };
            let cells = |columns: &'static [Column]| columns.iter().map(|(_, of)| of(&row));
            table.row(cells(&CALL).chain(quality(call)).chain(cells(&EVENTS)).map(Cow::Owned))?;
        }
        let bytes = table.finish()?;
        let lines = if bytes.is_empty() { Vec::new() } else { vec![Line { path: CALLS, bytes }] };
        Ok(Rendered { lines, ..Rendered::default() })
    }
}

fn of(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn integer(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn number(number: Option<f64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

fn from<'r>(row: &Row<'r>, text: fn(&'r Party<'r>) -> Option<&'r str>) -> String {
    // Whoever answers or hangs up is no caller: only the end and the invitation say who called.
    let callers = [row.call.ended, row.call.invited].into_iter().flatten();
    of(callers.filter_map(Item::from).find_map(text))
}

/// A time as the call says it, or else of the event that it is the time of.
enum When<'r> {
    At(i64),
    /// It is no time.
    Said(&'r str),
}

fn when<'r>(
    row: &Row<'r>,
    said: fn(&'r Call<'r>) -> &'r Option<Text<'r>>,
    event: Option<&'r Item<'r>>,
) -> Option<When<'r>> {
    match row.call.call(|call| said(call).as_deref()) {
        Some(text) => Some(time_us(text).map_or(When::Said(text), When::At)),
        None => event.map(|item| When::At(item.at_us())),
    }
}

fn invited<'r>(row: &Row<'r>) -> Option<When<'r>> {
    when(row, |call| &call.invite_time, row.call.invited)
}

fn answered<'r>(row: &Row<'r>) -> Option<When<'r>> {
    when(row, |call| &call.answer_time, row.call.answered)
}

fn ended<'r>(row: &Row<'r>) -> Option<When<'r>> {
    when(row, |call| &call.end_time, row.call.ended)
}

fn shown(row: &Row<'_>, when: Option<When<'_>>) -> String {
    match when {
        None => String::new(),
        Some(When::At(us)) => local(us, &row.document.about.zone),
        Some(When::Said(text)) => text.to_owned(),
    }
}

fn duration_ms(row: &Row<'_>) -> Option<i64> {
    match (answered(row)?, ended(row)?) {
        (When::At(answered), When::At(ended)) => Some(ended.saturating_sub(answered) / 1_000),
        _ => None,
    }
}

fn participant(item: &Item<'_>) -> Option<String> {
    let data = item.data();
    if item.contract() != Some(Kind::CallParticipant) {
        return None;
    }
    let who = data.participant.as_deref().map_or_else(|| "(unknown)".to_owned(), named);
    Some(format!("{who} {}", data.action.as_deref().unwrap_or("joined or left")))
}

fn media_then(item: &Item<'_>, zone: &TimeZone) -> Option<String> {
    let media: Vec<&str> = item.data().call.as_ref()?.media.as_ref()?.iter().map(|text| &**text).collect();
    Some(format!("{} {}", local(item.at_us(), zone), media.join(", ")))
}

/// The measures of each of the media, and as JSON those of others and those that are there again.
fn quality<'r>(call: &'r KnownCall<'r>) -> impl Iterator<Item = String> {
    let all = call.call(|call| call.quality.as_deref()).unwrap_or_default();
    let of_medium = |medium: &str| all.iter().position(|quality| quality.media.as_deref() == Some(medium));
    let shown = MEDIA.map(of_medium);
    let measures = shown
        .into_iter()
        .flat_map(move |at| MEASURES.map(|(_, measure)| at.map(|at| measure(&all[at])).unwrap_or_default()));
    let rest: Vec<&Quality<'_>> = all
        .iter()
        .enumerate()
        .filter(|(n, _)| !shown.contains(&Some(*n)))
        .map(|(_, quality)| quality)
        .collect();
    // Our own structs always serialise.
    let other =
        if rest.is_empty() { String::new() } else { serde_json::to_string(&rest).unwrap_or_default() };
    measures.chain(iter::once(other))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{HOSTILE, event, sample, shown as record, with_document};
    use crate::format::csv::harmless;
    use crate::format::testing::{self, whole};

    /// The rows of these events (type and data) as columns and cells.
    fn rows(events: &[(&str, &str)]) -> Vec<Vec<(String, String)>> {
        let records: Vec<_> =
            (0..).zip(events).map(|(n, (kind, data))| record(n, &event(kind, n, data))).collect();
        let bytes = with_document(&records, |document| whole(&Cdr, &document, CALLS));
        let text = std::str::from_utf8(&bytes).unwrap().strip_prefix(BOM).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names = reader.headers().unwrap().clone();
        let cells = |row: csv::StringRecord| {
            names.iter().zip(row.iter()).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect()
        };
        reader.records().map(|row| cells(row.unwrap())).collect()
    }

    fn check(events: &[(&str, &str)], expected: &[&[(&str, &str)]]) {
        let rows = rows(events);
        assert_eq!(rows.len(), expected.len(), "{events:?}");
        for (row, expected) in rows.iter().zip(expected) {
            for (name, cell) in *expected {
                let found = row.iter().find(|(column, _)| column == name).unwrap();
                assert_eq!(found.1, *cell, "{name} of {events:?}");
            }
        }
    }

    const A: &str = r#""from":{"address":"a@x","name":"Ann"},"to":[{"address":"b@y"}]"#;

    #[test]
    fn an_end_is_completed_by_what_went_before() {
        let invited = format!(
            r#"{{{A},"call":{{"id":"k","media":["audio"],"on_behalf_of":"boss@x","referred_by":{{"a":1}}}}}}"#
        );
        let answered = r#"{"from":{"address":"c@y"},"call":{"id":"k"}}"#;
        let ended = r#"{"call":{"id":"k","end_time":"2013-05-29T09:15:11.5Z","response_code":200,"quality":[{"media":"audio","codec":"G711","jitter_ms":2.5},{"media":"audio"},{"media":"haptic","mos":4}]}}"#;
        check(
            &[("call.invited", &invited), ("call.answered", answered), ("call.ended", ended)],
            &[&[
                ("ended", "yes"),
                ("from_name", "Ann"),
                ("to", "b@y"),
                ("answered_by", "c@y"),
                ("on_behalf_of", "boss@x"),
                ("referred_by", r#"{"a":1}"#),
                ("invite_time", "2013-05-29T09:15:00.000000+00:00"),
                ("answer_time", "2013-05-29T09:15:01.000000+00:00"),
                ("end_time", "2013-05-29T09:15:11.500000+00:00"),
                ("duration_ms", "10500"),
                ("media", "audio"),
                ("response_code", "200"),
                ("audio_codec", "G711"),
                ("audio_jitter_ms", "2.5"),
                ("audio_mos", ""),
                ("quality_other", r#"[{"media":"audio"},{"media":"haptic","mos":4.0}]"#),
                ("positions", "chat:1:0:0; chat:1:0:1; chat:1:0:2"),
            ]],
        );
    }

    #[test]
    fn what_is_known_of_calls_without_an_end() {
        let answered = r#"{"from":{"address":"c@y"},"call":{"id":"k","media":["audio","video"]}}"#;
        check(
            &[("call.answered", answered)],
            &[&[
                ("ended", "no"),
                ("from_address", ""),
                ("answered_by", "c@y"),
                ("end_time", ""),
                ("duration_ms", ""),
                ("media", "audio; video"),
            ]],
        );
        check(
            &[("call.ended", r#"{"call":{"end_time":"noon"}}"#)],
            &[&[("end_time", "noon"), ("call_id", "")]],
        );
        check(&[("im.message.sent", "{}")], &[]);
    }

    #[test]
    fn hostile_texts_come_back() {
        for said in HOSTILE {
            let json = serde_json::to_string(said).unwrap();
            let data = format!(
                r#"{{"from":{{"name":{json}}},"client":{json},"call":{{"reason":{json},"id":{json}}}}}"#
            );
            let cell = harmless(Cow::Borrowed(said));
            let expected: Vec<(&str, &str)> =
                ["from_name", "client", "reason", "call_id"].map(|name| (name, &*cell)).to_vec();
            check(&[("call.ended", &data)], &[&expected]);
        }
    }

    #[test]
    fn a_sample() {
        testing::golden("calls.csv", &with_document(&sample(), |document| whole(&Cdr, &document, CALLS)));
        testing::for_readers("cdr", |folder, document| testing::write(folder, &Cdr, document));
        testing::for_readers("csv", |folder, document| {
            testing::write(folder, &crate::format::csv::Csv, document)
        });
    }
}
