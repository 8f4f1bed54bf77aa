//! A production that was altered in every way is named as such.

use super::*;

/// Changes one file's lines.
pub(super) fn edit(dir: &Path, name: &str, change: impl FnOnce(&mut Vec<String>)) {
    let path = dir.join(name);
    let mut lines: Vec<String> = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).unwrap();
}

pub(super) fn replace(dir: &Path, name: &str, from: &str, to: &str) {
    let path = dir.join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn damage_is_named() {
    type Damage = fn(&Path);
    let cases: &[(&str, Damage, &[&str])] = &[
        (
            "delete a line",
            |d| edit(d, RECORDS, |lines| drop(lines.remove(2))),
            &[
                "records.jsonl: t:1:0:2 is missing; it is in receipt.json line 18",
                "receipt.json: count is 8; there are 7 records",
                "receipt.json: types says 3 of im.message.sent; there are 2",
                "receipt.json: digest is",
            ],
        ),
        (
            "swap two lines",
            |d| edit(d, RECORDS, |lines| lines.swap(3, 4)),
            &["records.jsonl: its sha-256 is", "records.jsonl line 5: t:1:0:3 does not come after t:1:0:4"],
        ),
        (
            "repeat a line",
            |d| edit(d, RECORDS, |lines| lines.insert(1, lines[0].clone())),
            &[
                "records.jsonl line 2: t:1:0:0 repeats t:1:0:0",
                "records.jsonl line 2: t:1:0:0 is not in the receipt",
            ],
        ),
        (
            "edit a payload",
            |d| replace(d, RECORDS, r"hello</b> 0", r"hallo</b> 0"),
            &[
                "records.jsonl line 1: t:1:0:0 is not what was archived: its leaf hash is",
                "records.jsonl line 1: t:1:0:0 has another leaf hash in the receipt",
            ],
        ),
        (
            "edit what people read",
            |d| replace(d, RECORDS, r#""text":"hello"#, r#""text":"hallo"#),
            &[
                "records.jsonl: its sha-256 is",
                "records.jsonl line 1: a member is not what key, headers and payload say",
            ],
        ),
        (
            "edit a broker time",
            |d| replace(d, RECORDS, "16:53:20.001Z", "16:53:20.002Z"),
            &["records.jsonl line 2: a member is not what"],
        ),
        (
            "edit a key",
            |d| replace(d, RECORDS, r#""key":"c-88""#, r#""key":"c-89""#),
            &["records.jsonl line 2: t:1:0:1 is not what was archived"],
        ),
        (
            "edit a header",
            |d| replace(d, RECORDS, r#""value_base64":"/g==""#, r#""value_base64":"/w==""#),
            &["records.jsonl line 3: t:1:0:2 is not what was archived"],
        ),
        (
            "edit a position",
            |d| replace(d, RECORDS, "t:1:0:7", "t:1:0:8"),
            &[
                "records.jsonl line 8: t:1:0:8 is not what was archived",
                "records.jsonl line 8: t:1:0:8 is not in the receipt",
                "records.jsonl: t:1:0:7 is missing",
            ],
        ),
        (
            "edit a line's batch",
            |d| replace(d, RECORDS, r#""batch":"b0""#, r#""batch":"b9""#),
            &["records.jsonl line 1: batch b9 is not in the receipt"],
        ),
        (
            "edit a line's root",
            |d| replace(d, RECORDS, r#""batch_root":""#, r#""batch_root":"00"#),
            &["records.jsonl line 1: it is not a record"],
        ),
        (
            "another position's form",
            |d| replace(d, RECORDS, "t:1:0:7", "t:1:0:07"),
            &["records.jsonl line 8: position t:1:0:07 is not written as t:1:0:7"],
        ),
        (
            "both forms of a payload",
            |d| replace(d, RECORDS, r#""payload":null,"#, r#""payload":"","#),
            &["records.jsonl line 7: it has both payload and payload_base64"],
        ),
        (
            "no line end",
            |d| {
                let text = fs::read(d.join(RECORDS)).unwrap();
                fs::write(d.join(RECORDS), &text[..text.len() - 1]).unwrap();
            },
            &["records.jsonl line 8: it has no line end", "records.jsonl: it has"],
        ),
        (
            "not JSON",
            |d| edit(d, RECORDS, |lines| lines[1] = "{".into()),
            &["records.jsonl line 2: it is not a record"],
        ),
        ("add a file", |d| fs::write(d.join("extra"), "x").unwrap(), &["extra: it is not in the receipt"]),
        ("add a folder", |d| fs::create_dir(d.join("extra")).unwrap(), &["extra: it is not in the receipt"]),
        (
            "remove the records",
            |d| fs::remove_file(d.join(RECORDS)).unwrap(),
            &["records.jsonl: it is missing"],
        ),
        (
            "remove the text",
            |d| fs::remove_file(d.join(HOW_TO)).unwrap(),
            &["HOW-TO-VERIFY.txt: it is missing"],
        ),
        (
            "remove the receipt",
            |d| fs::remove_file(d.join(RECEIPT)).unwrap(),
            &["receipt.json: it is missing"],
        ),
        (
            "a folder for the records",
            |d| {
                fs::remove_file(d.join(RECORDS)).unwrap();
                fs::create_dir(d.join(RECORDS)).unwrap();
            },
            &["records.jsonl: it is not a regular file"],
        ),
        (
            "edit the text",
            |d| replace(d, HOW_TO, "SHA-256", "SHA-257"),
            &["HOW-TO-VERIFY.txt: its sha-256 is"],
        ),
        (
            "edit the count",
            |d| replace(d, RECEIPT, r#""count":8"#, r#""count":9"#),
            &["receipt.json: count is 9; there are 8 records"],
        ),
        (
            "edit a type's count",
            |d| replace(d, RECEIPT, r#""file.shared":1"#, r#""file.shared":2"#),
            &["receipt.json: types says 2 of file.shared; there are 1"],
        ),
        ("edit why", |d| replace(d, RECEIPT, "case 7", "case 8"), &["receipt.json: production "]),
        (
            "edit the version",
            |d| replace(d, RECEIPT, r#""through_version":3"#, r#""through_version":4"#),
            &["receipt.json: production "],
        ),
        (
            "edit a size",
            |d| replace(d, RECEIPT, r#""bytes":"#, r#""bytes":1"#),
            &["HOW-TO-VERIFY.txt: it has "],
        ),
        (
            "forget a file",
            |d| edit(d, RECEIPT, |lines| lines[12] = r#""files":[],"#.into()),
            &[
                "receipt.json: it does not list records.jsonl",
                "receipt.json: it does not list HOW-TO-VERIFY.txt",
                "records.jsonl: it is not in the receipt",
            ],
        ),
        (
            "list another file",
            |d| replace(d, RECEIPT, HOW_TO, "../../etc/passwd"),
            &["receipt.json: it lists \"../../etc/passwd\", which is no file of a production"],
        ),
        (
            "forget a batch",
            |d| edit(d, RECEIPT, |lines| lines[13] = r#""batches":{},"#.into()),
            &["records.jsonl line 1: batch b0 is not in the receipt"],
        ),
        (
            "invent a batch",
            |d| {
                replace(
                    d,
                    RECEIPT,
                    r#""batches":{"#,
                    &format!(r#""batches":{{"a":{{"root":"{}","archived_time":null}},"#, "0".repeat(64)),
                )
            },
            &["receipt.json: no record is of batch a"],
        ),
        (
            "edit an entry's hash",
            |d| {
                edit(d, RECEIPT, |lines| {
                    lines[15] = lines[15].replace("\"leaf_hash\":\"", "\"leaf_hash\":\"0")
                })
            },
            &["receipt.json line 16: it is not the entry of a record"],
        ),
        (
            "edit an entry's batch",
            |d| edit(d, RECEIPT, |lines| lines[15] = lines[15].replace("b0", "b1")),
            &["records.jsonl line 1: t:1:0:0 is of another batch in the receipt"],
        ),
        (
            "remove an entry",
            |d| edit(d, RECEIPT, |lines| drop(lines.remove(16))),
            &["records.jsonl line 2: t:1:0:1 is not in the receipt"],
        ),
        (
            "swap entries",
            |d| edit(d, RECEIPT, |lines| lines.swap(16, 17)),
            &["receipt.json line 18: t:1:0:1 does not come after t:1:0:2"],
        ),
        (
            "count deliveries that were not",
            |d| {
                edit(d, RECEIPT, |lines| {
                    lines[15] = lines[15].replace("\"deliveries\":1", "\"deliveries\":4")
                })
            },
            &["receipt.json: deliveries is "],
        ),
        (
            "a record that was never delivered",
            |d| {
                edit(d, RECEIPT, |lines| {
                    lines[15] = lines[15].replace("\"deliveries\":1", "\"deliveries\":0")
                })
            },
            &["receipt.json line 16: t:1:0:0 was never delivered"],
        ),
        (
            "edit an entry's row",
            |d| edit(d, RECEIPT, |lines| lines[16] = lines[16].replace("\"row\":1", "\"row\":9")),
            &["receipt.json: the proof of batch b0: too few hashes"],
        ),
        (
            "edit a batch's number of records",
            |d| replace(d, RECEIPT, r#""rows":16"#, r#""rows":17"#),
            &["receipt.json: the proof of batch b0: too few hashes"],
        ),
        (
            "edit a proof",
            |d| {
                edit(d, RECEIPT, |lines| {
                    let at = lines[13].find(r#""proof":[""#).unwrap() + 10;
                    let digit = if &lines[13][at..=at] == "0" { "1" } else { "0" };
                    lines[13].replace_range(at..=at, digit);
                })
            },
            &["receipt.json: the records of batch b0 lead to root"],
        ),
        (
            "a comma too few",
            |d| edit(d, RECEIPT, |lines| lines[15] = lines[15].trim_end_matches(',').to_owned()),
            &["receipt.json line 17: it is not in the form"],
        ),
        (
            "capital digits",
            |d| edit(d, RECEIPT, |lines| lines[11] = lines[11].to_uppercase().replace("DIGEST", "digest")),
            &["receipt.json: it cannot be read: a hash is 64 hexadecimal digits in lower case"],
        ),
        (
            "a newer form",
            |d| replace(d, RECEIPT, r#""format_version":2"#, r#""format_version":3"#),
            &["receipt.json: its format version is 3"],
        ),
        (
            "an unknown member",
            |d| replace(d, RECEIPT, r#""count":"#, r#""note":"","count":"#),
            &["receipt.json: it cannot be read: unknown field `note`"],
        ),
        (
            "something after the end",
            |d| edit(d, RECEIPT, |lines| lines.push("{}".into())),
            &["receipt.json line 25: something follows the end"],
        ),
    ];
    let world = world();
    world.produce(world.first(8), "good").unwrap();
    let good = contents(&world.path("good"));
    for (n, (what, damage, expected)) in cases.iter().enumerate() {
        let dir = world.path(&format!("bad{n}"));
        fs::create_dir(&dir).unwrap();
        good.iter().for_each(|(name, bytes)| fs::write(dir.join(name), bytes).unwrap());
        damage(&dir);
        let found = problems(&dir);
        for expected in *expected {
            assert!(
                found.iter().any(|problem| problem.starts_with(expected)),
                "{what}: no {expected:?} in {found:#?}"
            );
        }
    }
}
