//! `custody search`, `show`, `conversation`.

use std::io::IsTerminal;
use std::time::Instant;

use custody_archive::{Archive, Record};
use custody_index::people::{LookupError, resolve};
use custody_index::query::{Query, parse};
use custody_index::{
    Answer, Cursor, Explained, FacetRequest, Found, GroupBy, Indexer, Order, Request, Searcher,
};
use custody_schemas::Position;
use jiff::tz::TimeZone;

use crate::args::{FormatArg, GroupArg, OrderArg, SearchArgs};
use crate::failure::{Done, Failure};
use crate::open;
use crate::settings::{Loaded, duration};
use crate::show;
use crate::show::conversation::Window;
use crate::show::facets::Account;
use crate::{out, outln};

/// Records of one conversation that are printed at most.
const CONVERSATION_MAX: usize = 100_000;
/// How many of each facet are printed.
const FACETS_TOP: usize = 10;
/// Records fetched at a time.
const FETCH: usize = 2_000;

/// A time zone by its IANA name.
pub fn zone(name: &str) -> Result<TimeZone, Failure> {
    TimeZone::get(name).map_err(|_| {
        Failure::usage(format!(
            "time zone {name:?} is not known; write an IANA name such as UTC or Europe/Berlin"
        ))
    })
}

/// A query, or where it is wrong. People are who the newest register says they are.
pub fn query(loaded: &Loaded, text: &str, zone: &TimeZone) -> Result<Query, Failure> {
    let query = parse(text, zone)
        .map_err(|error| Failure::usage(format!("the query cannot be read\n{}", error.render(text))))?;
    if !query.names_people() {
        return Ok(query);
    }
    let register = open::people(loaded)?.newest()?.ok_or_else(|| {
        Failure::failed("nobody said yet who is who: take in a register with `custody people import FILE`")
    })?;
    resolve(query, &register.people).map_err(|error| match &error {
        LookupError::Unknown { nearest: Some(known), .. } => {
            Failure::usage(format!("{error}\nhelp: did you mean {known:?}?"))
        }
        _ => Failure::usage(format!("{error}\nhelp: `custody people list` prints everybody")),
    })
}

/// The archive's searcher. An index that is missing or damaged is built first,
/// and says so; one that is behind answers, and the answer says through which
/// version.
pub fn searcher(loaded: &Loaded) -> Result<(Archive, Searcher), Failure> {
    searcher_with(loaded, open::searching(&loaded.settings))
}

fn searcher_with(loaded: &Loaded, settings: custody_index::Settings) -> Result<(Archive, Searcher), Failure> {
    let archive = open::archive(loaded)?;
    let store = open::index(loaded)?;
    match Indexer::open(&store, archive.clone(), settings.clone()) {
        Ok(mut indexer) => {
            if let Some(why) = indexer.rebuilding() {
                eprintln!("custody: building the index from the archive: {why}");
                let done = indexer.catch_up()?;
                eprintln!("custody: indexed {} records in {} ms", done.docs, done.ms);
            }
        }
        // Somebody may search an index that only others can write.
        Err(error) if error.kind == custody_index::Kind::Retry => eprintln!("custody: {error}"),
        Err(error) => return Err(error.into()),
    }
    let searcher = Searcher::open(&store, archive.clone(), settings)?;
    Ok((archive, searcher))
}

/// `custody search`
pub fn search(loaded: &Loaded, args: &SearchArgs) -> Done {
    let zone = zone(&args.zone)?;
    let started = Instant::now();
    let query = query(loaded, &args.query, &zone)?;
    let parse_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let search_ms_max = args.timeout.saturating_mul(1_000);
    let settings = custody_index::Settings { search_ms_max, ..open::searching(&loaded.settings) };
    let (archive, searcher) = searcher_with(loaded, settings)?;
    let order = match args.order {
        OrderArg::Newest => Order::Newest,
        OrderArg::Oldest => Order::Oldest,
        OrderArg::Relevance => Order::Relevance,
    };
    let request = Request {
        after: args.cursor.clone().filter(|_| !args.count).map(Cursor::from),
        facets: args.facets.then(|| FacetRequest { top: FACETS_TOP, zone: zone.clone() }),
        ..Request::new(query, order, if args.count { 0 } else { args.limit })
    };
    let asked = Asked { args, zone: &zone, request: &request, parse_us };
    if let Some(by) = args.group {
        return asked.grouped(&archive, &searcher, by);
    }
    let (answer, explained) = searcher.explain(&request)?;
    let account = asked.account(answer.splits_opened, answer.splits_pruned, explained);
    if args.count {
        outln!("{}", answer.total);
        // For people: programs read the number alone.
        eprintln!("complete through version {}", answer.through_version);
        eprint!("{}", account.map(|account| account.table()).unwrap_or_default());
        return Ok(());
    }
    asked.hint(answer.total);
    let behind = archive.refresh()?.saturating_sub(answer.through_version);
    print(args, &zone, &answer, behind, account.as_ref());
    Ok(())
}

/// What was asked and how it was understood.
struct Asked<'a> {
    args: &'a SearchArgs,
    zone: &'a TimeZone,
    request: &'a Request,
    parse_us: u64,
}

impl<'a> Asked<'a> {
    fn account(&self, searched: usize, pruned: usize, explained: Explained) -> Option<Account<'a>> {
        let Asked { request, parse_us, .. } = *self;
        self.args.explain.then_some(Account { query: &request.query, parse_us, searched, pruned, explained })
    }

    fn hint(&self, total: u64) {
        if total == 0
            && let Some(word) = lower_operator(&self.args.query)
        {
            let operator = word.to_ascii_uppercase();
            eprintln!("{word:?} was looked for as a word; the operator is {operator}, in capitals");
        }
    }

    fn grouped(&self, archive: &Archive, searcher: &Searcher, by: GroupArg) -> Done {
        let by = match by {
            GroupArg::Conversation => GroupBy::Conversation,
            GroupArg::Participant => GroupBy::Participant,
        };
        let (answer, explained) = searcher.groups(self.request, by)?;
        let account = self.account(answer.splits_opened, answer.splits_pruned, explained);
        self.hint(answer.total);
        let behind = archive.refresh()?.saturating_sub(answer.through_version);
        match self.args.format {
            FormatArg::Table => {
                out!("{}", show::groups::table(&answer.groups, self.zone, std::io::stdout().is_terminal()));
                out!("{}", show::groups::summary(&answer, behind, Some(&self.args.zone)));
                if let Some(facets) = &answer.facets {
                    out!("{}", show::facets::table(facets, self.zone));
                }
            }
            FormatArg::Json => outln!("{}", show::groups::json(&answer, account.as_ref())),
            FormatArg::Jsonl => {
                out!("{}", show::groups::jsonl(&answer));
                eprint!("{}", show::groups::summary(&answer, behind, None));
            }
        }
        if let Some(account) = account.filter(|_| self.args.format != FormatArg::Json) {
            eprint!("{}", account.table());
        }
        Ok(())
    }
}

fn print(
    args: &SearchArgs,
    zone: &TimeZone,
    answer: &Answer<Record>,
    behind: u64,
    account: Option<&Account<'_>>,
) {
    match args.format {
        FormatArg::Table => {
            out!("{}", show::hits::table(&answer.hits, zone, std::io::stdout().is_terminal()));
            out!("{}", show::hits::summary(answer, behind, Some(&args.zone)));
            if let Some(facets) = &answer.facets {
                out!("{}", show::facets::table(facets, zone));
            }
        }
        FormatArg::Json => outln!("{}", show::hits::json(answer, account)),
        FormatArg::Jsonl => {
            out!("{}", show::hits::jsonl(answer));
            // No line of the answer can say it, and there may be none.
            eprint!("{}", show::hits::summary(answer, behind, None));
        }
    }
    if let Some(account) = account.filter(|_| args.format != FormatArg::Json) {
        eprint!("{}", account.table());
    }
}

/// An operator in lower case, which is a word like any other.
fn lower_operator(query: &str) -> Option<&str> {
    // In a phrase it is meant as a word.
    let outside = query.split('"').step_by(2);
    outside
        .flat_map(str::split_whitespace)
        .find(|word| matches!(*word, "and" | "or" | "not" | "And" | "Or" | "Not"))
}

fn position(text: &str) -> Result<Position, Failure> {
    text.parse().map_err(Failure::usage)
}

/// `custody show`
pub fn record(loaded: &Loaded, text: &str, zone_name: &str) -> Done {
    let (zone, position) = (zone(zone_name)?, position(text)?);
    let archive = open::archive(loaded)?;
    // Before it is looked for: what is archived meanwhile may or may not be seen.
    let through = archive.refresh()?;
    let Some((file, row)) = archive.locate(&position)? else {
        let what = format!("{position}: the archive holds no record there through version {through}");
        return Err(Failure::failed(what));
    };
    for record in archive.fetch(&file, &[row])? {
        if record.position != position {
            eprintln!("{position} was lost; this is the row of the gap that it is in");
        }
        out!("{}", show::record::record(&record, &zone, std::io::stdout().is_terminal()));
    }
    Ok(())
}

/// Lines, or a time with its unit.
fn window(text: &str) -> Result<Window, Failure> {
    if let Ok(lines) = text.parse() {
        return Ok(Window::Lines(lines));
    }
    let time = duration(text).ok().and_then(|time| i64::try_from(time.as_micros()).ok());
    time.map(Window::Time).ok_or_else(|| {
        Failure::usage(format!(
            "--window {text:?} is neither a number of lines nor a time; write 20, or a number with s, m or h, \
             such as 30m"
        ))
    })
}

/// `custody conversation`
pub fn conversation(
    loaded: &Loaded,
    id: &str,
    around: Option<&str>,
    window_text: &str,
    zone_name: &str,
) -> Done {
    let (zone, window) = (zone(zone_name)?, window(window_text)?);
    let around = around.map(position).transpose()?;
    let (archive, searcher) = searcher(loaded)?;
    let found = searcher.positions(&Query::Conversation(id.into()), None)?;
    let through = found.through_version;
    let records = fetch_all(&archive, &found)?;
    if records.is_empty() {
        return Err(Failure::failed(format!("no record of conversation {id:?} through version {through}")));
    }
    if let Some(position) = around.as_ref().filter(|at| !records.iter().any(|record| record.position == **at))
    {
        return Err(Failure::failed(format!("{position} is no record of conversation {id:?}")));
    }
    out!("{}", show::conversation::conversation(&records, &zone, around.as_ref(), window));
    outln!("\n{} records; complete through version {through}; times in {zone_name}", records.len());
    Ok(())
}

fn fetch_all(archive: &Archive, found: &Found) -> Result<Vec<Record>, Failure> {
    if found.rows.len() > CONVERSATION_MAX {
        let message = format!(
            "{} records are too many to print, {CONVERSATION_MAX} at most; export them instead",
            found.rows.len()
        );
        return Err(Failure::failed(message));
    }
    let mut by_file: Vec<Vec<u64>> = vec![Vec::new(); found.files.len()];
    for row in &found.rows {
        by_file[row.file].push(row.row);
    }
    let mut records = Vec::with_capacity(found.rows.len());
    for (file, mut rows) in found.files.iter().zip(by_file) {
        rows.sort_unstable();
        for chunk in rows.chunks(FETCH) {
            records.extend(archive.fetch(file, chunk)?);
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_lines_or_a_time() {
        for (text, expected) in [
            ("0", Some(Window::Lines(0))),
            ("20", Some(Window::Lines(20))),
            ("90s", Some(Window::Time(90_000_000))),
            ("30m", Some(Window::Time(1_800_000_000))),
            ("2h", Some(Window::Time(7_200_000_000))),
            ("0m", Some(Window::Time(0))),
            ("", None),
            ("-1", None),
            ("1.5h", None),
            ("30x", None),
            ("m", None),
            ("99999999999999999999", None),
            ("9223372036854775807h", None),
        ] {
            let read = window(text);
            assert_eq!(read.as_ref().ok(), expected.as_ref(), "{text}");
            if let Err(failure) = read {
                assert!(failure.to_string().contains("such as 30m"), "{text}");
            }
        }
    }

    #[test]
    fn operators_in_lower_case_are_noticed() {
        for (query, expected) in [
            ("invoice and audit", Some("and")),
            ("a AND b", None),
            ("\"research and development\" x", None),
            ("Not this", Some("Not")),
            ("sand", None),
        ] {
            assert_eq!(lower_operator(query), expected, "{query}");
        }
    }
}
