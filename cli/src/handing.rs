//! `custody export`.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use custody_archive::{Archive, FileRef};
use custody_export::{
    Context, CustodianOptions, Custodians, Hit, Options, PrivateKey, Production, Progress, REQUEST_VERSION,
    Receipt, Request, Selection,
};
use custody_index::FoundRow;
use custody_index::people::{Holders, Person};
use custody_schemas::Position;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use crate::args::ExportArgs;
use crate::failure::{Done, Failure};
use crate::settings::Loaded;
use crate::wanted::{Wanted, Which, in_index};
use crate::{asking, open, outln};

fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len}, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

fn advance(bar: &ProgressBar) -> impl FnMut(Progress) + '_ {
    |step| {
        let (what, done, of) = match step {
            Progress::Reading(done, of) => ("reading and proving", done, of),
            Progress::Writing(done, of) => ("writing", done, of),
        };
        bar.set_message(what);
        bar.set_length(of);
        bar.set_position(done);
    }
}

/// Produces; the receipt says what. How many of the records stand beside hits.
fn produce(loaded: &Loaded, args: &ExportArgs) -> Result<(Receipt, u64), Failure> {
    let wanted = Wanted::read(args)?;
    // Before anything takes long.
    let key = args.key.as_deref().map(PrivateKey::read).transpose()?;
    let zone = asking::zone(&wanted.zone)?;
    let Wanted { which, custodians, who, why, zone: zone_name, format, options, files, fonts } = wanted;
    let (archive, selected) = match which {
        Which::Found(query, context) => found(loaded, query, context, &zone)?,
        Which::Named(positions) => named(loaded, &positions)?,
    };
    let Selected { hits, query, query_canonical, through_version, context, positions } = selected;
    let register = open::people(loaded)?.newest()?;
    let custodians = register.as_ref().map(|register| CustodianOptions {
        register: register.number,
        source_sha256: register.source.sha256.clone(),
        first: custodians,
    });
    let beside = hits.iter().filter(|hit| hit.is_context).count() as u64;
    let request = Request {
        version: REQUEST_VERSION,
        query,
        query_canonical,
        zone: zone_name,
        who,
        why,
        format,
        options: Some(Options { context, positions, custodians, ..options }),
    };
    let bar = bar("reading and proving");
    let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let production = Production {
        archive: &archive,
        request: &request,
        through_version,
        threads,
        files: files.as_deref(),
        fonts: fonts.as_deref(),
        custodians: register.map(|register| Arc::new(Registered(Holders::new(register.people))) as _),
        key: key.as_ref(),
    };
    let receipt = production.write(hits, &args.out, &mut advance(&bar))?;
    bar.finish_and_clear();
    Ok((receipt, beside))
}

/// Custodians by a register of people.
#[derive(Debug)]
struct Registered(Holders);

impl Custodians for Registered {
    fn holder(&self, network: &str, address: &str, at_ms: i64) -> Option<&str> {
        self.0.at(network, address, at_ms).map(Person::name)
    }
}

/// What is to be produced.
struct Selected {
    hits: Vec<Hit>,
    query: String,
    query_canonical: String,
    through_version: u64,
    context: Option<Context>,
    positions: Option<Selection>,
}

/// What a query finds, and what stands around it.
fn found(
    loaded: &Loaded,
    text: String,
    context: Option<Context>,
    zone: &TimeZone,
) -> Result<(Archive, Selected), Failure> {
    let query = asking::query(loaded, &text, zone)?;
    let (archive, searcher) = asking::searcher(loaded)?;
    let found = match context {
        Some(context) => searcher.positions_around(&query, None, &in_index(context, zone))?,
        None => searcher.positions(&query, None)?,
    };
    let files: Vec<_> = found.files.into_iter().map(Arc::new).collect();
    let hit = |row: &FoundRow| Hit {
        file: files[row.file].clone(),
        row: row.row,
        deliveries: row.copies,
        is_context: row.is_context,
    };
    let hits = found.rows.iter().map(hit).collect();
    let (query_canonical, through_version) = (query.to_string(), found.through_version);
    Ok((archive, Selected { hits, query: text, query_canonical, through_version, context, positions: None }))
}

/// Positions that are named when one is not there.
const MISSING_NAMED: usize = 5;

/// The records at some positions.
fn named(loaded: &Loaded, positions: &[Position]) -> Result<(Archive, Selected), Failure> {
    let archive = open::archive(loaded)?;
    // Before they are looked for: what is archived meanwhile may or may not be seen.
    let through_version = archive.refresh()?;
    let mut files: BTreeMap<String, Arc<FileRef>> = BTreeMap::new();
    let mut hits: Vec<Option<Hit>> = positions.iter().map(|_| None).collect();
    archive.locate_all(positions, &mut |at, file, row| {
        let file = files.entry(file.manifest.batch.clone()).or_insert_with(|| Arc::new(file.clone())).clone();
        hits[at] = Some(Hit { file, row, deliveries: 1, is_context: false });
    })?;
    let missing: Vec<&Position> =
        positions.iter().zip(&hits).filter(|(_, hit)| hit.is_none()).map(|(position, _)| position).collect();
    if !missing.is_empty() {
        let some: Vec<String> = missing.iter().take(MISSING_NAMED).map(ToString::to_string).collect();
        return Err(Failure::failed(format!(
            "the archive holds no record at {} of {} positions through version {through_version}: {}{}",
            missing.len(),
            positions.len(),
            some.join(", "),
            if missing.len() > some.len() { " …" } else { "" }
        )));
    }
    let selected = Selected {
        hits: hits.into_iter().flatten().collect(),
        query: String::new(),
        query_canonical: String::new(),
        through_version,
        context: None,
        positions: Some(Selection::of(positions)),
    };
    Ok((archive, selected))
}

/// `custody export`
pub fn export(loaded: &Loaded, args: &ExportArgs) -> Done {
    let (receipt, beside) = produce(loaded, args)?;
    let again = (receipt.deliveries + beside).saturating_sub(receipt.count);
    let again = if again > 0 {
        format!(" ({again} more deliveries of the same counted, not repeated)")
    } else {
        String::new()
    };
    let beside = if beside > 0 { format!(", {beside} of them context,") } else { String::new() };
    outln!(
        "{} records{again}{beside} in {}, complete through version {}; production {}",
        receipt.count,
        args.out.display(),
        receipt.through_version,
        receipt.production
    );
    if let Some(exceptions) = receipt.exceptions.filter(|count| *count > 0) {
        outln!("{exceptions} exceptions: what is not as a reader expects is listed in exceptions.csv");
    }
    let out = args.out.display();
    outln!("verify it, with or without the archive: custody verify {out}");
    outln!("send it as one file, encrypted if you like: custody pack {out} --out FILE.zip");
    Ok(())
}
