//! `custody verify --queries`.

use std::path::Path;

use custody_index::{Exactness, verify_queries};
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{Done, Failure};
use crate::settings::Loaded;
use crate::show::one_line;
use crate::{asking, out, outln};

/// Compares the index with reading everything, one query a line; empty lines and those that begin
/// with `#` are passed over.
pub fn verify(loaded: &Loaded, file: &Path, zone_name: &str, as_json: bool) -> Done {
    let zone = asking::zone(zone_name)?;
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", file.display())))?;
    let lines = (1..).zip(text.lines()).map(|(number, line)| (number, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let query = |(number, line): (u64, &str)| {
        asking::query(loaded, line, &zone)
            .map_err(|failure| Failure::usage(format!("{}, line {number}: {failure}", file.display())))
    };
    let queries = lines.map(query).collect::<Result<Vec<_>, _>>()?;
    if queries.is_empty() {
        return Err(Failure::usage(format!("{} holds no query: write one a line", file.display())));
    }
    let (archive, searcher) = asking::searcher(loaded)?;
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{pos} records read, {per_sec}") {
        bar.set_style(style);
    }
    let all = verify_queries(&searcher, &archive, &queries, &mut |read| bar.set_position(read))?;
    bar.finish_and_clear();
    if as_json {
        outln!("{}", serde_json::to_string_pretty(&all).map_err(Failure::failed)?);
    } else {
        out!("{}", table(&all));
    }
    let wrong = all.iter().filter(|one| one.different > 0).count();
    if wrong > 0 {
        return Err(Failure::unsound(format!(
            "the index does not answer {wrong} of {} queries exactly",
            all.len()
        )));
    }
    if !as_json {
        outln!(
            "{} queries, each answered exactly, through version {}",
            all.len(),
            searcher.through_version()?
        );
    }
    Ok(())
}

fn table(all: &[Exactness]) -> String {
    let mut out = String::new();
    for one in all {
        let word = if one.different == 0 { "exact" } else { "WRONG" };
        out +=
            &format!("{word} {:>9} events {:>9} records  {}\n", one.total, one.copies, one_line(&one.query));
        one.differences.iter().for_each(|difference| out += &format!("      {difference}\n"));
        let more = one.different - one.differences.len() as u64;
        if more > 0 {
            out += &format!("      and {more} more\n");
        }
    }
    out
}
