//! Imports into a folder, entries as Active Directory has them, and servers that are none.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use custody_archive::{Archive, Location, S3Settings, Writer, WriterSettings, verify};

use super::entry::{Entry, people};
use super::*;
use crate::settings::{Inputs, Ldap, Settings};

const ONE: &str = "person,address,id\nAlice Archer,alice@contoso.example,1\nBob Smith,bob@contoso.example,2\n\
                   Carol Jones,carol@contoso.example,3\n";
const TWO: &str = "person,address,id\nAlice Byte,alice@contoso.example,1\nBob Smith,bob@contoso.example,2\n";
const NOBODY_LEFT: &str = "person,address,id\nZoe,zoe@contoso.example,9\n";

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        World { dir: tempfile::tempdir().unwrap() }
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn loaded(&self) -> Loaded {
        let path = self.archive().to_str().unwrap().to_owned();
        let flags = vec![("archive.path".to_owned(), path)];
        Settings::load(Inputs { flags, ..Inputs::default() }).unwrap()
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.dir.path().join("people.csv");
        fs::write(&path, text).unwrap();
        path
    }

    fn newest(&self) -> Option<Register> {
        open::people(&self.loaded()).unwrap().newest().unwrap()
    }

    /// Imports; the message, if it failed, and the names in the register that counts then.
    fn import(&self, text: &str, dry_run: bool, replace: bool) -> (Option<String>, u64, Vec<String>) {
        let done = import(&self.loaded(), &self.file(text), PeopleHow { dry_run, replace });
        let register = self.newest();
        let names = register.iter().flat_map(|r| r.people.persons()).map(|p| p.name().to_owned()).collect();
        (done.err().map(|e| e.to_string()), register.map_or(0, |register| register.number), names)
    }
}

#[test]
fn an_import_replaces_the_register_unless_most_would_go() {
    let world = World::new();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let (one, two) =
        (names(&["Alice Archer", "Bob Smith", "Carol Jones"]), names(&["Alice Byte", "Bob Smith"]));
    assert_eq!(world.import(ONE, true, false), (None, 0, vec![]));
    assert_eq!(world.import(ONE, false, false), (None, 1, one.clone()));
    assert_eq!(world.import(ONE, false, false), (None, 1, one.clone()), "nothing changed");
    assert_eq!(world.import(TWO, true, false), (None, 1, one));
    assert_eq!(world.import(TWO, false, false), (None, 2, two.clone()));
    let (refused, number, left) = world.import(NOBODY_LEFT, false, false);
    assert!(refused.unwrap().starts_with("2 of 2 people would be removed: look with --dry-run"));
    assert_eq!((number, left), (2, two));
    assert_eq!(world.import(NOBODY_LEFT, false, true), (None, 3, names(&["Zoe"])));
    let first = open::people(&world.loaded()).unwrap().read(1).unwrap().unwrap();
    assert_eq!((first.people.persons().len(), first.source.name.as_str()), (3, "people.csv"));
}

#[test]
fn a_file_with_a_mistake_changes_nothing() {
    let world = World::new();
    world.import(ONE, false, false);
    let (refused, number, _) = world.import(&format!("{TWO},x@contoso.example,\n"), false, true);
    let refused = refused.unwrap();
    assert!(
        refused.ends_with("was imported:\nline 4: person is empty; write it, or remove the row"),
        "{refused}"
    );
    assert_eq!(number, 1);
    let gone =
        import(&world.loaded(), Path::new("no/such.csv"), PeopleHow { dry_run: false, replace: false });
    assert!(gone.unwrap_err().to_string().starts_with("no/such.csv cannot be read: "));
}

#[test]
fn two_imports_at_once_are_two_registers() {
    let world = World::new();
    let files = [("a.csv", ONE), ("b.csv", TWO)].map(|(name, text)| {
        let path = world.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    });
    let how = PeopleHow { dry_run: false, replace: true };
    thread::scope(|scope| {
        let running = files.each_ref().map(|file| {
            let loaded = world.loaded();
            scope.spawn(move || import(&loaded, file, how).unwrap())
        });
        running.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let store = open::people(&world.loaded()).unwrap();
    let mut names: Vec<String> =
        [1, 2].map(|number| store.read(number).unwrap().unwrap().source.name).into_iter().collect();
    names.sort();
    assert_eq!((names, store.numbers().unwrap()), (vec!["a.csv".to_owned(), "b.csv".to_owned()], vec![1, 2]));
}

#[test]
fn people_may_be_there_before_the_archive() {
    let world = World::new();
    world.import(ONE, false, false);
    let location = Location::Folder(world.archive());
    drop(Writer::open(&location, &S3Settings::default(), &WriterSettings::default()).unwrap());
    let archive = Archive::open(&location, &S3Settings::default()).unwrap();
    assert_eq!(verify(&archive, &mut |_| {}).unwrap().problems, []);
    assert_eq!(world.newest().unwrap().number, 1);
}

#[test]
fn a_list_says_who_held_what_when() {
    let world = World::new();
    let none = list(&world.loaded(), None, false).unwrap_err().to_string();
    assert!(none.starts_with("there is no register of people"), "{none}");
    world.import(
        "person,department,address,network,valid_from,valid_to,id\nAda,Risk,a@x.example,lync,,2020-01-01,1\n\
         Ben,,a@x.example,lync,2020-01-01,,2\n",
        false,
        false,
    );
    let register = Register { at_ms: 0, ..world.newest().unwrap() };
    let table = |at: Option<&str>| print::table(&register, at.map(|at| instant_ms(at).unwrap()));
    assert_eq!(
        table(None),
        "\
person  id  department  address      network  valid from  valid to
Ada     1   Risk        a@x.example  lync                 2020-01-01
Ben     2               a@x.example  lync     2020-01-01
2 addresses; register 1 of 1970-01-01, from file people.csv
"
    );
    for (at, who) in [("2019-12-31T23:59:59.999Z", "Ada"), ("2020-01-01", "Ben")] {
        let table = table(Some(at));
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines.len() == 3 && lines[1].starts_with(who), "{at}:\n{table}");
        assert_eq!(print::json(&register, Some(instant_ms(at).unwrap()))["addresses"][0]["person"], who);
    }
    let wrong = list(&world.loaded(), Some("soon"), false).unwrap_err().to_string();
    assert!(wrong.starts_with("--at: \"soon\" is not a date"), "{wrong}");
}

#[test]
fn what_changes_is_printed() {
    let old = read_csv(b"person,department,address,network\nAda,Risk,a@x.example,lync\nCy,,c@x.example,\n")
        .unwrap();
    let new = read_csv(
        b"person,department,address,valid_to\nAda,Risk,a2@x.example,2020-01-01\nBen,,b@x.example,\n",
    );
    assert_eq!(
        print::difference(&difference(&old.people, &new.unwrap().people)),
        "\
+ Ben
    + b@x.example, always
- Cy
    - c@x.example, always
~ Ada
    - a@x.example on lync, Risk, always
    + a2@x.example, Risk, until 2020-01-01
1 people added, 1 removed, 1 changed
"
    );
}

fn ldap(url: &str) -> Ldap {
    let flags = [
        ("ldap.url", url),
        ("ldap.base", "dc=x"),
        ("ldap.start_tls", "false"),
        ("ldap.request_age_max", "100ms"),
    ];
    let flags = flags.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Settings::load(Inputs { flags, ..Inputs::default() }).unwrap().settings.ldap
}

fn entry(dn: &str, values: &[(&str, &[u8])]) -> Entry {
    let mut all: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    for (name, value) in values {
        all.entry((*name).to_owned()).or_default().push(value.to_vec());
    }
    Entry { dn: dn.to_owned(), values: all }
}

#[test]
fn entries_are_read_as_active_directory_writes_them() {
    let entries = vec![
        entry(
            "cn=b",
            &[
                ("cn", b"Ben"),
                ("MAIL", b" Ben@X.example "),
                ("proxyAddresses", b"SMTP:ben@x.example"),
                ("proxyAddresses", b"smtp:b@x.example"),
                ("proxyAddresses", b"SIP:ben.sip@x.example"),
                ("proxyAddresses", b"X500:/o=x/cn=ben"),
                ("proxyAddresses", b"\xff\xfe"),
                ("objectGUID", b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"),
                ("entryUUID", b"11111111-2222-4333-8444-555555555555"),
            ],
        ),
        entry(
            "cn=a",
            &[
                ("displayName", b"Ada  Archer"),
                ("cn", b"ada"),
                ("department", b"Risk"),
                ("msRTCSIP-PrimaryUserAddress", b"sip:ada@x.example"),
                ("employeeID", b"7"),
                ("objectGUID", b"short"),
            ],
        ),
        entry("cn=c", &[("cn", b"a printer")]),
        entry("cn=d", &[("mail", b"nameless@x.example")]),
    ];
    let found = people(entries, &ldap("ldap://x")).unwrap();
    let seen = found.seen.iter().map(|s| {
        (
            s.id.as_deref().unwrap_or("-"),
            s.name.as_str(),
            s.department.as_deref().unwrap_or("-"),
            s.addresses.join(" "),
        )
    });
    let seen: Vec<_> = seen.collect();
    assert_eq!(
        seen,
        [
            ("7", "Ada Archer", "Risk", "ada@x.example".to_owned()),
            (
                "03020100-0504-0706-0809-0a0b0c0d0e0f",
                "Ben",
                "-",
                "b@x.example ben.sip@x.example ben@x.example".to_owned()
            ),
            ("-", "nameless@x.example", "-", "nameless@x.example".to_owned()),
        ]
    );
    assert_eq!(
        found.warnings,
        ["1 entries have no address and are passed over", "1 addresses are no text and are passed over",]
    );
    let cut = vec![entry("cn=a", &[("proxyAddresses;range=0-1499", b"smtp:a@x.example")])];
    let Err(refused) = people(cut, &ldap("ldap://x")) else { panic!("a part is taken for all") };
    assert!(refused.starts_with("cn=a has more values than the directory gives at once"), "{refused}");
}

/// What is said of a server that answers this and closes, or nothing and waits.
fn said_of(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        match answer {
            Some(bytes) => stream.write_all(bytes).unwrap(),
            // Until the client goes away.
            None => drop(std::io::copy(&mut stream, &mut std::io::sink())),
        }
    });
    let said = connect::everybody(&ldap(&url)).err().expect("there is no directory").to_string();
    server.join().unwrap();
    said.replace(&url, "URL")
}

#[test]
fn servers_that_are_no_directories_are_told_apart() {
    assert_eq!(
        said_of(None),
        "cannot search URL: no answer within 0.1 s; look whether the server is up, or raise ldap.request_age_max"
    );
    for answer in [
        &b""[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x30\x05\x02\x01\x01\x64\x00",
        b"\x30\x84\xff\xff\xff\xff",
    ] {
        let said = said_of(Some(answer));
        assert!(said.contains("URL") && said.len() < 300, "{answer:?}: {said}");
    }
}
