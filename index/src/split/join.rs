//! Several splits as one, without reading the archive.
//!
//! Joining gives the bytes that building from the records gives (a property test, and
//! `verify`, which builds every split anew), at a fraction of the cost. Tantivy's merger
//! writes terms, postings and fast fields with the serializers that `segment` uses; `meta.json`
//! depends on the number of documents alone and is made anew.

use std::collections::BTreeSet;

use tantivy::Index;
use tantivy::directory::{FileSlice, RamDirectory};
use tantivy::indexer::merge_indices;
use tantivy::query::Bm25StatisticsProvider;

use super::format::{Covered, Footer, META, SPLIT_VERSION, read_footer};
use super::open::SplitDirectory;
use super::segment::{Segment, meta_of};
use super::write::{Built, TENANTS_MAX, failed, finished, parts_of};
use crate::error::Error;
use crate::schema::Fields;

/// Joins splits that follow one another, given as their paths and bytes. `None` where that would
/// not give the bytes of building: no record has a word.
pub(crate) fn join(splits: &[(impl AsRef<str>, FileSlice)]) -> Result<Option<Built>, Error> {
    let mut footers = Vec::with_capacity(splits.len());
    let mut indices = Vec::with_capacity(splits.len());
    for (shown, data) in splits {
        let footer = read_footer(shown.as_ref(), data)?;
        let open = |e| Error::tantivy(&format!("cannot open {}", shown.as_ref()), e);
        // A segment without documents has nothing to give, and the merger refuses it.
        if footer.docs > 0 {
            indices.push(Index::open(SplitDirectory::new(data.clone(), &footer)?).map_err(open)?);
        }
        footers.push(footer);
    }
    let docs = footers.iter().try_fold(0_u32, |sum, footer| sum.checked_add(footer.docs));
    let docs = docs.ok_or_else(|| Error::invalid("too many records in one split"))?;
    let parts = if indices.is_empty() {
        Segment::new().finish()?
    } else {
        let ram = RamDirectory::create();
        let merged = merge_indices(&indices, ram.clone()).map_err(failed)?;
        if !has_words(&merged).map_err(failed)? {
            return Ok(None);
        }
        let mut parts = parts_of(&merged, &ram, docs)?;
        parts.push((META.to_owned(), meta_of(docs)?));
        parts.sort_unstable();
        parts
    };
    let footer = sum(footers, docs);
    finished(parts, footer).map(Some)
}

/// Every other field has a term in every file, see [`PRESENT`](crate::schema::PRESENT).
fn has_words(index: &Index) -> tantivy::Result<bool> {
    let searcher = index.reader()?.searcher();
    Ok(searcher.total_num_tokens(Fields::new().text)? > 0)
}

fn sum(footers: Vec<Footer>, docs: u32) -> Footer {
    let tenants: Option<Vec<_>> = footers.iter().map(|footer| footer.tenants.clone()).collect();
    let tenants = tenants.map(|all| all.into_iter().flatten().collect::<BTreeSet<_>>());
    let mut sum = Footer {
        version: SPLIT_VERSION,
        docs,
        time_ms_min: footers.iter().filter_map(|footer| footer.time_ms_min).min(),
        time_ms_max: footers.iter().filter_map(|footer| footer.time_ms_max).max(),
        tenants: tenants.filter(|tenants| tenants.len() <= TENANTS_MAX),
        parts: Vec::new(),
        files: Vec::new(),
    };
    let mut first = 0;
    for footer in footers {
        let shifted = |covered: Covered| Covered { first_doc: covered.first_doc + first, ..covered };
        sum.files.extend(footer.files.into_iter().map(shifted));
        first += footer.docs;
    }
    sum
}
