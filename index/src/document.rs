//! A record as Tantivy takes it in. The buffers are filled anew for each record
//! of a split, and what is the same in many records is worked out once.

use std::collections::HashMap;
use std::iter::Empty;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

use custody_archive::Relation;
use custody_schemas::kind::short_name;
use custody_schemas::text::plain;
use foldhash::fast::RandomState;
use tantivy::schema::Field;
use tantivy::schema::document::{Document, ReferenceValue, ReferenceValueLeaf, Value};

use crate::attributes::{all_but_client, of_client};
use crate::message::Message;
use crate::party::party_terms;
use crate::schema::{
    Fields, GAP, PRESENT, PRESENT_PARTY, QUARANTINED, kind_term, raw_term, write_attribute_term,
};
use crate::source::{Party, Row};
use crate::text::{append_part, lower_case, lowered};

mod list;

use list::push_list;
pub(crate) use list::{ListTokenizer, push_term, terms};

/// This many parties and types are remembered, and this many bytes of them, then
/// they are forgotten together: memory stays bounded, whoever writes.
const KNOWN_MAX: usize = 16_384;
const KNOWN_BYTES_MAX: usize = 16 << 20;

/// Makes the documents of a split.
pub(crate) struct Documents {
    fields: Fields,
    values: Arc<Values>,
    /// By what its terms depend on: the place in `known`.
    parties: HashMap<Vec<u8>, usize, RandomState>,
    known: Vec<Known>,
    kinds: HashMap<String, String, RandomState>,
    /// The lists of terms of clients.
    clients: HashMap<String, String, RandomState>,
    /// Texts of all of these.
    known_bytes: usize,
    key: Vec<u8>,
    /// The parties of the record in hand.
    of_row: Vec<(Relation, bool, usize)>,
    /// Of the record in hand: its text, then the terms of its attributes.
    text: String,
    ranges: Vec<Range<usize>>,
    term: String,
}

/// The lists of terms of a party.
struct Known {
    terms: String,
    network: String,
}

/// Whether a document has the terms that show a field is there, see [`PRESENT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Present {
    Marked,
    Unmarked,
}

/// The document of one record. Tantivy lets go of it before the next is made.
pub(crate) struct OneRecord(Arc<Values>);

#[derive(Clone, Default)]
struct Values {
    text: String,
    /// In the order of the fields.
    values: Vec<(Field, Part)>,
}

#[derive(Clone)]
enum Part {
    /// Bytes of the buffer.
    Text(Range<usize>),
    Signed(i64),
    Unsigned(u64),
}

impl Documents {
    pub(crate) fn new(fields: Fields) -> Self {
        Documents {
            fields,
            values: Arc::default(),
            parties: HashMap::default(),
            known: Vec::new(),
            kinds: HashMap::default(),
            clients: HashMap::default(),
            known_bytes: 0,
            key: Vec::new(),
            of_row: Vec::new(),
            text: String::new(),
            ranges: Vec::new(),
            term: String::new(),
        }
    }

    /// The document of one record.
    pub(crate) fn document(&mut self, row: &Row<'_>, topic: Option<&str>, present: Present) -> OneRecord {
        let fields = &self.fields;
        // Nobody else holds it any more, or it is copied.
        let values = Arc::make_mut(&mut self.values);
        values.clear();
        if present == Present::Marked {
            for field in fields.parties() {
                values.term(field, PRESENT_PARTY);
            }
            let raw = [
                fields.conversation,
                fields.kind,
                fields.tenant,
                fields.network,
                fields.flag,
                fields.attribute,
            ];
            for field in raw {
                values.term(field, PRESENT);
            }
        }
        self.text.clear();
        let body = row.body.map(|body| plain(row.content_type, body));
        let parts = [body.as_deref(), row.detail, row.title, row.reason];
        parts.into_iter().flatten().for_each(|part| append_part(part, &mut self.text));
        if !self.text.is_empty() {
            values.text(fields.text, &self.text);
        }

        let remembered = self.known.len() + row.parties.len() + self.kinds.len() + self.clients.len();
        if remembered > KNOWN_MAX || self.known_bytes > KNOWN_BYTES_MAX {
            self.parties.clear();
            self.known.clear();
            self.kinds.clear();
            self.clients.clear();
            self.known_bytes = 0;
        }
        self.of_row.clear();
        for party in &row.parties {
            key_of(party, &mut self.key);
            let at = match self.parties.get(&self.key) {
                Some(at) => *at,
                None => {
                    let known = Known::of(party);
                    self.known_bytes += self.key.len() + known.terms.len() + known.network.len();
                    self.known.push(known);
                    self.parties.insert(self.key.clone(), self.known.len() - 1);
                    self.known.len() - 1
                }
            };
            self.of_row.push((party.relation, party.via, at));
        }
        let known = &self.known;
        for (field, wanted) in
            [(fields.from, Relation::From), (fields.to, Relation::To), (fields.other, Relation::Other)]
        {
            let of = self.of_row.iter().filter(|(relation, ..)| *relation == wanted);
            values.lists(field, of.map(|(.., at)| &*known[*at].terms));
        }
        let bridges = self.of_row.iter().filter(|(_, via, _)| *via);
        values.lists(fields.via, bridges.map(|(.., at)| &*known[*at].terms));

        if let Some(conversation) = row.conversation {
            values.term(fields.conversation, &raw_term(conversation));
        }
        match self.kinds.get(row.kind) {
            Some(list) => values.text(fields.kind, list),
            None => {
                let mut list = String::new();
                push_term(&mut list, &kind_term(&short_name(row.kind)));
                values.text(fields.kind, &list);
                self.known_bytes += row.kind.len() + list.len();
                self.kinds.insert(row.kind.to_owned(), list);
            }
        }
        if let Some(tenant) = row.tenant {
            values.term(fields.tenant, &raw_term(&lowered(tenant)));
        }
        values.lists(fields.network, self.of_row.iter().map(|(.., at)| &*known[*at].network));
        if row.quarantined {
            values.term(fields.flag, QUARANTINED);
        }
        if row.gap {
            values.term(fields.flag, GAP);
        }
        self.text.clear();
        self.ranges.clear();
        all_but_client(row, body.as_deref(), topic, &mut |attribute, value| {
            let from = self.text.len();
            write_attribute_term(attribute, value, &mut self.term);
            push_term(&mut self.text, &self.term);
            self.ranges.push(from..self.text.len());
        });
        if let Some(client) = row.client.filter(|client| !self.clients.contains_key(*client)) {
            let list = client_terms(client);
            self.known_bytes += client.len() + list.len();
            self.clients.insert(client.to_owned(), list);
        }
        let client = row.client.and_then(|client| self.clients.get(client));
        let others = self.ranges.iter().map(|range| &self.text[range.clone()]);
        values.lists(fields.attribute, client.map(String::as_str).into_iter().chain(others));
        if let Some(time_ms) = row.time_ms {
            values.values.push((fields.time, Part::Signed(time_ms)));
        }
        values.values.push((fields.identity, Part::Unsigned(row.identity)));
        if let Some(archived_ms) = row.archived_ms {
            values.values.push((fields.archived, Part::Signed(archived_ms)));
        }
        if let Some(duration_ms) = row.call.and_then(|call| call.duration_ms) {
            values.values.push((fields.duration, Part::Signed(duration_ms)));
        }
        if let Some(message) = Message::of(row) {
            values.values.push((fields.message, Part::Unsigned(message.hash())));
        }
        OneRecord(Arc::clone(&self.values))
    }
}

/// The terms of a client, none twice.
fn client_terms(client: &str) -> String {
    let (mut list, mut many, mut term, mut one) = (String::new(), None, String::new(), String::new());
    of_client(client, &mut |attribute, value| {
        write_attribute_term(attribute, value, &mut term);
        one.clear();
        push_term(&mut one, &term);
        push_list(&mut list, 0, &one, &mut many);
    });
    list
}

impl Known {
    fn of(party: &Party<'_>) -> Self {
        let mut known = Known { terms: String::new(), network: String::new() };
        party_terms(party.address.unwrap_or_default(), party.name, &mut |term| {
            push_term(&mut known.terms, term);
        });
        if let Some(network) = party.network {
            push_term(&mut known.network, &raw_term(&lower_case(network)));
        }
        known
    }
}

/// What a party's terms depend on, lengths first: no two parties share a key.
fn key_of(party: &Party<'_>, key: &mut Vec<u8>) {
    key.clear();
    for text in [party.network, party.address, party.name] {
        key.push(u8::from(text.is_some()));
        let text = text.unwrap_or_default();
        key.extend_from_slice(&text.len().to_le_bytes());
        key.extend_from_slice(text.as_bytes());
    }
}

impl Values {
    fn clear(&mut self) {
        self.text.clear();
        self.values.clear();
    }

    fn text(&mut self, field: Field, text: &str) {
        let from = self.text.len();
        self.text.push_str(text);
        self.values.push((field, Part::Text(from..self.text.len())));
    }

    fn term(&mut self, field: Field, term: &str) {
        let from = self.text.len();
        push_term(&mut self.text, term);
        self.values.push((field, Part::Text(from..self.text.len())));
    }

    /// The terms of all lists as one, none twice.
    fn lists<'a>(&mut self, field: Field, lists: impl Iterator<Item = &'a str>) {
        let (from, mut many) = (self.text.len(), None);
        for list in lists {
            push_list(&mut self.text, from, list, &mut many);
        }
        if self.text.len() > from {
            self.values.push((field, Part::Text(from..self.text.len())));
        }
    }
}

/// A value, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Borrowed<'a> {
    Text(&'a str),
    Signed(i64),
    Unsigned(u64),
}

/// The values of a document in order.
pub(crate) struct Fill<'a> {
    text: &'a str,
    values: slice::Iter<'a, (Field, Part)>,
}

impl<'a> Iterator for Fill<'a> {
    type Item = (Field, Borrowed<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (field, part) = self.values.next()?;
        let value = match part {
            Part::Text(range) => Borrowed::Text(&self.text[range.clone()]),
            Part::Signed(number) => Borrowed::Signed(*number),
            Part::Unsigned(number) => Borrowed::Unsigned(*number),
        };
        Some((*field, value))
    }
}

impl Document for OneRecord {
    type Value<'a> = Borrowed<'a>;
    type FieldsValuesIter<'a> = Fill<'a>;

    fn iter_fields_and_values(&self) -> Fill<'_> {
        Fill { text: &self.0.text, values: self.0.values.iter() }
    }
}

impl<'a> Value<'a> for Borrowed<'a> {
    type ArrayIter = Empty<Self>;
    type ObjectIter = Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Borrowed::Text(text) => ReferenceValueLeaf::Str(text),
            Borrowed::Signed(number) => ReferenceValueLeaf::I64(number),
            Borrowed::Unsigned(number) => ReferenceValueLeaf::U64(number),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party<'a>(relation: Relation, address: &'a str, name: Option<&'a str>) -> Party<'a> {
        Party { relation, network: Some("Skype"), address: Some(address), name, scope: None, via: false }
    }

    fn shown(documents: &mut Documents, row: &Row<'_>) -> Vec<String> {
        let document = documents.document(row, None, Present::Unmarked);
        let name = |field| documents.fields.schema.get_field_name(field).to_owned();
        let values = document.iter_fields_and_values();
        values
            .map(|(field, value)| match value {
                Borrowed::Text(text) if field == documents.fields.text => format!("{} {text}", name(field)),
                Borrowed::Text(list) => {
                    format!("{} {}", name(field), terms(list).collect::<Vec<_>>().join("|"))
                }
                Borrowed::Signed(number) => format!("{} {number}", name(field)),
                Borrowed::Unsigned(number) => format!("{} {number}", name(field)),
            })
            .collect()
    }

    #[test]
    fn one_buffer_serves_every_record_and_keeps_nothing_of_the_last() {
        let mut documents = Documents::new(Fields::new());
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
            "text hi\u{1e}Lunch",
            "from \u{1}\u{7}live:al",
            "to \u{1}\u{d}bob@x.example|@x.example|\u{1}\u{d}eve@x.example\u{3}eve",
            "kind =im.message.sent",
            "tenant contoso",
            "network skype",
            "time -5",
            "identity 7",
        ];
        assert_eq!(shown(&mut documents, &row), full);
        let empty = Row { quarantined: true, conversation: Some("c"), ..Row::default() };
        assert_eq!(
            shown(&mut documents, &empty),
            ["conversation c", "kind =", "flag quarantined", "identity 0"]
        );
        let gap = Row { gap: true, kind: "custody.gap.v1", ..Row::default() };
        assert_eq!(shown(&mut documents, &gap), ["kind =custody.gap", "flag gap", "identity 0"]);
        // From memory, and the same.
        assert_eq!(shown(&mut documents, &row), full);
    }

    #[test]
    fn long_parties_and_types_are_not_remembered_for_ever() {
        let mut documents = Documents::new(Fields::new());
        let long = "x".repeat(KNOWN_BYTES_MAX / 4);
        for number in 0..20 {
            let (kind, address) = (format!("{long}{number}"), format!("{number}{long}"));
            let parties = vec![party(Relation::From, &address, None)];
            documents.document(&Row { kind: &kind, parties, ..Row::default() }, None, Present::Unmarked);
            assert!(documents.parties.len() + documents.kinds.len() <= 6, "record {number}");
        }
    }

    #[test]
    fn parties_are_told_apart() {
        let mut documents = Documents::new(Fields::new());
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
