use proptest::prelude::*;

use super::*;
use crate::hash::Tree;
use crate::hash::tree::tests::defined;

fn leaves(n: u64) -> Vec<Hash> {
    (0..n).map(|n| Hash::of(&n.to_be_bytes())).collect()
}

/// Word for word: the largest subtrees that hold none of the rows, left to right.
fn largest(from: u64, leaves: &[Hash], rows: &[u64], out: &mut Vec<Hash>) {
    let to = from + u64::try_from(leaves.len()).unwrap();
    if leaves.is_empty() {
    } else if !rows.iter().any(|row| (from..to).contains(row)) {
        out.push(defined(leaves));
    } else if leaves.len() > 1 {
        let split = leaves.len().next_power_of_two() / 2;
        largest(from, &leaves[..split], rows, out);
        largest(from + u64::try_from(split).unwrap(), &leaves[split..], rows, out);
    }
}

/// `PATH(m, D[n])` of RFC 6962 section 2.1.1, word for word.
fn path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, sibling) =
        if m < k { (path(m, &leaves[..k]), &leaves[k..]) } else { (path(m - k, &leaves[k..]), &leaves[..k]) };
    path.push(defined(sibling));
    path
}

fn check(n: u64, rows: &[u64]) -> Vec<Hash> {
    let all = leaves(n);
    let mut expected = Vec::new();
    largest(0, &all, rows, &mut expected);
    let proof = proof_of(all.iter().copied(), rows).unwrap();
    assert_eq!(proof, expected, "{rows:?} of {n}");
    let known: Vec<_> = rows.iter().map(|row| (*row, all[usize::try_from(*row).unwrap()])).collect();
    let root = all.iter().copied().collect::<Tree>().root();
    assert_eq!(root_of(n, &known, &proof), Ok(root), "{rows:?} of {n}");

    let mut more = proof.clone();
    more.push(root);
    assert_eq!(root_of(n, &known, &more), Err(ProofError::TooMany));
    if let Some((_, fewer)) = proof.split_last() {
        assert_eq!(root_of(n, &known, fewer), Err(ProofError::TooFew));
    }
    for at in 0..known.len() {
        let mut other = known.clone();
        other[at].1 = Hash::of(b"another");
        assert_ne!(root_of(n, &other, &proof), Ok(root), "leaf {at} of {rows:?} of {n}");
    }
    for at in 0..proof.len() {
        let mut other = proof.clone();
        other[at] = Hash::of(b"another");
        assert_ne!(root_of(n, &known, &other), Ok(root), "hash {at} of {rows:?} of {n}");
    }
    proof
}

#[test]
fn every_choice_of_rows_of_small_trees() {
    for n in 0..=8 {
        for chosen in 0..1_u64 << n {
            check(n, &(0..n).filter(|row| chosen >> row & 1 == 1).collect::<Vec<_>>());
        }
    }
}

#[test]
fn one_row_is_the_audit_path_in_the_order_of_the_tree() {
    for n in 1..34 {
        for row in 0..n {
            let mut proof = check(n, &[row]);
            let mut path = path(usize::try_from(row).unwrap(), &leaves(n));
            proof.sort_unstable();
            path.sort_unstable();
            assert_eq!(proof, path, "{row} of {n}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_rows((n, rows) in (1_u64..300).prop_flat_map(|n| (Just(n), proptest::collection::btree_set(0..n, 0..12)))) {
        check(n, &rows.into_iter().collect::<Vec<_>>());
    }
}

/// The leaves and roots that the tests of Certificate Transparency's implementations share.
#[test]
fn known_answers() {
    let data: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let all = data.map(|data| Hash::of(&[b"\0", data].concat()));
    for (n, root) in (1..).zip(roots) {
        let rows: Vec<_> = (0..n).zip(all).collect();
        assert_eq!(root_of(n, &rows, &[]).unwrap().to_string(), root, "{n} leaves");
    }
    let proof: Vec<String> = proof_of(all, &[5]).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        proof,
        [
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        ]
    );
}

#[test]
fn what_is_no_proof_is_refused() {
    let all = leaves(5);
    let row = |row: u64| (row, all[0]);
    for (rows, error) in [
        (&[1_u64, 1][..], ProofError::Unordered(1)),
        (&[3, 2], ProofError::Unordered(2)),
        (&[0, 5], ProofError::Outside { row: 5, leaves: 5 }),
    ] {
        assert_eq!(proof_of(all.iter().copied(), rows), Err(error));
        let rows: Vec<_> = rows.iter().map(|at| row(*at)).collect();
        assert_eq!(root_of(5, &rows, &[]), Err(error));
    }
    assert_eq!(root_of(0, &[], &[]), Ok(Hash::of(b"")));
    assert_eq!(root_of(0, &[], &all), Err(ProofError::TooMany));
    assert_eq!(root_of(u64::MAX, &[row(u64::MAX - 1)], &[]), Err(ProofError::TooFew));
}
