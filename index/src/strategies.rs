//! Random texts and queries in which patterns, places and attributes meet.

use proptest::prelude::*;
use proptest::sample::select;

use crate::query::{
    Attribute, Glob, How, Language, Match, Near, Pattern, Query, Range, Span, Term, TimeRange,
};
use crate::testing::{Event, Named, OwnCall, OwnFile};

/// What texts are made of: words that are near each other in every way that a query knows.
const PIECES: &[&str] = &[
    "run",
    "Running",
    "runs",
    "ran",
    "receive",
    "recieve",
    "Janež",
    "janez",
    "JANEŽ",
    "naïve",
    "naive",
    "colour",
    "color",
    "berg",
    "Heidelberg",
    "o'neil",
    "x",
    "x",
    "y",
    "会議",
    "会",
    "東京都",
    "กาแฟ",
    "👍",
    "👍🏽",
    "+49 30 1234567",
    "49301234567",
    "30",
    "a@b.example",
    "<b>",
    "\u{1e}",
    ",",
    "straße",
    "STRASSE",
];

fn piece() -> impl Strategy<Value = String> {
    select(PIECES).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..12).prop_map(|pieces| pieces.join(" "))
}

/// An event that has more to be found by.
pub(crate) fn enriched(event: Event) -> impl Strategy<Value = Event> {
    let call = (
        select(&["audio", "audio,video", ""][..]),
        prop::option::of(0..4_i64),
        prop::option::of(484..488_i64),
    );
    let call = call.prop_map(|(media, seconds, response_code)| OwnCall {
        id: None,
        media: Some(media.to_owned()),
        duration_ms: seconds.map(|seconds| seconds * 500),
        response_code,
    });
    let file = (select(&["Report v2.PDF", "a.pdf", "b"][..]), prop::option::of(Just("f1"))).prop_map(
        |(name, hash)| OwnFile {
            id: Some("f-1".to_owned()),
            name: Some(name.to_owned()),
            media_type: Some("application/PDF".to_owned()),
            sha256: hash.map(str::to_owned),
        },
    );
    let via = (select(&["bridge@x.example", "relay"][..]), select(&["internal", "Federated"][..]));
    (
        prop::option::weighted(0.6, text()),
        prop::option::of(text()),
        prop::option::weighted(0.3, call),
        prop::option::weighted(0.3, file),
        prop::option::weighted(0.3, via),
        prop::option::of(select(&["Skype/6.5 Windows", "Teams"][..])),
        (0..5_i64, any::<bool>()),
    )
        .prop_map(move |(body, title, call, file, via, client, (archived, reply))| {
            let mut event = event.clone();
            event.body = body.or(event.body);
            event.title = title.or(event.title);
            (event.call, event.file) = (call, file);
            event.client = client.map(str::to_owned);
            event.archived_ms = Some(archived);
            event.in_reply_to = reply.then(|| "m".to_owned());
            if let Some((address, scope)) = via {
                let (network, address) = (Some("sip".to_owned()), Some(address.to_owned()));
                let named = Named::from((custody_archive::Relation::Other, network, address, None));
                event.parties.push(Named { via: true, scope: Some(scope.to_owned()), ..named });
            }
            event
        })
}

fn term() -> impl Strategy<Value = Term> {
    let form = select(
        &[
            "*", "run*", "*ing", "r?n", "?????", "*berg*", "co*r", "jan*", "*", "4*", "k*", "strass?", "p*",
            "zz*",
        ][..],
    );
    prop_oneof![
        3 => piece().prop_map(|piece| only(&piece)),
        2 => form.prop_map(|form| Term::Like { like: Glob::new(form) }),
        1 => (select(&["receive", "rum", "naive", "x", "会", "colr"][..]), 1..3_u8)
            .prop_map(|(fuzzy, edits)| Term::Fuzzy { fuzzy: fuzzy.to_owned(), edits }),
        1 => (select(&["run", "receiving", "x"][..]), select(&[Language::En, Language::De][..]))
            .prop_map(|(stem, language)| Term::Stem { stem: stem.to_owned(), language }),
        2 => select(&["janez", "janež", "naïve", "naive", "東京", "会議", "会", "👍🏽", "👍", "x"][..])
            .prop_map(|written| Term::Written { written: written.to_owned() }),
    ]
}

fn only(piece: &str) -> Term {
    let word = crate::text::words(piece).next();
    Term::Plain(word.map_or_else(|| "x".to_owned(), |word| word.term.into_owned()))
}

fn span() -> impl Strategy<Value = Span> {
    let leaf = prop_oneof![
        2 => term().prop_map(Span::Word),
        1 => prop::collection::vec(term(), 1..4).prop_map(Span::Phrase),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Span::Or),
            near(inner).prop_map(|near| Span::Near(Box::new(near))),
        ]
    })
}

fn near(side: impl Strategy<Value = Span> + Clone) -> impl Strategy<Value = Near> {
    let how = select(&[How::Either, How::Either, How::Before, How::Without][..]);
    (side.clone(), side, 1..6_u32, how).prop_map(|(left, right, within, how)| Near {
        left,
        right,
        within,
        how,
    })
}

/// Queries of one node that other generators know nothing of.
pub(crate) fn queries() -> impl Strategy<Value = Query> {
    let matched = |words: &'static [&'static str]| {
        (select(words), any::<bool>()).prop_map(|(word, like)| match like {
            true => Match::Like { like: Glob::new(word) },
            false => Match::Is(word.to_owned()),
        })
    };
    let attributes = select(Attribute::ALL.map(|(_, attribute)| attribute).to_vec());
    let values = matched(&[
        "*",
        "audio",
        "a*",
        "486",
        "48?",
        "f1",
        "f-1",
        "report",
        "report v2.pdf",
        "*.pdf",
        "skype*",
        "windows",
        "file",
        "link",
        "reply",
        "internal",
        "fed*",
        "federation.events",
        "application/*",
        "sha256:*",
        "?",
    ]);
    let bound = || prop::option::of(0..5_i64);
    prop_oneof![
        3 => term().prop_map(Query::Word),
        2 => prop::collection::vec(term(), 1..4).prop_map(Query::Phrase),
        4 => near(span().boxed()).prop_map(|near| Query::Near(Box::new(near))),
        2 => text().prop_map(|text| Query::text(&text).unwrap_or(Query::All)),
        3 => (attributes, values).prop_map(|(attribute, value)| Query::Attribute(attribute, value)),
        1 => select(&["*", "*@x.example", "@*", "?", "b*", "relay"][..]).prop_map(|form| Query::Via(Pattern::like(form))),
        1 => select(&["*", "*@contoso*", "@*", "?", "a*"][..]).prop_map(|form| Query::Participant(Pattern::like(form))),
        1 => matched(&["*", "c*", "?", "skype", "s*"]).prop_map(Query::Network),
        1 => matched(&["*", "c*", "?", "C-88"]).prop_map(Query::Conversation),
        1 => matched(&["*", "contoso*", "?"]).prop_map(Query::Tenant),
        1 => (bound(), bound()).prop_map(|(from_ms, to_ms)| Query::Archived(TimeRange { from_ms, to_ms })),
        1 => (bound(), bound()).prop_map(|(from, to)| Query::Duration(Range {
            from: from.map(|from| from * 500),
            to: to.map(|to| to * 500),
        })),
    ]
}

/// Queries as they are read: normal, and made of words that could be typed.
pub(crate) fn typed() -> impl Strategy<Value = String> {
    let word = select(
        &[
            "run",
            "run*",
            "*ing",
            "r?n",
            "Janež",
            "=janež",
            "recieve~1",
            "run%",
            "lauf%de",
            "\"a b\"",
            "\"a * b*\"",
            "会議",
            "=会議",
            "+49 30 1234567",
            "o'neil",
        ][..],
    );
    let operator = select(&[" w/5 ", " pre/2 ", " NOT w/3 ", " ", " OR ", " AND ", " NOT "][..]);
    let group = prop::collection::vec((word, operator, any::<bool>()), 1..6);
    group.prop_map(|parts| {
        let (mut out, mut open) = (String::new(), 0);
        let last = parts.len() - 1;
        for (at, (word, operator, opens)) in parts.into_iter().enumerate() {
            if opens {
                out.push('(');
                open += 1;
            }
            out.push_str(word);
            if at < last {
                out.push_str(operator);
            }
        }
        out.push_str(&")".repeat(open));
        out
    })
}
