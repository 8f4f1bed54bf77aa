//! What an answer consists of, and how it was come by.

use std::fmt::Write;

use custody_index::query::Query;
use custody_index::{Explained, FacetCount, Facets, Histogram, Unit};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{one_line, time};

/// Columns of the longest bar.
const BAR_COLUMNS: u64 = 40;

/// Everything, a section each.
pub fn table(facets: &Facets, zone: &TimeZone) -> String {
    let mut out = over_time(&facets.histogram, zone);
    for (title, counts) in [
        ("participants", &facets.participants),
        ("domains", &facets.domains),
        ("types", &facets.types),
        ("conversations", &facets.conversations),
    ] {
        let _ = writeln!(out, "\n{title}");
        for FacetCount { value, count } in counts {
            let value = if value.is_empty() { "(none)".to_owned() } else { one_line(value) };
            let _ = writeln!(out, "{count:>10}  {value}");
        }
    }
    out
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Minute => "minute",
        Unit::Hour => "hour",
        Unit::Day => "day",
        Unit::Month => "month",
        Unit::Year => "year",
    }
}

fn over_time(histogram: &Histogram, zone: &TimeZone) -> String {
    let format = match histogram.unit {
        Unit::Minute | Unit::Hour => "%Y-%m-%d %H:%M",
        Unit::Day => "%Y-%m-%d",
        Unit::Month => "%Y-%m",
        Unit::Year => "%Y",
    };
    let by = match histogram.step {
        1 => unit(histogram.unit).to_owned(),
        step => format!("{step} {}s", unit(histogram.unit)),
    };
    let mut out = format!("\nby {by}\n");
    let most = histogram.buckets.iter().map(|bucket| bucket.count).max().unwrap_or_default().max(1);
    for bucket in &histogram.buckets {
        // An event leaves a mark, however few they are; 128 bits hold any product.
        let columns = (u128::from(bucket.count) * u128::from(BAR_COLUMNS)).div_ceil(u128::from(most));
        let bar = "#".repeat(usize::try_from(columns).unwrap_or_default());
        let from = time(bucket.from_ms.checked_mul(1_000), zone, format);
        let _ = writeln!(out, "{}", format!("{:>10}  {from}  {bar}", bucket.count).trim_end());
    }
    for (count, what) in [(histogram.untimed, "without a time"), (histogram.beyond, "in no calendar")] {
        if count > 0 {
            let _ = writeln!(out, "{count:>10}  {what}");
        }
    }
    out
}

/// The same for machines; times in milliseconds since 1970 UTC.
pub fn json(facets: &Facets) -> Value {
    let counts = |counts: &[FacetCount]| -> Vec<Value> {
        counts.iter().map(|facet| json!({ "value": facet.value, "count": facet.count })).collect()
    };
    let histogram = &facets.histogram;
    let buckets = histogram.buckets.iter();
    json!({
        "histogram": {
            "unit": unit(histogram.unit),
            "step": histogram.step,
            "buckets": buckets
                .map(|b| json!({ "from_ms": b.from_ms, "to_ms": b.to_ms, "count": b.count }))
                .collect::<Vec<_>>(),
            "untimed": histogram.untimed,
            "beyond": histogram.beyond,
        },
        "participants": counts(&facets.participants),
        "domains": counts(&facets.domains),
        "types": counts(&facets.types),
        "conversations": counts(&facets.conversations),
    })
}

/// How an answer was come by.
pub struct Account<'a> {
    /// As it was understood.
    pub query: &'a Query,
    /// Time to read the query, microseconds.
    pub parse_us: u64,
    /// Splits that were searched.
    pub searched: usize,
    /// Splits that could not hold a match.
    pub pruned: usize,
    /// What the index says.
    pub explained: Explained,
}

impl Account<'_> {
    fn steps(&self) -> [(&'static str, u64); 6] {
        let told = &self.explained;
        [
            ("parse", self.parse_us),
            ("open", told.open_us),
            ("match", told.match_us),
            ("page", told.pick_us),
            ("facets", told.facets_us),
            ("fetch", told.fetch_us),
        ]
    }

    /// For people.
    pub fn table(&self) -> String {
        let ms = |us: u64| format!("{}.{:03}", us / 1_000, us % 1_000);
        let steps = self.steps().map(|(step, us)| format!("{step} {}", ms(us))).join(", ");
        format!(
            "query: {}\nsplits: {} searched, {} of them only counted; {} could hold no match\nms: {steps}\n",
            one_line(&self.query.to_string()),
            self.searched,
            self.explained.splits_only_counted,
            self.pruned
        )
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let steps = self.steps().into_iter().map(|(step, us)| (step.to_owned(), us.into()));
        json!({
            "query": self.query.to_string(),
            "splits_searched": self.searched,
            "splits_only_counted": self.explained.splits_only_counted,
            "splits_pruned": self.pruned,
            "us": steps.collect::<serde_json::Map<_, _>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use custody_index::Bucket;
    use custody_index::query::parse;

    use super::*;

    fn facets() -> Facets {
        let counts = |value: &str, count| vec![FacetCount { value: value.to_owned(), count }];
        let bucket = |from_ms, count| Bucket { from_ms, to_ms: from_ms + 3_600_000, count };
        Facets {
            histogram: Histogram {
                unit: Unit::Hour,
                step: 1,
                buckets: vec![bucket(0, 80), bucket(3_600_000, 0), bucket(7_200_000, 1)],
                untimed: 2,
                beyond: 0,
            },
            participants: counts("a\x1b[2J@x.example", 7),
            domains: Vec::new(),
            types: counts("", 9),
            conversations: counts("c-1", 3),
        }
    }

    #[test]
    fn facets_for_people() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let bar = "#".repeat(40);
        let expected = format!(
            "\nby hour\n        80  1970-01-01 01:00  {bar}\n         0  1970-01-01 02:00\n         \
             1  1970-01-01 03:00  #\n         2  without a time\n\nparticipants\n         \
             7  a\\u{{1b}}[2J@x.example\n\ndomains\n\ntypes\n         9  (none)\n\nconversations\n         \
             3  c-1\n"
        );
        assert_eq!(table(&facets(), &zone), expected);
    }

    #[test]
    fn facets_and_the_account_for_machines() {
        let json = json(&facets());
        assert_eq!(json["histogram"]["unit"], "hour");
        assert_eq!(
            json["histogram"]["buckets"][2],
            json!({ "from_ms": 7_200_000, "to_ms": 10_800_000, "count": 1 })
        );
        assert_eq!(json["conversations"], json!([{ "value": "c-1", "count": 3 }]));

        let query = parse("Fox  dog", &TimeZone::UTC).unwrap();
        let explained = Explained { splits_only_counted: 1, match_us: 12_034, ..Explained::default() };
        let account = Account { query: &query, parse_us: 7, searched: 3, pruned: 2, explained };
        assert_eq!(
            account.table(),
            "query: fox AND dog\nsplits: 3 searched, 1 of them only counted; 2 could hold no match\n\
             ms: parse 0.007, open 0.000, match 12.034, page 0.000, facets 0.000, fetch 0.000\n"
        );
        assert_eq!(account.json()["us"]["match"], 12_034);
        assert_eq!(account.json()["query"], "fox AND dog");
    }
}
