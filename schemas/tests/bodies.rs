//! Bodies of real messages, beside the repository.

use std::fs;
use std::path::Path;

use custody_schemas::text::{Plain, plain_with_map};
use serde_json::Value;

/// The bodies of messages that Graph's documentation shows.
#[test]
#[ignore = "a step of .ci/run, which counts it as skipped where the data is not beside the repository"]
fn bodies_of_teams() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/msgraph");
    let mut bodies = Vec::new();
    let paths = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        if let Ok(value) = serde_json::from_slice(&fs::read(&path).unwrap()) {
            find_bodies(&value, &mut bodies);
        }
    }
    println!("{} bodies", bodies.len());
    assert!(bodies.len() > 10);
    for body in bodies {
        let Plain { text, map } = plain_with_map(Some("text/html"), &body);
        let tags = ["<p", "<div", "</", "<at", "<attachment", "<span", "<img", "&nbsp;", "&amp;"];
        assert!(!tags.iter().any(|tag| text.contains(tag)), "{body}\n{text}");
        for (at, word) in text.match_indices(|c: char| c.is_ascii_alphanumeric()) {
            // None where it is of a link's address.
            for piece in map.shown(at..at + 1) {
                let shown = &body[piece];
                assert!(shown.contains(word) || shown.starts_with(['<', '&']), "{body}\n{text} at {at}");
            }
        }
    }
}

fn find_bodies(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if members.get("contentType").is_some_and(|kind| kind == "html")
                && let Some(content) = members.get("content").and_then(Value::as_str)
            {
                out.push(content.to_owned());
            }
            members.values().for_each(|member| find_bodies(member, out));
        }
        Value::Array(elements) => elements.iter().for_each(|element| find_bodies(element, out)),
        _ => {}
    }
}
