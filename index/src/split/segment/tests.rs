use std::collections::BTreeSet;

use proptest::prelude::*;
use tantivy::schema::{Field, TantivyDocument};
use tantivy::tokenizer::{PreTokenizedString, TextAnalyzer, Token, TokenizerManager, WhitespaceTokenizer};

use super::*;
use crate::schema::{ARCHIVED, DURATION, IDENTITY, MESSAGE, TIME};
use crate::text::each_term;

/// What a document has.
#[derive(Debug, Clone)]
struct Given {
    text: String,
    parties: [BTreeSet<String>; 4],
    raw: [BTreeSet<String>; 6],
    signed: [Option<i64>; 3],
    unsigned: [Option<u64>; 2],
}

const SIGNED: [&str; 3] = [TIME, ARCHIVED, DURATION];
const UNSIGNED: [&str; 2] = [IDENTITY, MESSAGE];

fn given() -> impl Strategy<Value = Given> {
    let text = prop_oneof![Just(String::new()), "[a-c]{1,2}( [a-cÄ\u{1e}]{1,2}){0,12}"];
    let set = || prop::collection::btree_set("[a-b\u{0}ž]{0,3}", 0..4);
    // A party's term begins as its key does.
    let party = || prop::collection::btree_set("@[a-c]{1,3}", 0..4);
    (
        text,
        [party(), party(), party(), party()],
        [set(), set(), set(), set(), set(), set()],
        any::<[Option<i64>; 3]>(),
        any::<[Option<u64>; 2]>(),
    )
        .prop_map(|(text, parties, raw, signed, unsigned)| Given {
            text,
            parties,
            raw,
            signed,
            unsigned,
        })
}

fn ours(all: &[Given]) -> Vec<(String, Vec<u8>)> {
    let mut segment = Segment::new();
    // The log is gone through several times.
    segment.words.places_max = 8;
    for given in all {
        let doc = segment.doc();
        for (number, terms) in given.parties.iter().enumerate() {
            for term in terms.iter().chain(terms.first()) {
                let term = segment.parties.number(term);
                segment.of_parties[number].push(doc, term);
            }
        }
        for (field, terms) in segment.raw().into_iter().zip(&given.raw) {
            terms.iter().for_each(|term| field.push(doc, term));
        }
        let columns = &mut segment.columns;
        let signed = [&mut columns.time, &mut columns.archived, &mut columns.duration];
        for (column, value) in signed.into_iter().zip(given.signed) {
            value.into_iter().for_each(|value| column.push(doc, value));
        }
        for (column, value) in [&mut columns.identity, &mut columns.message].into_iter().zip(given.unsigned) {
            value.into_iter().for_each(|value| column.push(doc, value));
        }
        segment.end(&given.text).unwrap();
    }
    segment.finish().unwrap()
}

fn tokens(terms: impl IntoIterator<Item = (String, u32)>) -> PreTokenizedString {
    let token =
        |(text, position): (String, u32)| Token { text, position: position as usize, ..Token::default() };
    PreTokenizedString { text: String::new(), tokens: terms.into_iter().map(token).collect() }
}

/// What Tantivy's own indexer makes of the same.
fn theirs(all: &[Given]) -> Vec<(String, Vec<u8>)> {
    let fields = Fields::new();
    let tokenizers = TokenizerManager::default();
    tokenizers.register("custody", TextAnalyzer::from(WhitespaceTokenizer::default()));
    let ram = RamDirectory::create();
    let index = Index::builder().schema(fields.schema.clone()).tokenizers(tokenizers);
    let mut writer = index.single_segment_index_writer(ram.clone(), 16 << 20).unwrap();
    for given in all {
        let mut document = TantivyDocument::default();
        let (mut words, mut lower) = (Vec::new(), String::new());
        each_term(&given.text, &mut lower, |term, position| words.push((term.to_owned(), position)));
        if !words.is_empty() {
            document.add_pre_tokenized_text(fields.text, tokens(words));
        }
        let raw =
            [fields.conversation, fields.kind, fields.tenant, fields.network, fields.flag, fields.attribute];
        let lists = fields.parties().into_iter().zip(&given.parties).chain(raw.into_iter().zip(&given.raw));
        for (field, terms) in lists.filter(|(_, terms)| !terms.is_empty()) {
            document.add_pre_tokenized_text(field, tokens(terms.iter().map(|term| (term.clone(), 0))));
        }
        let field = |name: &str| -> Field { fields.schema.get_field(name).unwrap() };
        for (name, value) in SIGNED.iter().zip(given.signed) {
            value.into_iter().for_each(|value| document.add_i64(field(name), value));
        }
        for (name, value) in UNSIGNED.iter().zip(given.unsigned) {
            value.into_iter().for_each(|value| document.add_u64(field(name), value));
        }
        writer.add_document(document).unwrap();
    }
    let index = writer.finalize().unwrap();
    let segment = index.searchable_segments().unwrap().remove(0);
    let read = |component| ram.atomic_read(&segment.relative_path(component)).unwrap();
    COMPONENTS.into_iter().map(|(name, component)| (name.to_owned(), read(component))).collect()
}

proptest! {
    #[test]
    fn the_bytes_are_those_of_tantivys_own_indexer(all in prop::collection::vec(given(), 1..40)) {
        let mut ours = ours(&all);
        ours.retain(|(name, _)| name != META && name != FORMS);
        for ((name, ours), (of, theirs)) in ours.iter().zip(&theirs(&all)) {
            prop_assert_eq!(name, of);
            prop_assert!(ours == theirs, "{} differs: {} bytes, {} of Tantivy's", name, ours.len(), theirs.len());
        }
    }
}

/// A term of more documents than a block has, so that there is a skip list.
#[test]
fn long_lists_are_those_of_tantivys_own_indexer() {
    let given = |number: usize| Given {
        text: format!("a {} a b", ["a", "b", "c"][number % 3]),
        parties: [(); 4].map(|()| BTreeSet::from([format!("@{}", number % 5)])),
        raw: [(); 6].map(|()| BTreeSet::from([format!("{}", number % 7), "all".to_owned()])),
        signed: [Some(number as i64), None, Some(7)],
        unsigned: [Some(number as u64), Some(0)],
    };
    let all: Vec<Given> = (0..1_000).map(given).collect();
    let mut ours = ours(&all);
    ours.retain(|(name, _)| name != META && name != FORMS);
    assert!(ours == theirs(&all));
}
