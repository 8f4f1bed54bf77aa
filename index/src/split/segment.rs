//! The segment of a split, while it grows.
//!
//! Tantivy's indexer is made for documents of any kind, many threads and little memory: it hashes every
//! term of every document, and keeps the places of each term in a list of its own that it walks through
//! at the end. Here nearly all terms come again and again (parties, types, clients, topics), and are
//! known by number; places are written one after another, and put in the order of their terms once. What
//! is written is written by Tantivy's own serializers, but for the [transducers](super::fst) of dictionaries:
//! the same bytes.

use std::io;

use tantivy::directory::{CompositeFile, Directory, RamDirectory, TerminatingWrite, WritePtr};
use tantivy::fieldnorm::FieldNormsSerializer;
use tantivy::index::{IndexMeta, Segment as TantivySegment, SegmentComponent, SegmentId};
use tantivy::schema::Field;
use tantivy::store::{Compressor, StoreWriter};
use tantivy::termdict::TermDictionary;
use tantivy::{DocId, Index, IndexSettings, TantivyError};

use super::format::{META, SEGMENT};
use super::forms::{FORMS, Gathered};
use super::write::failed;
use crate::error::{Error, Kind};
use crate::schema::Fields;

mod columns;
mod lists;
mod postings;
mod terms;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use columns::Columns;
pub(super) use columns::{COLUMNS, Column, ColumnsWriter};
pub(crate) use lists::{Lists, Raw};
pub(super) use postings::{FieldWriter, Postings};
pub(crate) use terms::Terms;
pub(crate) use words::Words;

/// What documents have, before it is written.
pub(crate) struct Segment {
    pub(crate) fields: Fields,
    docs: DocId,
    pub(crate) words: Words,
    /// Of all fields of parties.
    pub(crate) parties: Terms,
    /// In the order of [`Fields::parties`].
    pub(crate) of_parties: [Lists; 4],
    pub(crate) conversation: Raw,
    pub(crate) kind: Raw,
    pub(crate) tenant: Raw,
    pub(crate) network: Raw,
    pub(crate) flag: Raw,
    pub(crate) attribute: Raw,
    pub(crate) columns: Columns,
}

impl Segment {
    pub(crate) fn new() -> Segment {
        Segment {
            fields: Fields::new(),
            docs: 0,
            words: Words::new(),
            parties: Terms::default(),
            of_parties: Default::default(),
            conversation: Raw::default(),
            kind: Raw::default(),
            tenant: Raw::default(),
            network: Raw::default(),
            flag: Raw::default(),
            attribute: Raw::default(),
            columns: Columns::default(),
        }
    }

    /// Fields of terms that are compared whole, apart from those of parties.
    pub(crate) fn raw(&mut self) -> [&mut Raw; 6] {
        [
            &mut self.conversation,
            &mut self.kind,
            &mut self.tenant,
            &mut self.network,
            &mut self.flag,
            &mut self.attribute,
        ]
    }

    /// The document that is taken up now.
    pub(crate) fn doc(&self) -> DocId {
        self.docs
    }

    /// Ends a document with its text.
    ///
    /// # Errors
    ///
    /// `Invalid` when there are more than a segment can have.
    pub(crate) fn end(&mut self, text: &str) -> Result<(), Error> {
        self.words.push(text);
        self.docs =
            self.docs.checked_add(1).ok_or_else(|| Error::invalid("too many records in one split"))?;
        Ok(())
    }

    /// The files of the segment, and the forms of its parties, by name.
    pub(crate) fn finish(mut self) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let terms = [&self.words.terms, &self.parties, &self.conversation.terms, &self.attribute.terms];
        if terms.iter().any(|terms| terms.len() >= u32::MAX as usize) {
            return Err(Error::invalid("too many terms in one split"));
        }
        let files = Files::new(&self.fields, self.docs).map_err(failed)?;
        let written = self.write(&files).map_err(failed)?;
        files.parts(self.forms(&written)?)
    }

    /// Writes everything that documents have. The terms of each field of parties, in order.
    fn write(&mut self, files: &Files) -> tantivy::Result<[Vec<u32>; 4]> {
        files.norms(self.fields.text, self.words.norms())?;
        let mut postings = Postings::new();
        if !self.words.is_empty() {
            let of = (self.words.len(), Some(self.words.norms()));
            postings.field(self.fields.text, of, |writer| self.words.write(writer))?;
        }
        let parties = self.parties.sorted();
        let mut written = [const { Vec::new() }; 4];
        // In the order of the fields, as Tantivy writes them.
        for (field, of) in self.lists() {
            let (terms, lists, party) = match of {
                Of::Party(number) => (&self.parties, &self.of_parties[number], Some(number)),
                Of::Own(raw) => (&raw.terms, &raw.lists, None),
            };
            if lists.is_empty() {
                continue;
            }
            let own;
            let order = match party {
                Some(_) => &parties,
                None => {
                    own = terms.sorted();
                    &own
                }
            };
            let found =
                postings.field(field, (lists.len(), None), |writer| lists.write(terms, order, writer))?;
            if let Some(number) = party {
                written[number] = found;
            }
        }
        files.postings(postings)?;
        files.columns(|columns| Ok(self.columns.write(columns)?))?;
        Ok(written)
    }

    fn lists(&self) -> [(Field, Of<'_>); 10] {
        let fields = &self.fields;
        let mut all = [
            (fields.from, Of::Party(0)),
            (fields.to, Of::Party(1)),
            (fields.other, Of::Party(2)),
            (fields.via, Of::Party(3)),
            (fields.conversation, Of::Own(&self.conversation)),
            (fields.kind, Of::Own(&self.kind)),
            (fields.tenant, Of::Own(&self.tenant)),
            (fields.network, Of::Own(&self.network)),
            (fields.flag, Of::Own(&self.flag)),
            (fields.attribute, Of::Own(&self.attribute)),
        ];
        all.sort_unstable_by_key(|(field, _)| *field);
        all
    }

    fn forms(&self, written: &[Vec<u32>; 4]) -> Result<Vec<u8>, Error> {
        // Of each term, the fields that it is in and where it stands there.
        let mut places = Vec::new();
        for (field, terms) in (0..).zip(written) {
            places.extend((0..).zip(terms).map(|(ord, term)| (*term, ord, field)));
        }
        places.sort_unstable();
        let mut gathered = Gathered::default();
        for same in places.chunk_by(|(one, ..), (other, ..)| one == other) {
            gathered.term(self.parties.term(same[0].0), same.iter().map(|(_, ord, field)| (*ord, *field)))?;
        }
        gathered.written()
    }
}

/// What a field's terms are.
enum Of<'a> {
    /// Of parties, by the order of [`Fields::parties`].
    Party(usize),
    Own(&'a Raw),
}

/// The files of a segment by their lasting names.
const COMPONENTS: [(&str, SegmentComponent); 5] = [
    ("fast", SegmentComponent::FastFields),
    ("fieldnorm", SegmentComponent::FieldNorms),
    ("idx", SegmentComponent::Postings),
    ("pos", SegmentComponent::Positions),
    ("term", SegmentComponent::Terms),
];

/// The files of a segment, while they are written.
pub(super) struct Files {
    made: TantivySegment,
    ram: RamDirectory,
}

impl Files {
    /// Of a segment of so many documents.
    pub(super) fn new(fields: &Fields, docs: DocId) -> tantivy::Result<Files> {
        let ram = RamDirectory::create();
        Ok(Files { made: made(fields, &ram, docs)?, ram })
    }

    /// The lengths of documents as Tantivy keeps them.
    pub(super) fn norms(&self, field: Field, norms: &[u8]) -> tantivy::Result<()> {
        let mut to = FieldNormsSerializer::from_write(self.made.open_write(SegmentComponent::FieldNorms)?)?;
        to.serialize_field(field, norms)?;
        Ok(to.close()?)
    }

    pub(super) fn postings(&self, postings: Postings) -> tantivy::Result<()> {
        postings.close(&self.made)
    }

    /// The fast fields, in the order of their names.
    pub(super) fn columns(
        &self,
        write: impl FnOnce(&mut ColumnsWriter) -> tantivy::Result<()>,
    ) -> tantivy::Result<()> {
        let mut columns = ColumnsWriter::new(self.made.meta().max_doc())?;
        write(&mut columns)?;
        let mut to = self.made.open_write(SegmentComponent::FastFields)?;
        columns.finish(&mut to)?;
        Ok(to.terminate()?)
    }

    /// The dictionaries of fields whose postings are written.
    pub(super) fn dictionaries(&self, of: &[Field]) -> tantivy::Result<Vec<TermDictionary>> {
        let fields = CompositeFile::open(&self.made.open_read(SegmentComponent::Terms)?)?;
        let open = |field: &Field| match fields.open_read(*field) {
            Some(dictionary) => TermDictionary::open(dictionary),
            None => Ok(TermDictionary::empty()),
        };
        Ok(of.iter().map(open).collect::<io::Result<_>>()?)
    }

    /// All of them with the forms, by their lasting names.
    pub(super) fn parts(self, forms: Vec<u8>) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let meta = meta(&self.made).map_err(failed)?;
        let mut parts = vec![(META.to_owned(), meta), (FORMS.to_owned(), forms)];
        for (name, component) in COMPONENTS {
            let path = self.made.relative_path(component);
            let bytes = self.ram.atomic_read(&path).map_err(|e| failed(e.into()))?;
            // It is held twice no longer than that.
            self.ram.delete(&path).map_err(|e| Error::corrupt(format!("tantivy lost a file: {e}")))?;
            parts.push((name.to_owned(), bytes));
        }
        parts.sort_unstable();
        Ok(parts)
    }
}

/// A segment of so many documents, of which nothing is written yet.
fn made(fields: &Fields, ram: &RamDirectory, docs: DocId) -> tantivy::Result<TantivySegment> {
    let settings = IndexSettings {
        // Nothing is stored; compressing it would only cost a thread.
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    };
    let index = Index::builder().schema(fields.schema.clone()).settings(settings);
    let index = index.open_or_create(ram.clone())?;
    let id = SegmentId::from_uuid_string(SEGMENT)
        .map_err(|e| TantivyError::InternalError(format!("{SEGMENT} is no id of a segment: {e:?}")))?;
    Ok(index.segment(index.new_segment_meta(id, docs)))
}

/// `meta.json` of an index of this segment alone.
fn meta(made: &TantivySegment) -> tantivy::Result<Vec<u8>> {
    let meta = IndexMeta {
        index_settings: made.index().settings().clone(),
        persisted_custom_extensions: Vec::new(),
        segments: vec![made.meta().clone()],
        schema: made.schema(),
        opstamp: 0,
        payload: None,
    };
    let mut bytes = serde_json::to_vec_pretty(&meta).map_err(io::Error::from)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The store of a segment without documents.
pub(super) fn empty_store() -> Result<Vec<u8>, Error> {
    let ram = RamDirectory::create();
    let made = made(&Fields::new(), &ram, 0).map_err(failed)?;
    let write = |to: WritePtr| StoreWriter::new(to, Compressor::None, 0, false)?.close();
    let to = made.open_write(SegmentComponent::Store).map_err(|e| failed(e.into()))?;
    write(to).map_err(|e| Error::with(Kind::Retry, "cannot make the store of a split", e))?;
    ram.atomic_read(&made.relative_path(SegmentComponent::Store)).map_err(|e| failed(e.into()))
}
