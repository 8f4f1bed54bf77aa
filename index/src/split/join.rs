//! Several splits as one, without reading the archive.
//!
//! Joining gives the bytes that building from the records gives (a property test, and
//! `verify`, which builds every split anew), at a fraction of the cost: the terms of all come in order,
//! the documents of each are those of one split after those of the other, block by block, and everything
//! is written as `segment` writes it. `meta.json` depends on the number of documents alone.
//!
//! Tantivy's merger gives the same, document by document through a heap, as it is made for documents
//! that are deleted or sorted.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tantivy::columnar::{Column as Values, ColumnIndex, ColumnType};
use tantivy::directory::{CompositeFile, FileSlice};
use tantivy::index::{InvertedIndexReader, SegmentComponent, SegmentReader};
use tantivy::positions::PositionReader;
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::TermMerger;
use tantivy::{DocId, Index, TantivyError};

use super::format::{Covered, Footer, SPLIT_VERSION, read_footer};
use super::forms::forms_of;
use super::open::SplitDirectory;
use super::segment::{COLUMNS, Column, FieldWriter, Files, Postings};
use super::write::{Built, TENANTS_MAX, failed, finished};
use crate::error::Error;
use crate::schema::Fields;

/// Numbers of a block of positions.
const BLOCK: u64 = 128;

/// Joins splits that follow one another, given as their paths and bytes.
pub(crate) fn join(splits: &[(impl AsRef<str>, FileSlice)]) -> Result<Built, Error> {
    let mut footers = Vec::with_capacity(splits.len());
    let mut pieces = Vec::with_capacity(splits.len());
    let mut docs: DocId = 0;
    for (shown, data) in splits {
        let footer = read_footer(shown.as_ref(), data)?;
        let open = |e| Error::tantivy(&format!("cannot open {}", shown.as_ref()), e);
        let directory = SplitDirectory::new(data.clone(), &footer)?;
        pieces.push(Piece::open(directory, docs).map_err(open)?);
        docs =
            docs.checked_add(footer.docs).ok_or_else(|| Error::invalid("too many records in one split"))?;
        footers.push(footer);
    }
    let fields = Fields::new();
    let files = Files::new(&fields, docs).map_err(failed)?;
    write(&pieces, &fields, &files).map_err(failed)?;
    // Nothing of them is needed any more.
    drop(pieces);
    let forms = forms_of(&files.dictionaries(&fields.parties()).map_err(failed)?)?;
    finished(files.parts(forms)?, sum(footers, docs))
}

/// One of the splits.
struct Piece {
    segment: SegmentReader,
    positions: CompositeFile,
    /// What its first document is in the new one.
    first: DocId,
}

impl Piece {
    fn open(directory: SplitDirectory, first: DocId) -> tantivy::Result<Piece> {
        let segments = Index::open(directory)?.searchable_segments()?;
        let [segment] = &segments[..] else { return Err(broken("it has not one segment")) };
        let segment = SegmentReader::open(segment)?;
        let positions = CompositeFile::open(&segment.open_read(SegmentComponent::Positions)?)?;
        Ok(Piece { segment, positions, first })
    }
}

fn broken(what: &str) -> TantivyError {
    TantivyError::DataCorruption(tantivy::error::DataCorruption::comment_only(what))
}

fn write(pieces: &[Piece], fields: &Fields, files: &Files) -> tantivy::Result<()> {
    let mut norms = Vec::new();
    for piece in pieces {
        let of = piece.segment.get_fieldnorms_reader(fields.text)?;
        norms.extend((0..piece.segment.max_doc()).map(|doc| of.fieldnorm_id(doc)));
    }
    files.norms(fields.text, &norms)?;
    let mut postings = Postings::new();
    for (field, entry) in fields.schema.fields() {
        if entry.is_indexed() {
            let norms = (field == fields.text).then_some(&norms[..]);
            field_of(pieces, field, norms, &mut postings)?;
        }
    }
    drop(norms);
    files.postings(postings)?;
    files.columns(|to| {
        for (name, kind) in COLUMNS {
            to.column(name, kind, &column(pieces, name, kind)?)?;
        }
        Ok(())
    })
}

/// Writes a field, if a document has a term of it.
fn field_of(
    pieces: &[Piece],
    field: Field,
    norms: Option<&[u8]>,
    postings: &mut Postings,
) -> tantivy::Result<()> {
    let with_positions = norms.is_some();
    let mut lists = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let index = piece.segment.inverted_index(field)?;
        let positions = piece.positions.open_read(field).filter(|_| with_positions);
        lists.push(List { index, positions, block: None, first: piece.first });
    }
    let indexes: Vec<_> = lists.iter().map(|list| Arc::clone(&list.index)).collect();
    let tokens = indexes.iter().map(|index| index.total_num_tokens()).sum();
    if tokens == 0 {
        return Ok(());
    }
    let streams = indexes.iter().map(|index| index.terms().stream());
    let mut terms = TermMerger::new(streams.collect::<io::Result<_>>()?);
    postings.field(field, (tokens, norms), |writer| {
        let (mut found, mut deltas) = (Vec::new(), Vec::new());
        while terms.advance() {
            found.clear();
            found.extend(terms.current_segment_ords_and_term_infos());
            let docs = if with_positions { found.iter().map(|(_, info)| info.doc_freq).sum() } else { 0 };
            writer.term(terms.key(), docs, with_positions)?;
            for (at, info) in &found {
                lists[*at].write(info, &mut deltas, writer)?;
            }
            writer.end_term()?;
        }
        Ok(())
    })?;
    Ok(())
}

/// The documents of a field's terms in one of the splits.
struct List {
    index: Arc<InvertedIndexReader>,
    /// Where each term stands; of a field with positions.
    positions: Option<FileSlice>,
    /// The last term's block, to be filled anew.
    block: Option<BlockSegmentPostings>,
    first: DocId,
}

impl List {
    /// Writes the documents of a term.
    fn write(
        &mut self,
        info: &TermInfo,
        deltas: &mut Vec<u32>,
        writer: &mut FieldWriter<'_>,
    ) -> io::Result<()> {
        let option = match &self.positions {
            Some(_) => IndexRecordOption::WithFreqsAndPositions,
            None => IndexRecordOption::Basic,
        };
        let block = match &mut self.block {
            Some(block) => {
                self.index.reset_block_postings_from_terminfo(info, block)?;
                block
            }
            none => none.insert(self.index.read_block_postings_from_terminfo(info, option)?),
        };
        let Some(positions) = &self.positions else {
            while !block.docs().is_empty() {
                block.docs().iter().for_each(|doc| writer.doc(self.first + doc, 0, &[]));
                block.advance();
            }
            return Ok(());
        };
        let bytes = positions.read_bytes_slice(info.positions_range.clone())?;
        // A byte says how many bits each number of a block has, which may be none.
        let most = bytes.len() as u64 * BLOCK;
        let mut positions = PositionReader::open(bytes)?;
        let mut read = 0;
        while !block.docs().is_empty() {
            let count = block.freqs().iter().map(|count| u64::from(*count)).sum::<u64>();
            if read + count > most {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a term has more places than are there",
                ));
            }
            deltas.clear();
            deltas.resize(usize::try_from(count).map_err(io::Error::other)?, 0);
            positions.read(read, deltas);
            read += count;
            let mut rest = &deltas[..];
            for (doc, count) in block.docs().iter().zip(block.freqs()) {
                let of;
                (of, rest) = rest.split_at(*count as usize);
                writer.doc(self.first + doc, *count, of);
            }
            block.advance();
        }
        Ok(())
    }
}

/// The values that all documents have.
fn column(pieces: &[Piece], name: &str, kind: ColumnType) -> tantivy::Result<Column> {
    let mut all = Column::default();
    for piece in pieces {
        let fast = piece.segment.fast_fields();
        let values = match kind {
            ColumnType::I64 => fast.column_opt::<i64>(name)?.map(Values::to_u64_monotonic),
            _ => fast.column_opt::<u64>(name)?,
        };
        let Some(values) = values else { continue };
        let docs = 0..piece.segment.max_doc();
        match &values.index {
            ColumnIndex::Empty { .. } => {}
            ColumnIndex::Full => all.extend(docs.map(|doc| piece.first + doc), &*values.values),
            ColumnIndex::Optional(of) => {
                all.extend(of.iter_non_null_docs().map(|doc| piece.first + doc), &*values.values);
            }
            ColumnIndex::Multivalued(_) => return Err(broken("a record has two numbers in one field")),
        }
    }
    Ok(all)
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
