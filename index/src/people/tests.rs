//! Files, lookups, syncs and the store, each a table of inputs and answers.

use std::sync::Arc;

use custody_archive::{Location, S3Settings, Store};
use proptest::prelude::*;

use super::*;
use crate::error::Kind;
use crate::query::Query;

fn day(text: &str) -> i64 {
    instant_ms(text).unwrap()
}

fn read(text: &str) -> People {
    read_csv(text.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes}\nof:\n{text}")).people
}

/// Everybody, a line for each address.
fn lines(people: &People) -> Vec<String> {
    let show = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), show_ms);
    let line = |row: Row| {
        let Entry { name, department, network, address, from_ms, to_ms } = row.entry;
        let words = [row.id, Some(name), department, network, Some(address)];
        let words: Vec<String> = words.into_iter().map(|word| word.unwrap_or("-".to_owned())).collect();
        format!("{} {} {}", words.join("|"), show(from_ms), show(to_ms))
    };
    people.rows().map(line).collect()
}

#[track_caller]
fn check_mistakes(text: &str, want: &[&str]) {
    let mistakes = read_csv(text.as_bytes()).expect_err("this is no register");
    assert_eq!(mistakes.shown, want, "{text}");
}

const TWO: &str = "\
person,department,address,network,valid_from,valid_to,id
Alice Archer,Trading,alice@contoso.example,lync,2019-02-01,2021-01-01,7
Alice Byte,Sales,alice@contoso.example,lync,2021-01-01,,7
Bob Smith,Trading,bob@contoso.example,,,,8
Bob Smith,Trading,live:bob.s,skype,,2020-01-01T12:00:00+02:00,8
Carol Jones,trading,live:bob.s,skype,2020-01-01T10:00:00Z,,9
";

#[test]
fn files_are_read_however_spreadsheets_write_them() {
    let want = lines(&read(TWO));
    assert_eq!(
        want,
        [
            "7|Alice Archer|Trading|lync|alice@contoso.example 2019-02-01 2021-01-01",
            "7|Alice Byte|Sales|lync|alice@contoso.example 2021-01-01 -",
            "8|Bob Smith|Trading|-|bob@contoso.example - -",
            "8|Bob Smith|Trading|skype|live:bob.s - 2020-01-01T10:00:00.000Z",
            "9|Carol Jones|trading|skype|live:bob.s 2020-01-01T10:00:00.000Z -",
        ]
    );
    let same = [
        TWO.replace(',', ";"),
        TWO.replace(',', "\t"),
        TWO.replace('\n', "\r\n"),
        format!("\u{feff}{}", TWO.replace(',', ";").replace('\n', "\r\n")),
        TWO.replace("person,", "\" PERSON \",").replace("valid_from,valid_to", "Valid From,VALID TO"),
        format!("\n\n{TWO}\n,,,,,,\n"),
        TWO.replace("alice@contoso.example", " Alice@Contoso.EXAMPLE "),
        TWO.replace("Alice Archer", "\"Alice Archer\""),
        TWO.replace("alice@contoso.example", "sip:alice@contoso.example;user=phone"),
    ];
    for text in same {
        assert_eq!(lines(&read(&text)), want, "{text}");
    }
}

#[test]
fn a_file_is_taken_whole_or_not_at_all() {
    let dates = "is not a date; write a day such as 2024-05-31, or 2024-05-31T09:00:00Z";
    check_mistakes(
        "person,address,valid_from,valid_to\nA B,a@x.example,31.05.2024,2024-13-01\n,b@x.example,,\n\nC,,,\n\
         D,d@x.example,2024-01-02,2024-01-02\nE,@x.example,,\nF,f@x.example,,2024-02-30\n",
        &[
            &format!("line 2: valid_from: \"31.05.2024\" {dates}"),
            &format!("line 2: valid_to: \"2024-13-01\" {dates}"),
            &format!("line 8: valid_to: \"2024-02-30\" {dates}"),
            "line 3: person is empty; write it, or remove the row",
            "line 5: address is empty; write it, or remove the row",
            "line 6: valid_to is not after valid_from; valid_to is the first moment at which the address is \
             not held any more",
            "line 7: \"@x.example\" is a whole domain; write the addresses that one person has",
        ],
    );
    let many: String = (0..50).map(|n| format!("P{n},p{n}@x.example,never\n")).collect();
    let mistakes = read_csv(format!("person,address,valid_from\n{many}").as_bytes()).unwrap_err();
    assert_eq!((mistakes.shown.len(), mistakes.more), (PROBLEMS_MAX, 30));
}

#[test]
fn files_that_are_none_say_why() {
    let columns = "person, department, address, network, valid_from, valid_to, id";
    let empty = "there is no row in it; the first names the columns: \
                 person,department,address,network,valid_from,valid_to,id";
    check_mistakes("", &[empty]);
    check_mistakes("person,address\n", &[empty]);
    check_mistakes("\n \n,,\n", &[empty]);
    check_mistakes(
        "address\na\n",
        &[&format!("line 1: there is no column person; the first row names the columns, of {columns}")],
    );
    check_mistakes(
        "person,adress\na,b\n",
        &[&format!(
            "line 1: there is no column address; the first row names the columns, of {columns}; column \"adress\" is \
             not known and passed over; is it meant to be address?"
        )],
    );
    check_mistakes("person,address,Person\na,b,c\n", &["line 1: there are two columns person; remove one"]);
    let bytes: [(&[u8], &str); 4] = [
        (b"\xff\xfep\0e\0", "it is written in UTF-16; save it as \"CSV UTF-8\""),
        (b"PK\x03\x04\0\0", "it is no text file; save it as \"CSV UTF-8\""),
        (
            b"person,address\nJ\xf6rg,j@x.example\n",
            "line 2: person is not UTF-8; save the file as \"CSV UTF-8\"",
        ),
        (b"person,address\nA\x07,a@x.example\n", "line 2: person holds a control character; remove it"),
    ];
    for (bytes, want) in bytes {
        assert_eq!(read_csv(bytes).unwrap_err().shown, [want]);
    }
}

#[test]
fn what_is_passed_over_is_named() {
    let read = read_csv(b"person,adress,address,Phone\nAlice Archer,,alice,1\nBob,,bob-smith,2\n").unwrap();
    assert_eq!(
        read.warnings,
        [
            "column \"adress\" is not known and passed over; is it meant to be address?",
            "column \"Phone\" is not known and passed over",
            "line 2: address \"alice\" is a word, which also finds people with it in their display name; so are \
         1 more",
        ]
    );
}

#[test]
fn an_address_is_one_persons_at_a_time() {
    let head = "person,address,network,valid_from,valid_to,id\n";
    let check = |rows: &str, want: &[&str]| {
        let text = format!("{head}{rows}");
        match want {
            [] => drop(read(&text)),
            want => check_mistakes(&text, want),
        }
    };
    check("A A,x@x.example,,,2020-01-01,\nB B,x@x.example,,2020-01-01,,\n", &[]);
    check("A A,x@x.example,lync,,,\nB B,x@x.example,skype,,,\n", &[]);
    check("A A,x@x.example,,,,\nA A,x@x.example,,2020-01-01,,\n", &[]);
    let both = "line 2 and line 3: \"x@x.example\" is \"A A\"'s";
    let end = "; end the one before the other begins";
    check(
        "A A,x@x.example,,,,\nB B,X@x.example,,,,\n",
        &[&format!("{both} always and \"B B\"'s always{end}")],
    );
    check(
        "A A,x@x.example,,,2020-01-02,\nB B,sip:x@x.example,skype,2020-01-01,,\n",
        &[&format!("{both} until 2020-01-02 and \"B B\"'s from 2020-01-01{end}")],
    );
    // The long one is still open when a later, short one of the same person is over.
    check(
        "A A,x@x.example,,2019-01-01,2023-01-01,\nA A,x@x.example,,2020-01-01,2020-02-01,\n\
         B B,x@x.example,,2022-01-01,,\n",
        &[&format!(
            "line 2 and line 4: \"x@x.example\" is \"A A\"'s from 2019-01-01 until 2023-01-01 and \"B B\"'s from \
             2022-01-01{end}"
        )],
    );
    check(
        "A A,a@x.example,,,,1\nA A,b@x.example,,,,\n",
        &["line 3: \"A A\" has no id here, but \"1\" in line 2; write the id in every row of one person"],
    );
    check(
        "A A,a@x.example,,,,B B\nB B,b@x.example,,,,2\n",
        &["line 3: the name \"B B\" is the id of somebody else in line 2; change one of them"],
    );
}

fn held(found: Result<Vec<Held>, LookupError>) -> Vec<String> {
    let show = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), show_ms);
    let line = |h: Held| {
        format!("{} {} {} {}", h.network.as_deref().unwrap_or("-"), h.address, show(h.from_ms), show(h.to_ms))
    };
    found.unwrap_or_else(|e| panic!("{e}")).into_iter().map(line).collect()
}

#[test]
fn people_are_found_by_every_name_they_had() {
    let people = read(TWO);
    // A rename does not cut the time in which an address was held.
    let alice = ["lync alice@contoso.example 2019-02-01 -"];
    for name in ["Alice Archer", "alice  BYTE", "7"] {
        assert_eq!(held(people.custodian(name)), alice, "{name}");
    }
    assert_eq!(
        held(people.department("TRADING")),
        [
            "- bob@contoso.example - -",
            "lync alice@contoso.example 2019-02-01 2021-01-01",
            "skype live:bob.s - -",
        ]
    );
    assert_eq!(held(people.department("sales")), ["lync alice@contoso.example 2021-01-01 -"]);
    let whose = |network: &str, address: &str, at: &str| {
        Holders::new(people.clone()).at(network, address, day(at)).map(|person| person.name().to_owned())
    };
    assert_eq!(whose("skype", "live:bob.s", "2020-01-01T09:59:59.999Z").as_deref(), Some("Bob Smith"));
    assert_eq!(whose("skype", "LIVE:bob.s", "2020-01-01T10:00:00Z").as_deref(), Some("Carol Jones"));
    assert_eq!(whose("lync", "sip:alice@contoso.example;x=1", "2019-02-01").as_deref(), Some("Alice Byte"));
    assert_eq!(whose("lync", "alice@contoso.example", "2019-01-31"), None);
    assert_eq!(whose("skype", "alice@contoso.example", "2020-01-01"), None);
}

#[test]
fn nobody_is_never_an_empty_answer() {
    let people = read(&format!("{TWO}Bob Smith,,bob2@contoso.example,,,,10\n"));
    let near = |found: Result<Vec<Held>, LookupError>| match found {
        Err(LookupError::Unknown { nearest, .. }) => nearest,
        other => panic!("{other:?}"),
    };
    assert_eq!(near(people.custodian("alice archr")).as_deref(), Some("Alice Archer"));
    assert_eq!(near(people.custodian("Zoe")), None);
    assert_eq!(near(people.department("Tradin")).as_deref(), Some("trading"));
    assert_eq!(near(people.department("")), None);
    assert_eq!(
        people.custodian("Bob Smith").unwrap_err().to_string(),
        "\"Bob Smith\" is 2 persons: write the id of one (10, 8)"
    );
    assert_eq!(people.custodian("Zoe").unwrap_err().to_string(), "no person is called \"Zoe\"");
}

#[test]
fn a_person_becomes_a_query() {
    let people = read(TWO);
    let text = |found: Result<Vec<Held>, LookupError>| query(&found.unwrap()).to_string();
    assert_eq!(
        text(people.custodian("Alice Byte")),
        "participant:alice@contoso.example AND network:lync AND date:2019-02-01T00:00:00.000Z.."
    );
    assert_eq!(
        text(people.custodian("8")),
        "participant:bob@contoso.example OR participant:live:bob.s AND network:skype AND \
         date:..2020-01-01T09:59:59.999Z"
    );
    assert_eq!(query(&[]).to_string(), "NOT *");
    for name in ["7", "8", "9"] {
        let query = query(&people.custodian(name).unwrap());
        assert_eq!(crate::query::parse(&query.to_string(), &jiff::tz::TimeZone::UTC).unwrap(), query);
    }
}

fn seen(id: &str, name: &str, department: &str, addresses: &str) -> Seen {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Seen {
        place: format!("cn={name}"),
        id: given(id),
        name: name.to_owned(),
        department: given(department),
        addresses: addresses.split(' ').map(str::to_owned).collect(),
    }
}

#[test]
fn a_sync_closes_and_opens_and_forgets_nothing() {
    let days = ["2020-01-01", "2021-01-01", "2022-01-01", "2023-01-01"].map(day);
    let steps = [
        vec![seen("1", "Ann A", "Sales", "a@x.example ann@x.example"), seen("2", "Ben B", "", "b@x.example")],
        vec![
            seen("1", "Ann A", "Trading", "a@x.example"),
            seen("2", "Ben B", "", "B@x.example ann@x.example"),
        ],
        vec![seen("1", "Ann Z", "Trading", "a@x.example")],
        vec![seen("1", "Ann Z", "Trading", "a@x.example"), seen("2", "Ben B", "", "b@x.example")],
    ];
    let mut people: Option<(People, i64)> = None;
    for (seen, at) in steps.iter().zip(days) {
        let next = sync(people.as_ref().map(|(people, at)| (people, *at)), seen, at).unwrap();
        if let Some((old, _)) = &people {
            let again = sync(Some((&next, at)), seen, at + 1).unwrap();
            assert_eq!(again, next, "nothing changes when the directory does not");
            let had = difference(old, &next);
            assert!(had.removed.is_empty(), "{had:?}");
        }
        people = Some((next, at));
    }
    assert_eq!(
        lines(&people.unwrap().0),
        [
            "1|Ann A|Sales|-|a@x.example - 2021-01-01",
            "1|Ann A|Sales|-|ann@x.example - 2021-01-01",
            "1|Ann A|Trading|-|a@x.example 2021-01-01 2022-01-01",
            "1|Ann Z|Trading|-|a@x.example 2022-01-01 -",
            "2|Ben B|-|-|ann@x.example 2021-01-01 2022-01-01",
            "2|Ben B|-|-|b@x.example - 2022-01-01",
            "2|Ben B|-|-|b@x.example 2023-01-01 -",
        ]
    );
}

#[test]
fn a_sync_goes_on_from_a_file_of_names() {
    let old = read(
        "person,address,network,valid_to\nAnn A,a@x.example,,\nAnn A,ann,skype,2019-01-01\n\
                    Ben B,b@x.example,,\nCy C,c@x.example,,2030-01-01\n",
    );
    let (old_ms, at) = (day("2020-01-01"), day("2021-01-01"));
    let now = [seen("1", "ann a", "", "a@x.example"), seen("3", "Cy C", "", "c@x.example")];
    let new = sync(Some((&old, old_ms)), &now, at).unwrap();
    assert_eq!(
        lines(&new),
        [
            "1|Ann A|-|-|a@x.example - 2021-01-01",
            "1|Ann A|-|skype|ann - 2019-01-01",
            "1|ann a|-|-|a@x.example 2021-01-01 -",
            "3|Cy C|-|-|c@x.example - 2030-01-01",
            "-|Ben B|-|-|b@x.example - 2021-01-01",
        ]
    );
    assert_eq!(closed(&old, &new, at), (3, 1));
    let what = difference(&old, &new);
    assert_eq!((what.added.len(), what.removed.len(), what.changed.len(), what.before), (0, 0, 3, 3));
    assert_eq!(held(new.custodian("Ann A")), ["- a@x.example - -", "skype ann - 2019-01-01"]);
}

#[test]
fn a_sync_that_is_not_clear_is_refused() {
    let old = read("person,address\nAnn A,a@x.example\n");
    let at = day("2020-01-01");
    let check = |old_ms: i64, seen: &[Seen], want: &str| {
        assert_eq!(sync(Some((&old, old_ms)), seen, at).unwrap_err(), [want]);
    };
    let one = seen("1", "Ann A", "", "a@x.example");
    check(
        at,
        std::slice::from_ref(&one),
        "this machine's clock says 2020-01-01, but the register is of \
        2020-01-01; set the clock",
    );
    check(
        at - 1,
        &[one.clone(), seen("1", "Ben B", "", "b@x.example")],
        "cn=Ann A and cn=Ben B have the same id; \
        name another attribute for ids, or correct the directory",
    );
    check(
        at - 1,
        &[one, seen("2", "Ben B", "", "sip:a@x.example")],
        "Ann A and cn=Ben B: \"a@x.example\" is \"Ann A\"'s always and \"Ben B\"'s from 2020-01-01; end the one \
         before the other begins",
    );
}

#[test]
fn what_changes_is_told() {
    let old = read("person,address,id\nA A,a@x.example,1\nB B,b@x.example,\nC C,c@x.example,\n");
    let new = read("person,address,id\nA Z,a@x.example,1\nB B,b@x.example,\nD D,d@x.example,\n");
    let what = difference(&old, &new);
    let names = |changes: &[Change]| changes.iter().map(|change| change.name.clone()).collect::<Vec<_>>();
    assert_eq!([names(&what.added), names(&what.removed), names(&what.changed)], [["D D"], ["C C"], ["A Z"]]);
    let Change { removed, added, .. } = &what.changed[0];
    assert_eq!((removed[0].name.as_str(), added[0].name.as_str()), ("A A", "A Z"));
    assert!(difference(&old, &old).is_empty());
    let drastic = |old: &People, new: &People| difference(old, new).is_drastic();
    let none = People::default();
    assert_eq!([drastic(&old, &new), drastic(&none, &new), drastic(&none, &none)], [false; 3]);
    assert!(drastic(&new, &none));
    // Half is not more than half.
    let (two, one) =
        (read("person,address\nA,a@x.example\nB,b@x.example\n"), read("person,address\nA,a@x.example\n"));
    assert!(!drastic(&two, &one));
}

fn store(dir: &std::path::Path) -> PeopleStore {
    let location = Location::Folder(dir.to_owned());
    PeopleStore::of(Arc::new(Store::open(&location, &S3Settings::default()).unwrap()))
}

fn register(number: u64) -> Register {
    let source = Source::of("file", "people.csv", TWO.as_bytes());
    Register { number, at_ms: 1_000 + number as i64, source, people: read(TWO) }
}

#[test]
fn registers_are_numbered_and_the_first_writer_of_a_number_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    assert_eq!(store.newest().unwrap(), None);
    assert!(store.publish(&register(1)).unwrap());
    let other = Register { at_ms: 5, ..register(1) };
    assert!(!store.publish(&other).unwrap());
    assert!(store.publish(&register(1)).unwrap(), "one's own is there already");
    assert!(store.publish(&register(2)).unwrap());
    assert_eq!(store.newest().unwrap(), Some(register(2)));
    assert_eq!(store.read(1).unwrap(), Some(register(1)));
    assert_eq!(store.numbers().unwrap(), [1, 2]);
}

#[test]
fn a_damaged_newest_register_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path());
    for number in [1, 2] {
        assert!(store.publish(&register(number)).unwrap());
    }
    let path = dir.path().join("people/00000000000000000002.json");
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    let damaged = [
        (text.replace("Alice Byte", "Alice Bite"), Kind::Corrupt),
        (text.replace("\"number\":2", "\"number\":3"), Kind::Corrupt),
        (text.replace("\"version\":1", "\"version\":2"), Kind::Newer),
        (text[..text.len() / 2].to_owned(), Kind::Corrupt),
        (String::new(), Kind::Corrupt),
    ];
    for (text, kind) in damaged {
        std::fs::write(&path, &text).unwrap();
        assert_eq!(store.newest().unwrap_err().kind, kind, "{text}");
    }
    std::fs::write(&path, bytes).unwrap();
    assert!(store.newest().unwrap().is_some());
}

/// A file of version 1, which is read for ever.
#[test]
fn the_golden_register_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let golden = include_bytes!("../golden/people.v1.json");
    std::fs::create_dir(dir.path().join("people")).unwrap();
    std::fs::write(dir.path().join("people/00000000000000000001.json"), golden).unwrap();
    assert_eq!(store(dir.path()).newest().unwrap(), Some(register(1)));
    let new = tempfile::tempdir().unwrap();
    store(new.path()).publish(&register(1)).unwrap();
    let written = std::fs::read(new.path().join("people/00000000000000000001.json")).unwrap();
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(golden));
}

fn random_rows() -> impl Strategy<Value = Vec<Row>> {
    let time = || proptest::option::of(0..12i64);
    let row =
        (0..4usize, 0..3usize, 0..3usize, time(), time()).prop_map(|(who, address, network, from, to)| Row {
            place: "row".to_owned(),
            id: None,
            entry: Entry {
                name: format!("Person {who}"),
                department: None,
                network: [None, Some("lync"), Some("skype")][network].map(str::to_owned),
                address: ["a@x.example", "sip:A@x.example", "live:b"][address].to_owned(),
                from_ms: from,
                to_ms: to,
            },
        });
    proptest::collection::vec(row, 1..7)
}

/// Who holds an address, by reading every row.
fn holders<'r>(rows: &'r [Row], network: &str, address: &str, at: i64) -> Vec<&'r str> {
    let is = |row: &&Row| {
        row.entry.range().contains(at)
            && row.entry.network.as_deref().is_none_or(|on| on == network)
            && row.entry.address.to_lowercase().trim_start_matches("sip:") == address
    };
    let mut names: Vec<&str> = rows.iter().filter(is).map(|row| row.entry.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a record of one party is found, by the meaning of the nodes that custodians are made of.
fn finds(query: &Query, network: &str, terms: &[String], at: i64) -> bool {
    let each = |part: &Query| finds(part, network, terms, at);
    match query {
        Query::And(parts) => parts.iter().all(each),
        Query::Or(parts) => parts.iter().any(each),
        Query::Participant(pattern) => pattern.matches(terms.iter()),
        Query::Network(on) => on.matches(network),
        Query::Date(range) => range.contains(at),
        other => panic!("{other} is in no custodian"),
    }
}

fn instants() -> impl Iterator<Item = (&'static str, &'static str, i64)> {
    let on = |network| ["a@x.example", "live:b"].map(|address| (network, address));
    let all = [on("lync"), on("skype"), on("other")].concat();
    all.into_iter().flat_map(|(network, address)| (-1..13).map(move |at| (network, address, at)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a file holds, it is read or its mistakes are named.
    #[test]
    fn any_bytes_are_a_register_or_have_a_mistake(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        text in "[\\x20-\\x7e,;\"\n\r\u{feff}é]{0,80}",
    ) {
        let files = [bytes.clone(), text.clone().into_bytes(), [b"person,address\n", bytes.as_slice()].concat(),
            format!("address;person;valid_from\n{text}").into_bytes()];
        for file in files {
            if let Err(mistakes) = read_csv(&file) {
                prop_assert!(!mistakes.shown.is_empty() && mistakes.shown.len() <= PROBLEMS_MAX);
            }
        }
    }

    /// Rows make a register exactly when at every instant an address is one person's at most.
    #[test]
    fn at_every_instant_an_address_is_one_persons(rows in random_rows()) {
        let sound = rows.iter().all(|row| {
            row.entry.from_ms.zip(row.entry.to_ms).is_none_or(|(from, to)| from < to)
        });
        let clear = instants().all(|(network, address, at)| holders(&rows, network, address, at).len() <= 1);
        match People::new(rows.clone()) {
            Ok(people) => {
                prop_assert!(sound && clear);
                for (network, address, at) in instants() {
                    let want = holders(&rows, network, address, at).first().copied();
                    let holders = Holders::new(people.clone());
                    prop_assert_eq!(holders.at(network, address, at).map(Person::name), want);
                }
            }
            Err(mistakes) => prop_assert!(!sound || !clear, "{:?}", mistakes),
        }
    }

    /// The query of a custodian finds what the custodian held then, and nothing else.
    #[test]
    fn a_query_finds_what_was_held(rows in random_rows()) {
        let Ok(people) = People::new(rows) else { return Ok(()) };
        for person in people.persons() {
            let found = query(&people.custodian(person.name()).unwrap());
            for (network, address, at) in instants() {
                for address in [address.to_owned(), format!("{address};user=phone"), format!("SIP:{address}")] {
                    let mut terms = Vec::new();
                    crate::text::address_terms(&address, None, &mut terms);
                    let holds = Holders::new(people.clone()).at(network, &address, at) == Some(person);
                    prop_assert_eq!(finds(&found, network, &terms, at), holds, "{} {} {}", found, address, at);
                }
            }
        }
    }

    /// What a person held when is the same after any number of syncs, but for what comes after.
    #[test]
    fn a_sync_never_changes_the_past(
        rows in random_rows(),
        holding in proptest::collection::vec((0..5usize, 0..2usize), 0..3),
    ) {
        let Ok(old) = People::new(rows) else { return Ok(()) };
        let mut now: Vec<Seen> = Vec::new();
        for (who, address) in holding {
            let address = ["a@x.example", "live:b"][address];
            if now.iter().any(|seen| seen.addresses == [address] || seen.name.ends_with(&who.to_string())) {
                continue;
            }
            now.push(seen(&format!("id {who}"), &format!("Person {who}"), "", address));
        }
        // A directory may contradict what a file said of the future: that is an error, never a change.
        let Ok(new) = sync(Some((&old, 5)), &now, 6) else { return Ok(()) };
        for (network, address, at) in instants().filter(|(_, _, at)| *at < 6) {
            let name = |people: &People| Holders::new(people.clone()).at(network, address, at).map(|p| p.name().to_owned());
            prop_assert_eq!(name(&old), name(&new));
        }
        for (network, address, _) in instants() {
            let holds = |s: &&Seen| s.addresses.iter().any(|a| a == address);
            let want = now.iter().find(holds).map(|seen| seen.name.as_str());
            let holders = Holders::new(new.clone());
            prop_assert_eq!(holders.at(network, address, 6).map(Person::name), want);
        }
    }
}
