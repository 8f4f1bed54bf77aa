//! From a record to the terms of its document. The buffers are filled anew for each record
//! of a split, and what is the same in many records is worked out once.

use std::collections::HashMap;

use custody_archive::Relation;
use custody_schemas::kind::short_name;
use custody_schemas::text::plain;
use foldhash::fast::RandomState;

use crate::attributes::{of_client, of_record, of_topic};
use crate::error::Error;
use crate::message::Message;
use crate::schema::{GAP, PRESENT, PRESENT_PARTY, QUARANTINED, kind_term, raw_term, write_attribute_term};
use crate::source::Row;
use crate::split::Segment;
use crate::text::{append_part, lowered};

mod parties;

use parties::Parties;

/// This many parties and types are remembered, and this many bytes of them, then
/// they are forgotten together: memory stays bounded, whoever writes.
const KNOWN_MAX: usize = 16_384;
const KNOWN_BYTES_MAX: usize = 16 << 20;

/// Makes the documents of a split.
pub(crate) struct Documents {
    segment: Segment,
    parties: Parties,
    /// The terms of types.
    kinds: HashMap<String, u32, RandomState>,
    /// The terms of clients.
    clients: HashMap<String, Vec<u32>, RandomState>,
    /// Texts of types and clients.
    known_bytes: usize,
    kind: Last,
    tenant: Last,
    topic: Last,
    /// Of the record in hand: its text, a term, and its message's bytes.
    text: String,
    term: String,
    message: Vec<u8>,
}

/// The last text of a field and the number of its term: records that follow one another often have the
/// same.
#[derive(Default)]
struct Last {
    text: String,
    number: Option<u32>,
}

impl Last {
    fn number(&mut self, text: &str, find: impl FnOnce() -> u32) -> u32 {
        match self.number {
            Some(number) if self.text == text => number,
            _ => {
                text.clone_into(&mut self.text);
                *self.number.insert(find())
            }
        }
    }
}

/// Whether a document has the terms that show a field is there, see [`PRESENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Present {
    Marked,
    Unmarked,
}

impl Documents {
    pub(crate) fn new() -> Self {
        Documents {
            segment: Segment::new(),
            parties: Parties::default(),
            kinds: HashMap::default(),
            clients: HashMap::default(),
            known_bytes: 0,
            kind: Last::default(),
            tenant: Last::default(),
            topic: Last::default(),
            text: String::new(),
            term: String::new(),
            message: Vec::new(),
        }
    }

    /// What there is so far.
    pub(crate) fn segment(&self) -> &Segment {
        &self.segment
    }

    /// The files of the segment, and the forms of its parties, by name.
    pub(crate) fn finish(self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.segment.finish()
    }

    /// Adds the document of one record.
    ///
    /// # Errors
    ///
    /// `Invalid` when there are more than a split can have.
    pub(crate) fn add(&mut self, row: &Row<'_>, topic: Option<&str>, present: Present) -> Result<(), Error> {
        if present == Present::Marked {
            self.mark();
        }
        let remembered = self.parties.len() + row.parties.len() + self.kinds.len() + self.clients.len();
        if remembered > KNOWN_MAX || self.known_bytes + self.parties.bytes() > KNOWN_BYTES_MAX {
            self.forget();
        }
        self.parties(row);
        self.kind(row.kind);
        let segment = &mut self.segment;
        let doc = segment.doc();
        if let Some(conversation) = row.conversation {
            segment.conversation.push(doc, &raw_term(conversation));
        }
        if let Some(tenant) = row.tenant {
            let terms = &mut segment.tenant.terms;
            let number = self.tenant.number(tenant, || terms.number(&raw_term(&lowered(tenant))));
            segment.tenant.lists.push(doc, number);
        }
        if row.quarantined {
            segment.flag.push(doc, QUARANTINED);
        }
        if row.gap {
            segment.flag.push(doc, GAP);
        }
        let body = row.body.map(|body| plain(row.content_type, body));
        self.attributes(row, body.as_deref(), topic);

        let segment = &mut self.segment;
        let columns = &mut segment.columns;
        if let Some(time_ms) = row.time_ms {
            columns.time.push(doc, time_ms);
        }
        columns.identity.push(doc, row.identity);
        if let Some(archived_ms) = row.archived_ms {
            columns.archived.push(doc, archived_ms);
        }
        if let Some(duration_ms) = row.call.and_then(|call| call.duration_ms) {
            columns.duration.push(doc, duration_ms);
        }
        if let Some(message) = Message::of(row) {
            columns.message.push(doc, message.hash_in(&mut self.message));
        }
        self.text.clear();
        let parts = [body.as_deref(), row.detail, row.title, row.reason];
        parts.into_iter().flatten().for_each(|part| append_part(part, &mut self.text));
        segment.end(&self.text)
    }

    /// The terms that show that a field is there.
    fn mark(&mut self) {
        let segment = &mut self.segment;
        let doc = segment.doc();
        let party = segment.parties.number(PRESENT_PARTY);
        segment.of_parties.iter_mut().for_each(|lists| lists.push(doc, party));
        segment.raw().into_iter().for_each(|field| field.push(doc, PRESENT));
    }

    fn forget(&mut self) {
        self.parties.forget();
        self.kinds.clear();
        self.clients.clear();
        self.known_bytes = 0;
    }

    fn parties(&mut self, row: &Row<'_>) {
        let segment = &mut self.segment;
        let doc = segment.doc();
        for party in &row.parties {
            let (known, terms) = self.parties.of(party, segment);
            // The order of the fields; a bridge is what else it is as well.
            let field = match party.relation {
                Relation::From => 0,
                Relation::To => 1,
                Relation::Other => 2,
            };
            for field in [Some(field), party.via.then_some(3)].into_iter().flatten() {
                terms.iter().for_each(|term| segment.of_parties[field].push(doc, *term));
            }
            known.network.into_iter().for_each(|network| segment.network.lists.push(doc, network));
            known.scope.into_iter().for_each(|scope| segment.attribute.lists.push(doc, scope));
        }
    }

    fn kind(&mut self, kind: &str) {
        let (kinds, field) = (&mut self.kinds, &mut self.segment.kind);
        let number = self.kind.number(kind, || match kinds.get(kind) {
            Some(number) => *number,
            None => {
                let number = field.terms.number(&kind_term(&short_name(kind)));
                self.known_bytes += kind.len();
                kinds.insert(kind.to_owned(), number);
                number
            }
        });
        self.segment.kind.lists.push(self.segment.doc(), number);
    }

    fn attributes(&mut self, row: &Row<'_>, body: Option<&str>, topic: Option<&str>) {
        let doc = self.segment.doc();
        let (field, term) = (&mut self.segment.attribute, &mut self.term);
        let (terms, lists) = (&mut field.terms, &mut field.lists);
        if let Some(client) = row.client {
            if let Some(known) = self.clients.get(client) {
                known.iter().for_each(|number| lists.push(doc, *number));
            } else {
                let mut known = Vec::new();
                of_client(client, &mut |attribute, value| {
                    write_attribute_term(attribute, value, term);
                    known.push(terms.number(term));
                    lists.push(doc, terms.number(term));
                });
                self.known_bytes += client.len() + known.len() * size_of::<u32>();
                self.clients.insert(client.to_owned(), known);
            }
        }
        of_record(row, body, &mut |attribute, value| {
            write_attribute_term(attribute, value, term);
            lists.push(doc, terms.number(term));
        });
        if let Some(topic) = topic {
            let number = self.topic.number(topic, || {
                let mut number = 0;
                of_topic(topic, &mut |attribute, value| {
                    write_attribute_term(attribute, value, term);
                    number = terms.number(term);
                });
                number
            });
            lists.push(doc, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Party;

    fn party<'a>(relation: Relation, address: &'a str, name: Option<&'a str>) -> Party<'a> {
        Party { relation, network: Some("Skype"), address: Some(address), name, scope: None, via: false }
    }

    /// The terms of the last document, field by field.
    fn last(documents: &Documents) -> Vec<String> {
        let segment = documents.segment();
        let doc = segment.doc() - 1;
        let text = |term: &[u8]| String::from_utf8(term.to_vec()).unwrap();
        let mut all = Vec::new();
        let mut field = |name: &str, terms: Vec<String>| {
            if !terms.is_empty() {
                all.push(format!("{name} {}", terms.join("|")));
            }
        };
        let words = segment.words.of(doc).into_iter();
        field("text", words.map(|(term, position)| format!("{position} {}", text(term))).collect());
        for (name, lists) in ["from", "to", "other", "via"].iter().zip(&segment.of_parties) {
            field(name, lists.of(doc).map(|term| text(segment.parties.term(term))).collect());
        }
        for (name, raw) in [
            ("conversation", &segment.conversation),
            ("kind", &segment.kind),
            ("tenant", &segment.tenant),
            ("network", &segment.network),
            ("flag", &segment.flag),
            ("attribute", &segment.attribute),
        ] {
            field(name, raw.lists.of(doc).map(|term| text(raw.terms.term(term))).collect());
        }
        all
    }

    fn shown(documents: &mut Documents, row: &Row<'_>) -> Vec<String> {
        documents.add(row, None, Present::Unmarked).unwrap();
        last(documents)
    }

    #[test]
    fn one_buffer_serves_every_record_and_keeps_nothing_of_the_last() {
        let mut documents = Documents::new();
        let row = Row {
            kind: "federation.im.message.sent.v1",
            time_ms: Some(-5),
            tenant: Some("Contoso"),
            body: Some("<b>hi</b>"),
            content_type: Some("text/html"),
            title: Some("Lunch"),
            identity: 7,
            parties: vec![
                party(Relation::To, "bob@x.example", None),
                party(Relation::From, "live:al", Some("Al")),
                party(Relation::To, "eve@x.example", Some("Eve")),
            ],
            ..Row::default()
        };
        let full = [
            "text 0 hi|10001 lunch",
            "from \u{1}\u{7}live:al",
            "to \u{1}\u{d}bob@x.example|@x.example|\u{1}\u{d}eve@x.example\u{3}eve",
            "kind =im.message.sent",
            "tenant contoso",
            "network skype",
        ];
        assert_eq!(shown(&mut documents, &row), full);
        let empty = Row { quarantined: true, conversation: Some("c"), ..Row::default() };
        assert_eq!(shown(&mut documents, &empty), ["conversation c", "kind =", "flag quarantined"]);
        let gap = Row { gap: true, kind: "custody.gap.v1", ..Row::default() };
        assert_eq!(shown(&mut documents, &gap), ["kind =custody.gap", "flag gap"]);
        // From memory, and the same.
        assert_eq!(shown(&mut documents, &row), full);
    }

    #[test]
    fn long_parties_and_types_are_not_remembered_for_ever() {
        let mut documents = Documents::new();
        let long = "x".repeat(KNOWN_BYTES_MAX / 4);
        for number in 0..20 {
            let (kind, address) = (format!("{long}{number}"), format!("{number}{long}"));
            let parties = vec![party(Relation::From, &address, None)];
            documents.add(&Row { kind: &kind, parties, ..Row::default() }, None, Present::Unmarked).unwrap();
            assert!(documents.parties.len() + documents.kinds.len() <= 6, "record {number}");
        }
    }

    #[test]
    fn parties_are_told_apart() {
        let mut documents = Documents::new();
        let mut from = |address, name| {
            let row = Row { parties: vec![party(Relation::From, address, name)], ..Row::default() };
            shown(&mut documents, &row)[0].clone()
        };
        assert_eq!(from("ab", Some("c")), "from \u{1}\u{2}ab\u{1}c");
        assert_eq!(from("a", Some("bc")), "from \u{1}\u{1}a\u{2}bc");
        assert_eq!(from("abc", None), "from \u{1}\u{3}abc");
        assert_eq!(from("abc", Some("")), "from \u{1}\u{3}abc");
    }
}
