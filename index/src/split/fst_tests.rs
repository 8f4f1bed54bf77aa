use std::collections::BTreeMap;

use proptest::prelude::*;
use tantivy_fst::MapBuilder;

use super::*;

fn check(all: &BTreeMap<Vec<u8>, u64>) {
    let (mut ours, mut theirs) = (FstBuilder::new(), MapBuilder::memory());
    for (key, number) in all {
        ours.insert(key, *number).unwrap();
        theirs.insert(key, *number).unwrap();
    }
    assert!(ours.finish().unwrap() == theirs.into_inner().unwrap());
}

#[test]
fn keys_come_in_order() {
    let mut builder = FstBuilder::new();
    builder.insert(b"", 7).unwrap();
    builder.insert(b"b", 0).unwrap();
    for key in [&b""[..], b"a", b"b"] {
        assert!(builder.insert(key, 1).is_err());
    }
}

#[test]
fn nodes_are_forgotten_as_tantivy_forgets_them() {
    let key = |number: u64| {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{:x}.{:x}@x.example", mixed >> 52, mixed % 4_096).into_bytes()
    };
    check(&(0..60_000).map(|number| (key(number), number % 1_000)).collect());
    check(&(0..60_000).map(key).collect::<std::collections::BTreeSet<_>>().into_iter().zip(0..).collect());
    // Nodes of all bytes, and of nearly all.
    let two = |first: u64, second: u64| vec![first as u8, second as u8];
    check(&(0..60_000).map(|n| (two(n / 256, n % 256 * (1 + n / 256 % 3)), n << (n % 40))).collect());
    check(&BTreeMap::new());
}

proptest! {
    #[test]
    fn the_bytes_are_those_of_tantivys_own_builder(
        short in prop::collection::btree_map(prop::collection::vec(97..100_u8, 0..6), 0..70_000_u64, 0..200),
        any in prop::collection::btree_map(prop::collection::vec(any::<u8>(), 0..4), any::<u64>(), 0..600),
        numbered in prop::collection::btree_set("[a-d]{0,8}", 0..200),
    ) {
        check(&short);
        check(&any.into_iter().map(|(key, number)| (key, number >> 1)).collect());
        check(&numbered.into_iter().map(String::into_bytes).zip(0..).collect());
    }
}
