//! What is looked for: words as frequent as they are said to be, measured.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use custody_cli::sim::Simulator;
use custody_index::query::parse;
use custody_index::text::words;
use custody_index::{FacetRequest, Order, Request, Searcher};
use jiff::tz::TimeZone;

use super::Done;
use super::kept::simulated;

/// Events that words are taken from.
const SAMPLED: usize = 100_000;
/// One message in so many is looked through for words beside each other: there are many pairs.
const PAIRS_ONE_IN: usize = 10;
/// Words near the wanted frequency in the sample that are counted in the index.
const TRIED: usize = 12;

/// Words and people of an archive.
pub(crate) struct Chosen {
    /// In about a tenth of all records.
    pub(crate) common: String,
    /// In about one in a hundred.
    pub(crate) middle: String,
    /// Another.
    pub(crate) middle_too: String,
    /// Of seven letters or more, in about one in a thousand.
    pub(crate) long: String,
    /// In about one in a hundred thousand.
    pub(crate) rare: String,
    /// Two that stand beside each other in about one in a thousand.
    pub(crate) phrase: String,
    /// The address of somebody who takes part in the most.
    pub(crate) participant: String,
}

/// How many of the sampled records have what.
#[derive(Default)]
struct Sample {
    words: HashMap<String, u64>,
    pairs: HashMap<(String, String), u64>,
    people: BTreeMap<String, u64>,
}

impl Sample {
    fn of(events: usize) -> Sample {
        let mut sample = Sample::default();
        for (nth, event) in Simulator::new(simulated()).take(events).enumerate() {
            let Some(data) = event.event.data else { continue };
            for party in data.from.iter().chain(data.to.iter().flatten()) {
                *sample.people.entry(party.address.as_deref().unwrap_or_default().to_owned()).or_default() +=
                    1;
            }
            let message = data.message.unwrap_or_default();
            let text = message.text.as_deref().unwrap_or_default();
            let said: Vec<String> = words(text).map(|token| token.term.into_owned()).collect();
            for word in said.iter().collect::<BTreeSet<_>>() {
                *sample.words.entry(word.clone()).or_default() += 1;
            }
            if !nth.is_multiple_of(PAIRS_ONE_IN) {
                continue;
            }
            let pairs = said.windows(2).map(|pair| (pair[0].clone(), pair[1].clone()));
            for pair in pairs.collect::<BTreeSet<_>>() {
                *sample.pairs.entry(pair).or_default() += 1;
            }
        }
        sample
    }
}

fn is_plain(word: &str) -> bool {
    // Tags of HTML are none, and operators are words only in lower case.
    word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

impl Chosen {
    /// From the first events of the archive, each counted in the whole of it.
    pub(crate) fn of(searcher: &Searcher, events: u64) -> Done<Chosen> {
        let sampled = SAMPLED.min(usize::try_from(events)?);
        let sample = Sample::of(sampled);
        let mut taken = BTreeSet::new();
        let mut nearest = |share: f64, letters: usize| -> Done<String> {
            let fits = |word: &&String| is_plain(word) && word.len() >= letters && !taken.contains(*word);
            let words = sample.words.keys().filter(fits).map(|word| (word.clone(), sample.words[word]));
            let word = counted(searcher, words.collect(), share, sampled, events)?;
            taken.insert(word.clone());
            Ok(word)
        };
        let (common, middle, middle_too) = (nearest(0.1, 0)?, nearest(0.01, 5)?, nearest(0.01, 5)?);
        let (long, rare) = (nearest(0.001, 7)?, nearest(0.000_01, 5)?);
        let pairs = sample.pairs.iter().filter(|((a, b), _)| is_plain(a) && is_plain(b));
        let pairs = pairs.map(|((a, b), count)| (format!("\"{a} {b}\""), *count));
        let phrase = counted(searcher, pairs.collect(), 0.001, sampled / PAIRS_ONE_IN, events)?;
        let people = sample.people.iter().filter(|(address, _)| address.starts_with("sip:"));
        let participant = people.max_by_key(|(_, count)| **count).ok_or("nobody took part")?.0.clone();
        Ok(Chosen { common, middle, middle_too, long, rare, phrase, participant })
    }
}

/// The text of which the whole archive has nearest to so many records.
fn counted(
    searcher: &Searcher,
    mut texts: Vec<(String, u64)>,
    share: f64,
    sampled: usize,
    events: u64,
) -> Done<String> {
    let wanted = (share * sampled as f64) as u64;
    texts.sort_by_cached_key(|(text, count)| (count.abs_diff(wanted), text.clone()));
    texts.truncate(TRIED);
    let wanted = (share * events as f64) as u64;
    let mut found = Vec::with_capacity(texts.len());
    for (text, _) in texts {
        let total = searcher.count(&parse(&text, &TimeZone::UTC).map_err(|e| e.render(&text))?)?.total;
        found.push((total.abs_diff(wanted), Reverse(total), text));
    }
    Ok(found.into_iter().min().ok_or("there are no words to look for")?.2)
}

/// One line of the table.
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) what: String,
    pub(crate) request: Request,
}

impl Row {
    fn new(text: &str, order: Order, limit: usize) -> Done<Row> {
        let query = parse(text, &TimeZone::UTC).map_err(|error| error.render(text))?;
        let what = if limit == 0 { "count".to_owned() } else { format!("{order:?} {limit}").to_lowercase() };
        Ok(Row { text: text.to_owned(), what, request: Request::new(query, order, limit) })
    }

    fn first(text: &str) -> Done<Row> {
        Row::new(text, Order::Newest, 20)
    }

    fn count(text: &str) -> Done<Row> {
        Row::new(text, Order::Newest, 0)
    }

    fn facets(text: &str) -> Done<Row> {
        let row = Row::count(text)?;
        let facets = Some(FacetRequest { top: 10, zone: TimeZone::UTC });
        Ok(Row { what: "count, facets".to_owned(), request: Request { facets, ..row.request }, ..row })
    }
}

/// What the table has. `days` are the last of the archive, `day` is an early one.
pub(crate) fn rows(chosen: &Chosen, days: &str, day: &str) -> Done<Vec<Row>> {
    let Chosen { common, middle, middle_too, long, rare, phrase, participant } = chosen;
    let ten = |text: &str| Row::new(text, Order::Newest, 10);
    let (both, near) = (format!("{common} {middle}"), format!("{common} w/5 {middle}"));
    let (start, end) = (&long[..4], &long[long.len() - 4..]);
    let prefix = format!("{start}*");
    Ok(vec![
        Row::first("*")?,
        Row::count("*")?,
        Row::facets("*")?,
        Row::first(common)?,
        Row::new(common, Order::Oldest, 20)?,
        Row::new(common, Order::Relevance, 20)?,
        Row::count(common)?,
        Row::facets(common)?,
        Row::first(middle)?,
        Row::facets(middle)?,
        Row::first(rare)?,
        Row::first(&both)?,
        Row::first(&format!("{middle} {middle_too}"))?,
        Row::first(&format!("{common} -{middle}"))?,
        Row::first(phrase)?,
        Row::first(&near)?,
        Row::first(&format!("{middle} w/5 {middle_too}"))?,
        Row::first(&format!("{prefix} w/5 {common}"))?,
        Row::first(&prefix)?,
        Row::first(&format!("*{end}"))?,
        Row::first(&format!("{}*{}", &long[..2], &long[long.len() - 2..]))?,
        Row::first(&format!("{long}~1"))?,
        Row::first(&format!("{long}%"))?,
        Row::first(&format!("participant:{participant}"))?,
        Row::first(&format!("participant:{participant} date:{days}"))?,
        Row::first(&format!("participant:{participant} {common} date:{days}"))?,
        Row::first("type:call.ended")?,
        Row::first(&format!("{common} date:{day}"))?,
        ten(common)?,
        ten(rare)?,
        ten(&both)?,
        ten(phrase)?,
        ten(&near)?,
        ten(&prefix)?,
        ten(&format!("{common} date:{day}"))?,
    ])
}

/// What is asked again as the archive grows: nearly all of it is of one day.
pub(crate) fn growing(chosen: &Chosen, day: &str) -> Done<Vec<Row>> {
    let Chosen { common, middle, long, phrase, participant, .. } = chosen;
    let on = |text: &str| Row::first(&format!("{text} date:{day}"));
    Ok(vec![
        on(common)?,
        on(&format!("{common} {middle}"))?,
        on(phrase)?,
        on(&format!("{common} w/5 {middle}"))?,
        on(&format!("{}*", &long[..4]))?,
        on(&format!("*{}", &long[long.len() - 4..]))?,
        on(&format!("participant:{participant}"))?,
        Row::count(&format!("{common} date:{day}"))?,
        Row::facets(&format!("{common} date:{day}"))?,
        Row::first(common)?,
        Row::count(common)?,
    ])
}
