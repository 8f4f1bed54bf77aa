//! The two forms by themselves: names and numbers of files that a production seldom has.

use std::fs;
use std::io::{Cursor, Read};

use super::*;

/// The bytes of a file with these entries.
fn packed(form: PackForm, entries: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("packed");
    let sink = Sink::new(NewFile::create(&path).unwrap(), &[]).unwrap();
    let mut packer: Box<dyn Packer> = match form {
        PackForm::Zip => Box::new(Zipped::new(sink)),
        PackForm::TarZst => Box::new(Tarred::new(sink).unwrap()),
    };
    for (name, bytes) in entries {
        packer.add(&name, bytes.len() as u64, &mut &bytes[..]).unwrap();
    }
    let (bytes, sha256) = packer.finish().unwrap().finish().unwrap().publish().unwrap();
    let written = fs::read(path).unwrap();
    assert_eq!((bytes, sha256), (written.len() as u64, Hash::of(&written)));
    written
}

#[test]
fn names_are_kept_and_times_and_modes_are_fixed() {
    let long = format!("top/{}/CUST00000001-{}.txt", "folder".repeat(20), "ü漢".repeat(24));
    let entries = || {
        let names = ["top/a.txt", "top/empty", "top/漢字.doc", &long].map(str::to_owned);
        names
            .into_iter()
            .map(|name| (name.clone(), if name.ends_with("empty") { Vec::new() } else { name.into() }))
    };
    let mut zip = zip::ZipArchive::new(Cursor::new(packed(PackForm::Zip, entries()))).unwrap();
    assert_eq!(zip.len(), 4);
    for (at, (name, bytes)) in entries().enumerate() {
        let mut file = zip.by_index(at).unwrap();
        let (time, mode) = (file.last_modified().unwrap(), file.unix_mode().unwrap());
        assert_eq!((time, mode & 0o777), (zip::DateTime::DEFAULT, 0o644));
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert_eq!((file.name().unwrap().into_owned(), read), (name, bytes));
    }
    let tar = packed(PackForm::TarZst, entries());
    let mut tar = tar::Archive::new(zstd::Decoder::new(&tar[..]).unwrap());
    let mut expected = entries();
    for file in tar.entries().unwrap() {
        let mut file = file.unwrap();
        let (name, bytes) = expected.next().unwrap();
        let header = file.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        assert_eq!((header.mtime().unwrap(), header.mode().unwrap(), owner), (0, 0o644, (0, 0)));
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert_eq!((file.path().unwrap().to_str().unwrap(), read), (name.as_str(), bytes));
    }
    assert!(expected.next().is_none());
}

/// More than 16 bits count, so the directory's end is that of ZIP64.
#[test]
fn a_zip_of_very_many_files() {
    let many = 66_000;
    let bytes = packed(PackForm::Zip, (0..many).map(|n| (format!("top/{n}"), Vec::new())));
    assert!(bytes.windows(4).any(|window| window == b"PK\x06\x06"));
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    assert_eq!(zip.len(), many);
    assert_eq!(zip.by_index(many - 1).unwrap().name().unwrap(), "top/65999");
}

/// What an entry needs is chosen by the size that the receipt says, before it is known how it compresses.
#[test]
fn large_entries_have_sizes_of_64_bits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("packed");
    let mut packer = Zipped::new(Sink::new(NewFile::create(&path).unwrap(), &[]).unwrap());
    for bytes in [3_999_999_999, 4_000_000_000, u64::MAX] {
        packer.add(&format!("top/{bytes}"), bytes, &mut &b"few"[..]).unwrap();
    }
    Box::new(packer).finish().unwrap().finish().unwrap().publish().unwrap();
    let bytes = fs::read(path).unwrap();
    // The extra field 1 of 16 bytes after the name, in the local header.
    let is_large = |name: &str| {
        let at = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap();
        bytes[at + name.len()..].starts_with(&[1, 0, 16, 0])
    };
    assert_eq!(
        ["top/3999999999", "top/4000000000", "top/18446744073709551615"].map(is_large),
        [false, true, true]
    );
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    for at in 0..3 {
        let mut read = String::new();
        zip.by_index(at).unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read, "few");
    }
    // 8 GiB are more than 11 octal digits.
    assert_eq!(tarred::header(9 << 30).size().unwrap(), 9 << 30);
}
