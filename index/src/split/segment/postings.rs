//! The files of postings, positions and dictionaries.
//!
//! Tantivy's serializer writes them, but for the transducers of the dictionaries, which
//! [`fst`](crate::split::fst) builds: it gets the numbers of the terms in place of the terms, and what it makes
//! of these is left away.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use tantivy::DocId;
use tantivy::directory::{AntiCallToken, CompositeWrite, FileSlice, TerminatingWrite};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::{Segment as TantivySegment, SegmentComponent};
use tantivy::postings::FieldSerializer;
use tantivy::schema::{Field, IndexRecordOption};

use crate::split::fst::FstBuilder;

/// What follows on what a dictionary has of its terms: the length of that as 8 bytes, a version and a type
/// of 4 each.
const TAIL_BYTES: usize = 16;

/// A file that grows, in memory.
#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TerminatingWrite for Memory {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        Ok(())
    }
}

/// One of the files, which has a part for each field.
struct File {
    bytes: Memory,
    fields: CompositeWrite<Memory>,
}

impl File {
    fn new() -> File {
        let bytes = Memory::default();
        File { fields: CompositeWrite::wrap(bytes.clone()), bytes }
    }

    fn close(self, made: &TantivySegment, component: SegmentComponent) -> tantivy::Result<()> {
        self.fields.close()?;
        let mut to = made.open_write(component)?;
        to.write_all(&self.bytes.0.borrow())?;
        to.terminate()?;
        Ok(())
    }
}

/// The files, field by field.
pub(in crate::split) struct Postings {
    terms: File,
    postings: File,
    positions: File,
}

impl Postings {
    pub(in crate::split) fn new() -> Postings {
        Postings { terms: File::new(), postings: File::new(), positions: File::new() }
    }

    /// Writes the part of a field that has so many tokens; of one with positions, with the lengths of its
    /// documents as Tantivy keeps them.
    pub(in crate::split) fn field<T>(
        &mut self,
        field: Field,
        (tokens, norms): (u64, Option<&[u8]>),
        write: impl FnOnce(&mut FieldWriter<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let option = match &norms {
            Some(_) => IndexRecordOption::WithFreqsAndPositions,
            None => IndexRecordOption::Basic,
        };
        let norms = norms.map(|norms| FieldNormReader::open(FileSlice::from(norms.to_vec())));
        let norms = norms.transpose().map_err(io::Error::other)?;
        let numbered = Memory::default();
        let mut numbers = CompositeWrite::wrap(numbered.clone());
        let serializer = FieldSerializer::create(
            option,
            tokens,
            numbers.for_field(field),
            self.postings.fields.for_field(field),
            self.positions.fields.for_field(field),
            norms,
        )?;
        let mut writer = FieldWriter { serializer, terms: FstBuilder::new(), next: 0 };
        let written = write(&mut writer)?;
        writer.serializer.close()?;
        let to = self.terms.fields.for_field(field);
        to.write_all(&writer.terms.finish()?)?;
        to.write_all(infos(&numbered.0.borrow())?)?;
        Ok(written)
    }

    pub(super) fn close(self, made: &TantivySegment) -> tantivy::Result<()> {
        self.terms.close(made, SegmentComponent::Terms)?;
        self.postings.close(made, SegmentComponent::Postings)?;
        self.positions.close(made, SegmentComponent::Positions)
    }
}

/// What a dictionary has behind its transducer.
fn infos(dictionary: &[u8]) -> io::Result<&[u8]> {
    let find = || {
        let tail = dictionary.len().checked_sub(TAIL_BYTES)?;
        let length = dictionary.get(tail..tail + 8)?.try_into().ok()?;
        dictionary.get(tail.checked_sub(usize::try_from(u64::from_le_bytes(length)).ok()?)?..)
    };
    find().ok_or_else(|| io::Error::other("tantivy made a dictionary of another form"))
}

/// Writes the terms of a field, in order.
pub(in crate::split) struct FieldWriter<'a> {
    serializer: FieldSerializer<'a, Memory>,
    terms: FstBuilder,
    next: u32,
}

impl FieldWriter<'_> {
    /// Begins a term that stands in so many documents; the number counts where it is written how often
    /// it stands in each.
    pub(in crate::split) fn term(&mut self, term: &[u8], docs: u32, with_counts: bool) -> io::Result<()> {
        self.terms.insert(term, u64::from(self.next))?;
        self.serializer.new_term(&self.next.to_be_bytes(), docs, with_counts)?;
        // `Segment::finish` refuses more than there are numbers.
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    pub(in crate::split) fn doc(&mut self, doc: DocId, count: u32, positions: &[u32]) {
        self.serializer.write_doc(doc, count, positions);
    }

    pub(in crate::split) fn end_term(&mut self) -> io::Result<()> {
        self.serializer.close_term()
    }
}
