//! From records to the bytes of a split.

use std::collections::BTreeSet;

use custody_archive::FileRef;
use custody_schemas::Hash;

use super::format::{Covered, Footer, MAGIC, Part, SPLIT_VERSION};
use crate::document::{Documents, Present};
use crate::error::{Error, Kind};
use crate::manifest::SplitMeta;
use crate::schema::raw_term;
use crate::source::{Row, Source, topics};
use crate::text::lower_case;

/// More tenants than these are not listed: the split is never pruned by tenant.
pub(super) const TENANTS_MAX: usize = 64;

/// A split in memory.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) meta: SplitMeta,
    pub(crate) bytes: Vec<u8>,
}

/// Builds the split of these files, given in order with the versions that added
/// them. Document numbers are row numbers, counted on from file to file.
pub(crate) fn build<S: Source>(source: &S, files: &[(u64, FileRef)]) -> Result<Built, Error> {
    let mut growing = Growing::new();
    let mut covered = Vec::with_capacity(files.len());
    for run in files.chunk_by(|(_, one), (_, next)| follows(one, next)) {
        let (first_doc, mut rows) = (growing.documents.segment().doc(), 0_u64);
        let mut starts = run
            .iter()
            .map(|(_, file)| {
                let start = rows;
                rows = rows.saturating_add(file.manifest.rows);
                start
            })
            .collect::<Vec<_>>()
            .into_iter()
            .peekable();
        let mut topics = run.iter().flat_map(|(_, file)| topics(&file.manifest));
        let mut at = 0;
        source.rows(run, &mut |row| {
            // Batches without rows begin where the next one does.
            while starts.next_if(|start| *start <= at).is_some() {
                growing.first_of_file = true;
            }
            at += 1;
            growing.add(row, topics.next())
        })?;
        if at != rows {
            let path = run.first().map_or("", |(_, file)| file.path.as_str());
            return Err(Error::corrupt(format!("{path} has {at} rows, its batches {rows}")));
        }
        let mut first_doc = first_doc;
        for (version, file) in run {
            covered.push(Covered { version: *version, first_doc, file: file.clone() });
            // As many documents were added: they fit.
            first_doc = first_doc.saturating_add(u32::try_from(file.manifest.rows).unwrap_or(u32::MAX));
        }
    }
    growing.finish(covered)
}

/// Whether a batch stands behind another in the same file: they are read together.
fn follows(one: &FileRef, next: &FileRef) -> bool {
    let end = one.first_row.and_then(|row| row.checked_add(one.manifest.rows));
    one.path == next.path && end.is_some() && end == next.first_row
}

struct Growing {
    documents: Documents,
    /// The next document is the first of a file.
    first_of_file: bool,
    time_ms: Option<(i64, i64)>,
    tenants: Option<BTreeSet<String>>,
    last_tenant: String,
}

pub(super) fn failed(e: tantivy::TantivyError) -> Error {
    Error::tantivy("cannot build a split", e)
}

impl Growing {
    fn new() -> Growing {
        Growing {
            documents: Documents::new(),
            first_of_file: true,
            time_ms: None,
            tenants: Some(BTreeSet::new()),
            last_tenant: String::new(),
        }
    }

    fn add(&mut self, row: &Row<'_>, topic: Option<&str>) -> Result<(), Error> {
        let first_of_file = std::mem::take(&mut self.first_of_file);
        let present = if first_of_file { Present::Marked } else { Present::Unmarked };
        self.documents.add(row, topic, present)?;
        if let Some(time_ms) = row.time_ms {
            let (min, max) = self.time_ms.unwrap_or((time_ms, time_ms));
            self.time_ms = Some((min.min(time_ms), max.max(time_ms)));
        }
        if let Some(tenant) = row.tenant {
            self.tenant(tenant);
        }
        Ok(())
    }

    fn tenant(&mut self, tenant: &str) {
        let Some(tenants) = &mut self.tenants else { return };
        // Records of one tenant come in runs.
        if self.last_tenant == tenant && !tenants.is_empty() {
            return;
        }
        tenant.clone_into(&mut self.last_tenant);
        tenants.insert(raw_term(&lower_case(tenant)).into_owned());
        if tenants.len() > TENANTS_MAX {
            self.tenants = None;
        }
    }

    fn finish(self, files: Vec<Covered>) -> Result<Built, Error> {
        let docs = self.documents.segment().doc();
        let parts = self.documents.finish()?;
        let (time_ms_min, time_ms_max) = self.time_ms.unzip();
        let footer = Footer {
            version: SPLIT_VERSION,
            docs,
            time_ms_min,
            time_ms_max,
            tenants: self.tenants,
            parts: Vec::new(),
            files,
        };
        finished(parts, footer)
    }
}

/// What a footer takes, nearly always.
const FOOTER_BYTES: usize = 64 << 10;

/// The split of a segment's parts. The footer is told where they are.
pub(super) fn finished(parts: Vec<(String, Vec<u8>)>, mut footer: Footer) -> Result<Built, Error> {
    // A split may be large: it is held twice at most, and less and less of the parts.
    let length: usize = parts.iter().map(|(_, content)| content.len()).sum();
    let mut bytes = Vec::with_capacity(length + FOOTER_BYTES);
    for (name, content) in parts {
        footer.parts.push(Part { name, offset: bytes.len() as u64, length: content.len() as u64 });
        bytes.extend_from_slice(&content);
    }
    append_footer(&footer, &mut bytes)?;
    let meta = SplitMeta {
        id: Hash::of(&bytes).to_string(),
        bytes: bytes.len() as u64,
        first_version: footer.files.first().map_or(0, |covered| covered.version),
        last_version: footer.files.last().map_or(0, |covered| covered.version),
        files: footer.files.len() as u64,
        docs: u64::from(footer.docs),
        time_ms_min: footer.time_ms_min,
        time_ms_max: footer.time_ms_max,
        compacted: footer.files.iter().all(|covered| covered.file.first_row.is_some()),
        tenants: footer.tenants,
    };
    Ok(Built { meta, bytes })
}

fn append_footer(footer: &Footer, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let json = serde_json::to_vec(footer)
        .map_err(|e| Error::with(Kind::Invalid, "cannot write the footer of a split", e))?;
    let length = u32::try_from(json.len()).map_err(|_| Error::invalid("too many files in one split"))?;
    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&MAGIC);
    Ok(())
}
