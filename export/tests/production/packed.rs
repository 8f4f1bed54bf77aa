//! Productions packed into one file, at the crate's own boundary: whole, equal, refused.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use custody_archive::{
    Archive, BatchBuilder, Encoded, FileRef, Location, S3Settings, Writer, WriterSettings,
};
use custody_export::{
    Error, Format, Hit, Kind, Options, PackForm, Packed, PrivateKey, Production, RECEIPT, RECEIPT_PAGE,
    RECORDS, Recipient, Request, SIGNATURE, pack, verify,
};
use custody_schemas::{Incoming, Partition};

const EVENT: &str = r#"{"specversion":"1.0","id":"ID","source":"//gw","type":"federation.im.message.sent.v1","time":"2013-05-29T09:15:02.123Z","data":{"conversation":{"id":"c-88","kind":"direct"},"from":{"network":"skype","address":"live:bob"},"message":{"id":"m","text":"hello ID"}}}"#;

fn archived(dir: &Path) -> (Archive, Arc<FileRef>) {
    let location = Location::Folder(dir.to_owned());
    let mut writer = Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap();
    let partition = Partition { topic: "t".into(), generation: 1, partition: 0 };
    let mut builder = BatchBuilder::new("b0".into());
    for offset in 0..8 {
        let payload = EVENT.replace("ID", &offset.to_string());
        let payload = Some(payload.as_bytes());
        let incoming = Incoming { key: None, headers: &[], payload, broker_time_ms: Some(offset) };
        builder.push(&partition, offset, offset, &incoming).unwrap();
    }
    let encoded = Encoded::new(builder.seal("default", 1_400_000_000_123).unwrap()).unwrap();
    let file = Arc::new(writer.archive(&encoded).unwrap().file);
    (writer.reader(), file)
}

struct World(tempfile::TempDir);

impl World {
    /// A signed production in the folder `vol`.
    fn new() -> Self {
        let world = World(tempfile::tempdir().unwrap());
        let (archive, file) = archived(&world.path("archive"));
        let request = Request {
            version: 2,
            query: "hello".into(),
            query_canonical: "text:hello".into(),
            zone: "Europe/Berlin".into(),
            who: "dana@contoso.example".into(),
            why: "case 7".into(),
            format: Format::Html,
            options: Some(Options { with_records: true, ..Options::default() }),
        };
        let key = PrivateKey::from_seed("contoso.example/custody", &[7; 32]).unwrap();
        let production = Production {
            archive: &archive,
            request: &request,
            through_version: 1,
            threads: NonZeroUsize::MIN,
            files: None,
            custodians: None,
            fonts: None,
            key: Some(&key),
        };
        let hit = |row| Hit { file: file.clone(), row, deliveries: 1, is_context: false };
        production.write((0..6).map(hit).collect(), &world.path("vol"), &mut |_| {}).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A copy of the production, in a folder of the same name.
    fn copy(&self, within: &str) -> PathBuf {
        let to = self.path(within).join("vol");
        for (name, bytes) in contents(&self.path("vol")) {
            let path = to.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        to
    }
}

/// Every file, by its path in the folder.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    super::contents(dir).into_iter().collect()
}

fn plainly(dir: &Path, out: &Path, form: PackForm) -> Result<Packed, Error> {
    pack(dir, out, form, &[], &mut |_, _| {})
}

/// What comes out of a packed production.
fn unpacked(bytes: &[u8], form: PackForm, to: &Path) {
    match form {
        PackForm::Zip => zip::ZipArchive::new(Cursor::new(bytes)).unwrap().extract(to).unwrap(),
        PackForm::TarZst => tar::Archive::new(zstd::Decoder::new(bytes).unwrap()).unpack(to).unwrap(),
    }
}

#[test]
fn what_comes_out_is_what_went_in_and_the_same_bytes_each_time() {
    let world = World::new();
    let original = contents(&world.path("vol"));
    assert!([RECEIPT, RECEIPT_PAGE, RECORDS, SIGNATURE].iter().all(|name| original.contains_key(*name)));
    let copy = world.copy("elsewhere");
    let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(copy.join(RECEIPT)).unwrap().set_modified(past).unwrap();
    for form in PackForm::ALL {
        let (first, second) = (world.path("first"), world.path("second"));
        let mut told = Vec::new();
        let packed =
            pack(&world.path("vol"), &first, *form, &[], &mut |done, of| told.push((done, of))).unwrap();
        assert!(told.windows(2).all(|two| two[0].0 <= two[1].0));
        let total = original.values().map(|bytes| bytes.len() as u64).sum::<u64>();
        assert_eq!(told.last(), Some(&(total, total)));
        assert_eq!(packed.files, original.len() as u64);
        assert_eq!(plainly(&copy, &second, *form).unwrap(), packed);
        let bytes = fs::read(&first).unwrap();
        assert!(bytes == fs::read(&second).unwrap(), "{form:?}");
        assert_eq!(packed.bytes, bytes.len() as u64);
        let out = world.path(form.name());
        unpacked(&bytes, *form, &out);
        assert!(contents(&out.join("vol")) == original);
        assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
        assert!(verify(&out.join("vol"), None).unwrap().is_sound());
        for path in [first, second] {
            fs::remove_file(path).unwrap();
        }
    }
}

/// What version 1 wrote has no page and no signature.
#[test]
fn a_production_of_version_1_is_packed() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/production.v1");
    let path = dir.path().join("v.zip");
    assert_eq!(plainly(&golden, &path, PackForm::Zip).unwrap().files, 3);
    unpacked(&fs::read(path).unwrap(), PackForm::Zip, dir.path());
    assert!(contents(&dir.path().join("production.v1")) == contents(&golden));
}

#[test]
fn only_a_recipient_reads_what_is_encrypted() {
    let world = World::new();
    let identities = [(); 3].map(|()| age::x25519::Identity::generate());
    let recipients: Vec<_> = identities[..2]
        .iter()
        .map(|identity| Recipient::parse(&identity.to_public().to_string()).unwrap())
        .collect();
    for form in PackForm::ALL {
        let (plain, secret, again) = (world.path("plain"), world.path("secret"), world.path("again"));
        plainly(&world.path("vol"), &plain, *form).unwrap();
        for path in [&secret, &again] {
            pack(&world.path("vol"), path, *form, &recipients, &mut |_, _| {}).unwrap();
        }
        let bytes = fs::read(&secret).unwrap();
        assert_ne!(bytes, fs::read(&again).unwrap());
        for identity in &identities[..2] {
            let decryptor = age::Decryptor::new(&bytes[..]).unwrap();
            let mut decrypted = Vec::new();
            let mut reader = decryptor.decrypt(std::iter::once(identity as _)).unwrap();
            reader.read_to_end(&mut decrypted).unwrap();
            assert!(decrypted == fs::read(&plain).unwrap());
        }
        let other = age::Decryptor::new(&bytes[..]).unwrap();
        assert!(other.decrypt(std::iter::once(&identities[2] as _)).is_err());
        for path in [plain, secret, again] {
            fs::remove_file(path).unwrap();
        }
    }
    let many = vec![recipients[0].clone(); 101];
    let error =
        pack(&world.path("vol"), &world.path("many"), PackForm::Zip, &many, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("101 recipients are named; 100 are the most"), "{error}");
    assert!(!world.path("many").exists());
}

/// Nothing that looks like a packed production is left in the folder.
fn refused(result: Result<Packed, Error>, kind: Kind, expected: &str, out: &Path) {
    let error = result.unwrap_err();
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.to_string().contains(expected), "{expected}: {error}");
    assert_eq!(fs::read_dir(out).unwrap().count(), 0, "{expected}");
}

#[test]
fn what_was_altered_is_not_packed() {
    let world = World::new();
    let out = world.path("out");
    fs::create_dir(&out).unwrap();
    type Damage = fn(&Path);
    let cases: [(&str, Damage); 8] = [
        (RECORDS, |dir| append(&dir.join(RECORDS))),
        (RECEIPT_PAGE, |dir| append(&dir.join(RECEIPT_PAGE))),
        ("receipt.json line", |dir| append(&dir.join(RECEIPT))),
        (SIGNATURE, |dir| append(&dir.join(SIGNATURE))),
        ("html/CUST00000001.html: it is missing", |dir| {
            fs::remove_file(dir.join("html/CUST00000001.html")).unwrap();
        }),
        ("more: it is not in the receipt", |dir| fs::write(dir.join("more"), "x").unwrap()),
        ("html/CUST00000001.html: it is not a regular file", |dir| {
            let path = dir.join("html/CUST00000001.html");
            fs::rename(&path, dir.parent().unwrap().join("page")).unwrap();
            std::os::unix::fs::symlink(dir.parent().unwrap().join("page"), path).unwrap();
        }),
        ("the export is not finished", |dir| {
            fs::rename(dir.join(RECEIPT), dir.join("receipt.json.part")).unwrap()
        }),
    ];
    for (n, (expected, damage)) in cases.iter().enumerate() {
        let dir = world.copy(&n.to_string());
        damage(&dir);
        for form in PackForm::ALL {
            refused(plainly(&dir, &out.join("packed"), *form), Kind::Corrupt, expected, &out);
        }
    }
    refused(
        plainly(&world.path("archive"), &out.join("p"), PackForm::Zip),
        Kind::Invalid,
        "no production",
        &out,
    );
    refused(
        plainly(&world.path("none"), &out.join("p"), PackForm::Zip),
        Kind::Invalid,
        "no such folder",
        &out,
    );
}

fn append(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes.push(b' ');
    fs::write(path, bytes).unwrap();
}

/// After it was checked and before it is packed: longer, shorter, other bytes, gone.
#[test]
fn what_changes_while_it_is_packed_is_noticed() {
    type Change = fn(&Path);
    let changes: [Change; 4] = [
        append,
        |path| fs::write(path, "").unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[7] ^= 1;
            fs::write(path, bytes).unwrap();
        },
        |path| fs::remove_file(path).unwrap(),
    ];
    let world = World::new();
    let out = world.path("out");
    fs::create_dir(&out).unwrap();
    for (n, change) in changes.iter().enumerate() {
        for (m, form) in PackForm::ALL.iter().enumerate() {
            let dir = world.copy(&format!("{n}-{m}"));
            let mut changed = false;
            let mut meanwhile = |_, _| {
                if !std::mem::replace(&mut changed, true) {
                    // The last to be packed.
                    change(&dir.join("verify.py"));
                }
            };
            let result = pack(&dir, &out.join("packed"), *form, &[], &mut meanwhile);
            refused(result, Kind::Corrupt, "was changed while it was packed", &out);
        }
    }
}

#[test]
fn a_file_that_is_there_is_left_alone() {
    let world = World::new();
    let (dir, out) = (world.path("vol"), world.path("out"));
    fs::create_dir(&out).unwrap();
    let path = out.join("v.zip");
    fs::write(&path, "mine").unwrap();
    let refused = |path: &Path, expected: &str| {
        let error = plainly(&dir, path, PackForm::Zip).unwrap_err();
        assert_eq!(error.kind, Kind::Invalid, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(&path, "is there already");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    refused(&dir.join("v.zip"), "is in the production");
    refused(&dir.join("html/../v.zip"), "is in the production");
    fs::remove_file(&path).unwrap();

    // One that comes to be meanwhile.
    let mut meanwhile = |_, _| fs::write(&path, "mine").unwrap();
    let error = pack(&dir, &path, PackForm::Zip, &[], &mut meanwhile).unwrap_err();
    assert!(error.to_string().contains("is there already"), "{error}");
    assert_eq!(contents(&out), [("v.zip".to_owned(), b"mine".to_vec())].into());
    fs::remove_file(&path).unwrap();

    // What a killed run left is replaced; what another run is writing is not.
    let part = out.join("v.zip.part");
    fs::write(&part, vec![b'x'; 1 << 20]).unwrap();
    let other = fs::File::options().write(true).open(&part).unwrap();
    other.lock().unwrap();
    refused(&path, "another run is writing");
    drop(other);
    plainly(&dir, &path, PackForm::Zip).unwrap();
    assert_eq!(contents(&out).keys().collect::<Vec<_>>(), ["v.zip"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&part).unwrap();
    refused(&path, "v.zip.part is no file");
}
