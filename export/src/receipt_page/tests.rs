use std::fs;

use custody_schemas::Hash;

use super::*;
use crate::fixture::HOSTILE;
use crate::format::visible::{Piece, pieces};
use crate::key::PrivateKey;
use crate::receipt::{BatchEntry, FileEntry, RECEIPT_VERSION, Redacted};
use crate::redact::{Redaction, What};
use crate::request::{Numbering, REQUEST_VERSION, Request};
use crate::settings::RECEIPT_PAGE_ROWS_MAX;

fn file(name: String, bytes: u64) -> FileEntry {
    FileEntry { name, bytes, sha256: Hash([0xf1; 32]) }
}

fn receipt() -> Receipt {
    let reason = "order of the court".to_owned();
    let redactions = vec![
        Redaction { name: "card".into(), reason: reason.clone(), what: What::Card },
        Redaction { name: "plan".into(), reason: reason.clone(), what: What::Pattern("Overlord".into()) },
        Redaction { name: "withheld".into(), reason, what: What::Records(vec!["t:1:0:4".into()]) },
    ];
    let redacted = |count| Redacted { count, reason: "order of the court".into() };
    Receipt {
        format_version: RECEIPT_VERSION,
        production: "0123456789abcdef0123456789abcdef".into(),
        custody_version: "0.1.0".into(),
        request: Request {
            version: REQUEST_VERSION,
            query: "merger \"tonight\"\nAND <b>".into(),
            query_canonical: "text:merger AND text:tonight".into(),
            zone: "Europe/Berlin".into(),
            who: "dana@contoso.example".into(),
            why: "case 7".into(),
            format: Format::Rsmf,
            options: Some(Options {
                numbering: Numbering { prefix: "ABC-".into(), width: 6, start: 41 },
                volume: Some(VolumeLimit { documents: Some(1_000), bytes: Some(4_000_000_000) }),
                with_records: true,
                redactions,
                context: Some(Context::Milliseconds(1_800_000)),
                custodians: Some(CustodianOptions {
                    register: 3,
                    source_sha256: "c1".repeat(32),
                    first: vec!["Alice <Archer>".into()],
                }),
                ..Options::default()
            }),
        },
        through_version: 1_234,
        count: 12_345,
        deliveries: 12_400,
        types: [("im.message.sent".into(), 12_000), ("call.ended".into(), 345)].into(),
        exceptions: Some(3),
        redactions: Some(
            [
                ("card".into(), redacted(1_717)),
                ("plan".into(), redacted(0)),
                ("withheld".into(), redacted(1)),
            ]
            .into(),
        ),
        digest: Hash([0xd1; 32]),
        files: vec![file("HOW-TO-VERIFY.txt".into(), 4_000), file("rsmf/ABC-000041.rsmf".into(), 1_234_567)],
        batches: [(
            "0197-b".into(),
            BatchEntry {
                root: Hash([0xb1; 32]),
                archived_time: Some("2013-05-29T09:15:00.123Z".into()),
                rows: Some(20_000),
                proof: Some(Vec::new()),
            },
        )]
        .into(),
    }
}

fn shown(receipt: &Receipt) -> String {
    page(receipt, &Beside { produced: &[("0197-b".to_owned(), 12_345)].into(), context: 217, key: None })
}

#[test]
fn it_says_what_the_receipt_says() {
    let page = shown(&receipt());
    for expected in [
        "<title>Receipt of production 0123456789abcdef0123456789abcdef</title>",
        "12,345 records, complete through version 1234 of the archive",
        "<dt>Asked for by</dt><dd><bdi>dana@contoso.example</bdi></dd>",
        "<dt>Reason</dt><dd><bdi>case 7</bdi></dd>",
        "<dd><bdi>rsmf: RSMF 2.0 for review tools, a file for each conversation and day</bdi></dd>",
        "<dd><bdi>from ABC-000041 on, with at least 6 digits</bdi></dd>",
        "<dd><bdi>VOL001 and so on, each of at most 1,000 documents and 4,000,000,000 bytes</bdi></dd>",
        "<dt>Records as they were archived</dt><dd><bdi>records.jsonl</bdi></dd>",
        "<dd><bdi>Europe/Berlin</bdi></dd>",
        "<dd><bdi>Custody 0.1.0</bdi></dd>",
        "<dd class=\"text\">merger &quot;tonight&quot;\nAND &lt;b&gt;</dd>",
        "<dd class=\"text\">text:merger AND text:tonight</dd>",
        "12,345 records are in this production. 12,400 deliveries matched",
        &format!("<span class=\"hash\">{}</span>", "d1".repeat(32)),
        "<bdi>im.message.sent</bdi></th><td class=\"count\"><bdi>12,000</bdi></td>",
        "<p>3 things could not be produced",
        "<p>217 of them are no hit",
        "its conversation from 30m before each hit until 30m after it",
        "register 3, made from",
        "Alice &lt;Archer&gt;",
        "<bdi>card numbers with their check digit</bdi></td><td class=\"long\"><bdi>order of the court</bdi></td><td class=\"count\"><bdi>1,717</bdi></td>",
        "<bdi>whole records, by 1 position</bdi>",
        "<bdi>0197-b</bdi></th><td class=\"time\"><bdi>2013-05-29T09:15:00.123Z</bdi></td><td class=\"count\"><bdi>20,000</bdi></td><td class=\"count\"><bdi>12,345</bdi></td>",
        &"b1".repeat(32),
        "2 files with 1,238,567 bytes",
        "<bdi>rsmf/ABC-000041.rsmf</bdi></th><td class=\"count\"><bdi>1,234,567</bdi></td>",
        "It was not signed",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    // What an expression looks for may be what must not be read.
    assert!(!page.contains("Overlord"));
}

#[test]
fn the_signer_is_named_without_the_key() {
    let key = PrivateKey::from_seed("contoso.example/custody", &[7; 32]).unwrap();
    let public = key.public().to_string();
    let (begins, rest) = public.rsplit_once('+').unwrap();
    let page = page(&receipt(), &Beside { produced: &BTreeMap::new(), context: 0, key: Some(key.public()) });
    assert!(page.contains(&format!("<code>{begins}</code>")), "{page}");
    assert!(!page.contains(rest) && !page.contains("It was not signed"));
}

/// Whatever people typed, there is no markup but ours, nothing loads, and nothing hides.
#[test]
fn hostile_texts_stay_texts() {
    let plain = shown(&receipt());
    let tags = |page: &str| {
        page.matches('<').count()
            - page.matches("<span class=\"mark\">").count() * 2
            - page.matches("<bdi dir=\"rtl\">").count() * 2
    };
    for text in HOSTILE {
        let mut receipt = receipt();
        for field in [
            &mut receipt.request.who,
            &mut receipt.request.why,
            &mut receipt.request.zone,
            &mut receipt.request.query,
            &mut receipt.request.query_canonical,
            &mut receipt.files[1].name,
        ] {
            text.clone_into(field);
        }
        receipt.request.options.as_mut().unwrap().redactions[0].reason = text.into();
        receipt.types = [(text.into(), 1), ("call.ended".into(), 2)].into();
        let page = shown(&receipt);
        let mut escaped = String::new();
        pieces(text, |piece| match piece {
            Piece::Text(text) => escaped.push_str(text),
            Piece::Break => escaped.push('\n'),
            Piece::Mark(c) => assert!(!page.contains(c), "{text:?}"),
        });
        assert_eq!(tags(&page), tags(&plain), "{text:?}");
        for bad in ["<script", "http:", "https:", " src=", "javascript:", "@import"] {
            assert!(!page.contains(bad) || plain.contains(bad) || escaped.contains(bad), "{text:?}: {bad}");
        }
    }
}

#[test]
fn a_browser_may_load_nothing() {
    let page = shown(&receipt());
    let policy =
        page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    for style in page.split("<style>").skip(1).map(|rest| rest.split_once("</style>").unwrap().0) {
        assert!(policy.contains(&style_hash(style)));
    }
    assert_eq!(page.matches("href=").count(), 3);
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
}

#[test]
fn long_tables_are_cut_and_say_so() {
    let mut receipt = receipt();
    let many = RECEIPT_PAGE_ROWS_MAX + 1_234;
    receipt.files = (0..many).map(|n| file(format!("html/{n:06}.html"), 10)).collect();
    receipt.types = (0..many).map(|n| (format!("type{n:06}"), 1)).collect();
    let page = shown(&receipt);
    assert!(page.contains("3,234 files with 32,340 bytes"));
    let told =
        "These are the first 2,000 of 3,234. The other 1,234 stand in receipt.json, with all of these.";
    assert_eq!(page.matches(told).count(), 2);
    assert!(page.contains("html/001999.html") && !page.contains("html/002000.html"));
}

#[test]
fn what_there_is_not_is_said() {
    let mut receipt = receipt();
    receipt.request.format = Format::JsonLines;
    receipt.request.options = Some(Options::default());
    (receipt.count, receipt.deliveries, receipt.exceptions) = (0, 0, Some(0));
    (receipt.types, receipt.batches) = (BTreeMap::new(), BTreeMap::new());
    let page = shown(&receipt);
    for expected in [
        "0 records are in this production",
        "There are none: everything was produced as it was asked for.",
        "<p>None were asked for.</p>",
        "There are none, for there are no records.",
        "none: this format has no documents",
        "one: the production itself",
        "<dd><bdi>records.jsonl</bdi></dd>",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    assert!(!page.contains("cross-reference.csv"));
}

#[test]
fn the_receipt_lists_it_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut receipt = receipt();
    add(&mut receipt, dir.path(), &Beside { produced: &BTreeMap::new(), context: 0, key: None }).unwrap();
    let names: Vec<_> = receipt.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["HOW-TO-VERIFY.txt", RECEIPT_PAGE, "rsmf/ABC-000041.rsmf"]);
    let bytes = fs::read(dir.path().join(RECEIPT_PAGE)).unwrap();
    let listed = &receipt.files[1];
    assert_eq!((listed.bytes, listed.sha256), (bytes.len() as u64, Hash::of(&bytes)));
}
