//! Any text is a query that prints as itself, or has a mistake with a place:
//! `cargo +nightly fuzz run query`. `cargo test` runs what is in `corpus/query`.

#![no_main]

use custody_index::query::parse;
use jiff::tz::TimeZone;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(text, &TimeZone::UTC) {
        Ok(query) => {
            let printed = query.to_string();
            assert_eq!(parse(&printed, &TimeZone::UTC).as_ref(), Ok(&query), "{printed}");
        }
        Err(error) => {
            assert!(text.get(error.at..error.at + error.len).is_some(), "{error:?}");
            error.render(text);
        }
    }
});
