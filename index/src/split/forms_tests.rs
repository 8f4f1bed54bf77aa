//! The forms of a split beside a slow look at its terms, whole and damaged.

use std::collections::{BTreeMap, BTreeSet};

use custody_archive::Relation;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::split::{OpenSplit, build};
use crate::testing::{Event, Memory, Named, said};

fn party(relation: Relation, address: &str, name: &str) -> Named {
    (relation, None, Some(address.to_owned()), Some(name.to_owned())).into()
}

fn split_of(parties: Vec<Vec<Named>>) -> OpenSplit {
    let source = Memory::default();
    let event = |(at, parties)| Event { parties, ..said(at as u64, "x") };
    source.say(parties.into_iter().enumerate().map(event).collect());
    let commits = crate::source::Source::commits_after(&source, None).unwrap();
    let files: Vec<_> = commits[0].files.iter().map(|file| (0, file.clone())).collect();
    OpenSplit::of("test.split", FileSlice::from(build(&source, &files).unwrap().bytes)).unwrap()
}

/// Every form with its terms, by going through all terms.
fn slow(split: &OpenSplit) -> BTreeMap<String, BTreeSet<Known>> {
    let mut all: BTreeMap<String, BTreeSet<Known>> = BTreeMap::new();
    for (number, field) in Fields::new().parties().into_iter().enumerate() {
        let index = split.segment().inverted_index(field).unwrap();
        let mut terms = index.terms().stream().unwrap();
        while terms.advance() {
            let known = Known { field: number, ord: terms.term_ord() };
            let mut add = |form: &str| {
                all.entry(form.to_owned()).or_default().insert(known);
            };
            match PartyTerm::of(terms.key()) {
                Some(PartyTerm::Key(key)) => key.forms(&mut add),
                Some(PartyTerm::Domain(domain)) => add(&format!("@{domain}")),
                None => assert!(PartyTerm::is_mark(terms.key())),
            }
        }
    }
    all
}

fn any_party() -> impl Strategy<Value = Named> {
    let relation = select(vec![Relation::From, Relation::To, Relation::Other]);
    let address =
        select(vec!["sip:a@x.example", "a@x.example", "live:bob", "@dan:x.example", "@x.example", ""]);
    let name = select(vec!["", "Bob", "Bob Archer", "Ann Archer", "Ž 会議"]);
    (relation, address, name, any::<bool>())
        .prop_map(|(relation, address, name, via)| Named { via, ..party(relation, address, name) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn forms_lead_to_the_terms_that_have_them(
        parties in prop::collection::vec(prop::collection::vec(any_party(), 0..4), 0..12),
        pattern in select(vec!["*", "a*", "*archer", "@*", "?ob", "b?b", "live:*", "zz*", "*x*", "会*"]),
    ) {
        let split = split_of(parties);
        let expected = slow(&split);
        for (form, terms) in &expected {
            let found = split.forms.exact(form).unwrap();
            prop_assert_eq!(found.len(), terms.len());
            prop_assert_eq!(&found.into_iter().collect::<BTreeSet<_>>(), terms, "{}", form);
        }
        prop_assert!(split.forms.exact("nobody").unwrap().is_empty());
        prop_assert!(split.forms.exact("").unwrap().is_empty());
        let like = Glob::new(pattern);
        let wanted = expected.iter().filter(|(form, _)| like.matches(form));
        let wanted: BTreeSet<Known> = wanted.flat_map(|(_, terms)| terms.iter().copied()).collect();
        prop_assert_eq!(split.forms.like(&like, &Stop::new(None, None)).unwrap(), Vec::from_iter(wanted));
    }
}

#[test]
fn numbers_come_back_and_nothing_else_does() {
    for number in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, u64::from(u32::MAX), u64::MAX] {
        let mut bytes = Vec::new();
        put(number, &mut bytes);
        assert_eq!(take(&mut &bytes[..]), Some(number));
        assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
    }
    assert_eq!(take(&mut &[0xff; 11][..]), None);
}

/// Each bit that can be turned gives an answer or `Corrupt`; what asserts is caught where splits are
/// read, see [`damage`](crate::damage).
#[test]
fn damaged_forms_lead_nowhere_else() {
    let parties = (0..40).map(|n| vec![party(Relation::From, &format!("sip:u{n}@x.example"), "Bob Archer")]);
    let split = split_of(parties.collect());
    let forms: Vec<String> = slow(&split).into_keys().collect();
    let indexes = Fields::new().parties().map(|field| split.segment().inverted_index(field).unwrap());
    let bytes = forms_of(&indexes.each_ref().map(|index| index.terms())).unwrap();
    let open = |bytes: &[u8]| Forms::open("test.split", &FileSlice::from(bytes.to_vec()), split.segment());
    assert_eq!(open(&bytes).unwrap().exact("bob").unwrap().len(), 40);
    let asks = |damaged: &[u8]| {
        custody_archive::guarded(|| {
            let opened = open(damaged)?;
            let found = forms.iter().map(|form| opened.exact(form)).collect::<Result<Vec<_>, _>>()?;
            let all = opened.like(&Glob::new("*"), &Stop::new(None, None))?;
            assert!(found.iter().flatten().chain(&all).all(|known| known.ord < opened.terms[known.field]));
            assert!(all.len() <= 42, "{}", all.len());
            Ok::<(), Error>(())
        })
    };
    let (mut caught, mut told) = (0, 0);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        match asks(&damaged) {
            Err(_) => caught += 1,
            Ok(Err(error)) => {
                assert_eq!(error.kind, Kind::Corrupt);
                told += 1;
            }
            Ok(Ok(())) => {}
        }
    }
    assert!(told > 0, "{caught} caught");
    for length in 0..bytes.len() {
        let error = asks(&bytes[..length]);
        assert!(!matches!(error, Ok(Err(error)) if error.kind != Kind::Corrupt), "{length} bytes");
    }
}
