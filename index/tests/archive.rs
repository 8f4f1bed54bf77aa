//! The index over a real archive: built, searched, merged, verified.

use std::path::Path;
use std::sync::Arc;

use custody_archive::{
    Archive, BatchBuilder, Choice, CompactSettings, Compactor, Encoded, Journal, Location, S3Settings, Store,
    VerifySettings, Writer, WriterSettings,
};
use custody_index::query::{Query, parse};
use custody_index::{
    IndexStore, Indexer, Order, Request, Searcher, Settings, Source, verify_index, verify_index_with,
};
use custody_schemas::manifest::{Gap, GapReason};
use custody_schemas::{Incoming, Partition, Span};
use serde_json::json;

const SETTINGS: Settings = Settings {
    split_docs_max: 100,
    build_docs_max: 100,
    split_bytes_max: 1 << 30,
    small_docs: 40,
    small_run_max: 4,
    manifests_kept: 3,
    splits_open_max: 4,
    matches_held_max: 16,
    words_bytes_max: 1 << 20,
    facets_bytes_max: 1 << 20,
    search_threads: 2,
    thread_docs_min: 50,
    search_ms_max: 600_000,
    page_hits_max: 100,
    snippet_chars: 60,
};

struct World {
    _root: tempfile::TempDir,
    index: std::path::PathBuf,
    writer: Writer,
    archive: Archive,
    next: [i64; 2],
}

fn message(number: i64, from: &str, text: &str) -> String {
    json!({
        "specversion": "1.0",
        "id": format!("e-{number}"),
        "source": "gateway-1",
        "type": "federation.im.message.sent.v1",
        "time": format!("2013-05-29T09:{:02}:{:02}.250Z", number / 60, number % 60),
        "tenant": "contoso.example",
        "data": {
            "conversation": {"id": "c-88", "title": "Northwind tender"},
            "from": {"network": "skype", "address": from, "name": "Bob Smith"},
            "to": [{"network": "lync", "address": "sip:alice@contoso.example"}],
            "message": {"content_type": "text/html", "text": text},
        },
    })
    .to_string()
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        let location = Location::Folder(root.path().join("archive"));
        let writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
        let (index, archive) = (root.path().join("index"), writer.reader());
        World { _root: root, index, writer, archive, next: [0; 2] }
    }

    /// Archives one batch of payloads for partition 0 and for partition 1.
    fn batch(&mut self, payloads: [&[String]; 2]) {
        let id = format!("batch-{}-{}", self.next[0], self.next[1]);
        let mut builder = BatchBuilder::new(id);
        for (number, payloads) in (0..).zip(payloads) {
            let partition =
                Partition { topic: "federation.events".to_owned(), generation: 1, partition: number };
            let next = &mut self.next[usize::try_from(number).unwrap()];
            for payload in payloads {
                let payload = Some(payload.as_bytes());
                let incoming =
                    Incoming { key: None, headers: &[], payload, broker_time_ms: Some(1_369_818_000_000) };
                builder.push(&partition, *next, *next, &incoming).unwrap();
                *next += 1;
            }
        }
        let sealed = builder.seal("default", 1_369_818_000_000).unwrap();
        self.writer.archive(&Encoded::new(sealed).unwrap()).unwrap();
    }

    /// Compacts all that is due at a time, and removes what was replaced before `now_ms`.
    fn compact(&self, now_ms: i64) -> usize {
        let location = Location::Folder(self._root.path().join("archive"));
        let store = Arc::new(Store::open(&location, &S3Settings::default()).unwrap());
        let mut compactor = Compactor::open(store, CompactSettings::default()).unwrap();
        let mut removed = 0;
        loop {
            let done = compactor.step(now_ms).unwrap();
            removed += done.removed.len();
            if !done.more {
                return removed;
            }
        }
    }

    fn store(&self) -> IndexStore {
        IndexStore::folder(&self.index).unwrap()
    }

    fn indexer(&self) -> Indexer {
        Indexer::open(&self.store(), self.archive.clone(), SETTINGS).unwrap()
    }

    fn differences(&self) -> Vec<String> {
        let report = verify_index(&self.store(), &self.archive).unwrap();
        assert_eq!(report.through_version, Some(report.archive_version));
        report.differences.iter().map(ToString::to_string).collect()
    }
}

fn query(text: &str) -> Query {
    parse(text, &jiff::tz::TimeZone::UTC).unwrap()
}

fn searcher(world: &World) -> Searcher {
    Searcher::open(&world.store(), world.archive.clone(), SETTINGS).unwrap()
}

#[test]
fn finds_what_was_archived() {
    let mut world = World::new();
    let fox = message(1, "live:bob", "<b>the quick</b> fox");
    let dog = message(2, "sip:dan@fabrikam.example", "the lazy dog");
    world.batch([&[fox.clone(), "not json".to_owned()], &[dog]]);
    world.batch([&[fox], &[]]);
    let done = world.indexer().catch_up().unwrap();
    assert_eq!((done.docs, done.version), (4, Some(world.archive.refresh().unwrap())));

    let searcher = searcher(&world);
    for (text, events, records) in [
        ("fox", 1, 2),
        ("\"the quick fox\"", 1, 2),
        ("\"fox northwind\"", 0, 0),
        ("tender", 2, 3),
        ("from:bob@x.example", 0, 0),
        ("from:live:bob", 1, 2),
        ("participant:\"Bob Smith\"", 2, 3),
        ("to:@contoso.example -from:@fabrikam.example", 1, 2),
        ("type:im.*", 2, 3),
        ("network:LYNC tenant:contoso.example", 2, 3),
        ("is:quarantined", 1, 1),
        ("NOT fox", 2, 2),
        ("date:2013-05-29", 2, 3),
        ("conversation:C-88", 0, 0),
        ("type:*", 3, 4),
    ] {
        let count = searcher.count(&query(text)).unwrap();
        assert_eq!((count.total, count.copies), (events, records), "{text}");
    }

    // A gap is found beside them, and is no record.
    let mut builder = BatchBuilder::new("gap".into());
    let partition = Partition { topic: "federation.events".into(), generation: 1, partition: 2 };
    let span = Span { from: 0, to: 3 };
    let reason = GapReason::BeforeFirstCapture;
    builder.gap(&partition, Gap { span, reason, noticed_ms: 1_369_818_000_000 }).unwrap();
    let sealed = builder.seal("default", 1_369_818_000_000).unwrap();
    world.writer.archive(&Encoded::new(sealed).unwrap()).unwrap();
    world.indexer().catch_up().unwrap();
    let with_gap = Searcher::open(&world.store(), world.archive.clone(), SETTINGS).unwrap();
    for (text, expected) in [
        ("is:gap", 1),
        ("type:custody.gap date:2013-05-29", 1),
        ("\"offsets 0 to 2 were lost\"", 1),
        ("is:quarantined", 1),
        ("is:ok", 2),
        ("type:*", 4),
    ] {
        assert_eq!(with_gap.count(&query(text)).unwrap().total, expected, "{text}");
    }
    assert_eq!(world.differences(), Vec::<String>::new());

    let request = Request::new(query("fox"), Order::Newest, 10);
    let answer = searcher.search(&request).unwrap();
    let hit = &answer.hits[0];
    assert_eq!(hit.record.position.to_string(), "federation.events:1:0:0");
    assert_eq!((hit.record.id.as_str(), hit.copies), ("e-1", 2));
    assert_eq!(hit.snippet.text, "the quick fox Northwind tender");
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn positions_are_the_rows_of_the_archive() {
    let mut world = World::new();
    let mut indexer = world.indexer();
    for batch in 0..30 {
        let say = |n: i64| message(batch * 10 + n, "live:bob", &format!("word{n}"));
        world.batch([&(0..6).map(say).collect::<Vec<_>>(), &(6..10).map(say).collect::<Vec<_>>()]);
        indexer.catch_up().unwrap();
    }
    assert_eq!(world.differences(), Vec::<String>::new());
    let searcher = searcher(&world);
    let found = searcher.positions(&query("word3 OR word7"), None).unwrap();
    assert_eq!((found.rows.len(), found.copies), (60, 60));
    for row in &found.rows {
        let record = &world.archive.fetch(&found.files[row.file], &[row.row]).unwrap()[0];
        let body = record.body.as_deref().unwrap();
        assert!(body == "word3" || body == "word7", "{body}");
        assert_eq!(record.time_us.map(|us| us / 1_000), row.time_ms);
    }
    let mut request = Request::new(query("type:*"), Order::Position, 50);
    let mut positions = Vec::new();
    loop {
        let answer = searcher.search(&request).unwrap();
        assert_eq!(answer.total, 300);
        positions.extend(answer.hits.into_iter().map(|hit| hit.record.position));
        let Some(next) = answer.next else { break };
        request.after = Some(next);
    }
    assert_eq!(positions.len(), 300);
    assert!(positions.is_sorted());

    // Deleted and built again it is the same, whatever the splits are now.
    let old = searcher.positions(&query("word3"), None).unwrap();
    std::fs::remove_dir_all(&world.index).unwrap();
    assert!(world.indexer().catch_up().unwrap().rebuilt.is_some());
    let searcher = self::searcher(&world);
    assert_eq!(searcher.positions(&query("word3"), None).unwrap(), old);
    assert_eq!(world.differences(), Vec::<String>::new());
}

/// Everything in order of position, page by page.
fn pages(searcher: &Searcher, limit: usize) -> Vec<String> {
    let mut request = Request::new(query("type:*"), Order::Relevance, limit);
    let mut found = Vec::new();
    loop {
        let answer = searcher.search(&request).unwrap();
        found.extend(answer.hits.into_iter().map(|hit| {
            let record = hit.record;
            format!("{} {:?} {:?} {:?}", record.position, record.body, hit.snippet, hit.copies)
        }));
        let Some(next) = answer.next else { return found };
        request.after = Some(next);
    }
}

/// Searches of before, beside and after compactions and removals find the same.
#[test]
fn compaction_changes_no_answer() {
    const DAY_MS: i64 = 86_400_000;
    let then = 1_369_818_000_000;
    let mut world = World::new();
    let mut indexer = world.indexer();
    for batch in 0..12 {
        let say = |n: i64| message(batch * 10 + n, "live:bob", &format!("word{n}"));
        world.batch([&(0..6).map(say).collect::<Vec<_>>(), &(6..10).map(say).collect::<Vec<_>>()]);
        if batch % 3 == 0 {
            indexer.catch_up().unwrap();
        }
    }
    indexer.catch_up().unwrap();
    let old = searcher(&world);
    let before = pages(&old, 50);
    let found = old.positions(&query("word3"), None).unwrap();
    let mut page = Request::new(query("word3 OR word4"), Order::Relevance, 10);
    let first = old.search(&page).unwrap();

    assert_eq!(world.compact(then + DAY_MS), 0);
    assert_eq!(pages(&old, 50), before);
    // Behind the compaction the index is sound as well.
    let report = verify_index(&world.store(), &world.archive).unwrap();
    assert_eq!(report.differences, []);
    assert!(indexer.catch_up().unwrap().relocated > 0);
    assert_eq!(world.differences(), Vec::<String>::new());

    // The files that an older searcher, a page and a list of rows name are gone.
    assert!(world.compact(then + 2 * DAY_MS) > 0);
    assert_eq!(pages(&old, 50), before);
    page.after = first.next;
    assert_eq!(old.search(&page).unwrap().hits.len(), 10);
    for row in &found.rows {
        let record = &world.archive.fetch(&found.files[row.file], &[row.row]).unwrap()[0];
        assert_eq!(record.body.as_deref(), Some("word3"));
    }
    old.refresh().unwrap();
    assert_eq!(pages(&old, 50), before);
    assert_eq!(old.search(&page).unwrap().hits.len(), 10);

    // New batches, compacted with the old file, and an index that missed all of it.
    for batch in 12..15 {
        world.batch([&[message(batch, "live:bob", "late")], &[]]);
    }
    indexer.catch_up().unwrap();
    world.compact(then + 40 * DAY_MS);
    world.compact(then + 50 * DAY_MS);
    assert_eq!(pages(&searcher(&world), 50).len(), 123);
    indexer.catch_up().unwrap();
    assert_eq!(world.differences(), Vec::<String>::new());
    let followed = pages(&searcher(&world), 50);
    std::fs::remove_dir_all(&world.index).unwrap();
    world.indexer().catch_up().unwrap();
    assert_eq!(pages(&searcher(&world), 50), followed);
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn a_damaged_archive_is_never_answered_from() {
    let mut world = World::new();
    world.batch([&[message(1, "live:bob", "the quick fox")], &[]]);
    world.indexer().catch_up().unwrap();
    let searcher = searcher(&world);
    let found = searcher.positions(&query("fox"), None).unwrap();
    let path = world._root.path().join("archive").join(&found.files[0].path);
    flip_every_tenth_byte(&path);
    let request = Request::new(query("fox"), Order::Newest, 10);
    assert!(searcher.search(&request).is_err());
    assert_eq!(world.differences().len(), 1);
}

fn flip_every_tenth_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes.iter_mut().step_by(10).for_each(|byte| *byte ^= 1);
    std::fs::write(path, bytes).unwrap();
}

/// What a journal knows of is not built again; what was altered since it was noted is not known.
#[test]
fn a_comparison_that_was_cut_short_is_gone_on_with() {
    let mut world = World::new();
    for number in 0..3 {
        let messages: Vec<_> = (0..60).map(|n| message(number * 60 + n, "live:bob", "hello")).collect();
        world.batch([&messages, &[]]);
        world.indexer().catch_up().unwrap();
    }
    let path = world._root.path().join("journal");
    let run = || {
        let journal = Journal::open(&path, &world.archive, Choice::default()).unwrap();
        let settings = VerifySettings::default();
        let report =
            verify_index_with(&world.store(), &world.archive, &settings, Some(&journal), &mut |_| {});
        report.unwrap()
    };
    let first = run();
    assert_eq!((first.splits, first.splits_before, first.docs), (3, 0, 180));
    // A head and the first split: the run was cut short after it.
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4);
    let kept: String = text.split_inclusive('\n').take(2).collect();
    std::fs::write(&path, kept).unwrap();
    let second = run();
    assert_eq!((second.splits, second.splits_before, second.docs), (3, 1, 180));
    assert!(second.is_sound());
    assert_eq!(run().splits_before, 3);

    // Its manifest says something else of a split now.
    let manifest = std::fs::read_dir(world.index.join("manifest")).unwrap();
    let newest = manifest.map(|entry| entry.unwrap().path()).max().unwrap();
    let text = std::fs::read_to_string(&newest).unwrap();
    let changed = text.replacen("\"docs\":60", "\"docs\":61", 1);
    assert_ne!(text, changed);
    std::fs::write(&newest, changed).unwrap();
    let told = run();
    assert_eq!((told.splits_before, told.differences.len()), (2, 1), "{:?}", told.differences);
}

/// Everything that the archive knows of a row reaches whoever indexes it.
#[test]
fn the_archive_hands_its_rows_on() {
    let mut world = World::new();
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "//gw", "type": "federation.file.offered.v1",
        "time": "2013-05-29T09:15:02Z", "tenant": "contoso.example",
        "data": {
            "conversation": {"id": "c-88"},
            "from": {"network": "skype", "address": "live:bob", "scope": "federated"},
            "via": {"address": "gw7"}, "client": "Lync/4",
            "message": {"id": "m-2", "in_reply_to": "m-1"},
            "call": {"id": "k", "media": ["audio"], "response_code": 486},
            "file": {"id": "9", "name": "plan.pdf"},
        },
    });
    world.batch([&[event.to_string(), "not json".to_owned()], &[]]);
    let batches = world.archive.batches().unwrap();
    let mut seen = 0;
    let mut each = |row: &custody_index::Row<'_>| {
        seen += 1;
        assert_eq!(row.archived_ms, Some(1_369_818_000_000));
        if row.quarantined {
            assert!(row.reason.unwrap().contains("JSON") && row.call.is_none() && row.file.is_none());
            return Ok(());
        }
        assert_eq!((row.message_id, row.in_reply_to, row.client), (Some("m-2"), Some("m-1"), Some("Lync/4")));
        let (call, file) = (row.call.unwrap(), row.file.unwrap());
        assert_eq!((call.id, call.media, call.response_code), (Some("k"), Some("audio"), Some(486)));
        assert_eq!((file.id, file.name, file.sha256), (Some("9"), Some("plan.pdf"), None));
        let parties: Vec<_> =
            row.parties.iter().map(|party| (party.address, party.scope, party.via)).collect();
        assert_eq!(parties, [(Some("live:bob"), Some("federated"), false), (Some("gw7"), None, true)]);
        Ok(())
    };
    Source::rows(&world.archive, &batches, &mut each).unwrap();
    assert_eq!(seen, 2);
}

/// Both sides of a gateway captured a message; another content under its ids is another message.
/// The address of a link is found as its text is.
#[test]
fn two_captures_are_one_event() {
    let mut world = World::new();
    let captured = |source: &str, text: &str| {
        json!({
            "specversion": "1.0", "id": format!("{source}-1"), "source": source,
            "type": "federation.im.message.sent.v1", "time": "2013-05-29T09:15:02Z",
            "data": {
                "conversation": {"id": "c-88"}, "from": {"network": "skype", "address": "live:bob"},
                "message": {"id": "m-1", "content_type": "text/html", "text": text},
            },
        })
        .to_string()
    };
    let link = "see <a href='https://intranet.example/plan'>the fox</a>";
    world.batch([&[captured("//gw/a", link)], &[captured("//gw/b", link)]]);
    world.batch([&[captured("//gw/b", "another fox")], &[]]);
    world.indexer().catch_up().unwrap();
    let searcher = searcher(&world);
    for (text, events, records) in
        [("fox", 2, 3), ("\"the fox\"", 1, 2), ("intranet.example", 1, 2), ("another", 1, 1), ("href", 0, 0)]
    {
        let count = searcher.count(&query(text)).unwrap();
        assert_eq!((count.total, count.copies), (events, records), "{text}");
    }
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn answers_are_those_of_reading_everything() {
    let mut world = World::new();
    let said = |number, text: &str| message(number, "live:bob", text);
    let twice = said(1, "the merger of Acme");
    world.batch([&[twice.clone(), said(2, "<b>merger</b> talks with acme")], &[said(3, "Janež")]]);
    world.batch([&[twice, "not json".to_owned()], &[said(4, "nothing of it"), said(5, "merger, acme")]]);
    world.indexer().catch_up().unwrap();
    let searcher = searcher(&world);
    let queries =
        ["*", "merger w/2 acme", "=janež", "mer*", "NOT merger", "from:bob topic:*", "archived:2013.."];
    let queries: Vec<Query> = queries.map(query).into();
    let all = custody_index::verify_queries(&searcher, &world.archive, &queries, &mut |_| {}).unwrap();
    assert!(all.iter().all(|one| one.different == 0), "{all:#?}");
    let found: Vec<_> = all.iter().map(|one| (one.total, one.copies)).collect();
    assert_eq!(found, [(6, 7), (2, 3), (1, 1), (3, 4), (3, 3), (5, 6), (6, 7)], "{all:#?}");
}
