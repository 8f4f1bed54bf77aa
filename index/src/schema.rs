//! The fields of a split and the terms that a record is found by.
//!
//! Whatever is compared whole is one raw term. The query side makes its terms
//! with the functions here, so that both sides always agree.

use std::borrow::Cow;

use custody_schemas::Hash;
use tantivy::schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions};

use crate::query::Attribute;
use crate::text::lower_case;

/// The longest raw term, in bytes; a longer one is indexed by its SHA-256.
pub(crate) const RAW_BYTES_MAX: usize = 1_024;

/// Starts the term of a type.
const KIND: char = '=';
/// Between the beginning of a type's name and the hash of all of it.
const CUT: char = '\0';

/// The term of `flag` for a record that could not be decoded.
pub(crate) const QUARANTINED: &str = "quarantined";
/// The same for the row of a gap.
pub(crate) const GAP: &str = "gap";

/// Whether [`raw_term`] gives the hash of a text instead of it.
pub(crate) fn is_hashed(text: &str) -> bool {
    text.len() > RAW_BYTES_MAX || text.starts_with(HASHED)
}

/// Whether a term is no text of a record: a hash or, which begins as one, a mark.
pub(crate) fn stands_for_another(term: &str) -> bool {
    term.starts_with(HASHED)
}

/// The beginning of an attribute's terms.
pub(crate) fn attribute_start(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::Client => "client:",
        Attribute::File => "file:",
        Attribute::Media => "media:",
        Attribute::Response => "response:",
        Attribute::Scope => "scope:",
        Attribute::Topic => "topic:",
        Attribute::Has => "has:",
    }
}

/// The term of an attribute.
pub(crate) fn attribute_term(attribute: Attribute, value: &str) -> String {
    let mut term = String::new();
    write_attribute_term(attribute, value, &mut term);
    term
}

/// The same in place of what is there.
pub(crate) fn write_attribute_term(attribute: Attribute, value: &str, term: &mut String) {
    term.clear();
    term.push_str(attribute_start(attribute));
    term.push_str(&raw_term(value));
}

/// Starts a term that stands for a longer one.
const HASHED: &str = "sha256:";

/// A term of every raw field in the first document of each of the archive's files. Tantivy's merger, which
/// joined splits once, kept fields without terms that its indexer leaves out; ours does as building does,
/// and the term is part of the format. No query asks for it: [`raw_term`] makes no such term.
pub(crate) const PRESENT: &str = HASHED;
/// The same for parties: neither a key nor a domain begins so.
pub(crate) const PRESENT_PARTY: &str = "P";

/// Name of the fast field that holds the time.
pub(crate) const TIME: &str = "time";
/// Name of the fast field that is equal for deliveries of one event.
pub(crate) const IDENTITY: &str = "identity";
/// Name of the fast field that is equal for versions of one message, see
/// [`Message::hash_in`](crate::message::Message::hash_in).
pub(crate) const MESSAGE: &str = "message";

/// How texts are cut: by [`each_term`](crate::text::each_term). The name stands in every split.
const TOKENIZER: &str = "custody";
/// What is compared whole is not cut.
const RAW: &str = "raw";
/// Name of the fast field of when a batch was sealed.
pub(crate) const ARCHIVED: &str = "archived";
/// Name of the fast field of how long a call lasted.
pub(crate) const DURATION: &str = "duration";

/// The schema and its fields.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    pub(crate) schema: Schema,
    /// Words of body, detail and title, with positions.
    pub(crate) text: Field,
    /// Keys and domains of senders, recipients and everybody else, see [`party`](crate::party).
    pub(crate) from: Field,
    pub(crate) to: Field,
    pub(crate) other: Field,
    pub(crate) conversation: Field,
    /// The short name, see [`kind_term`].
    pub(crate) kind: Field,
    pub(crate) tenant: Field,
    pub(crate) network: Field,
    pub(crate) flag: Field,
    /// The same of bridges.
    pub(crate) via: Field,
    /// The attribute's name and its value, see [`attribute_term`].
    pub(crate) attribute: Field,
    /// Milliseconds since 1970 UTC; fast only.
    pub(crate) time: Field,
    /// Milliseconds since 1970 UTC; fast only.
    pub(crate) archived: Field,
    /// Milliseconds that a call lasted; fast only.
    pub(crate) duration: Field,
}

impl Fields {
    pub(crate) fn new() -> Fields {
        let mut schema = Schema::builder();
        let words = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions)
            .set_fieldnorms(true);
        let raw = TextFieldIndexing::default()
            .set_tokenizer(RAW)
            .set_index_option(IndexRecordOption::Basic)
            .set_fieldnorms(false);
        let words = TextOptions::default().set_indexing_options(words);
        let raw = TextOptions::default().set_indexing_options(raw);
        let fast = NumericOptions::default().set_fast();
        // The order is part of the split's format.
        let text = schema.add_text_field("text", words);
        let names =
            ["from", "to", "other", "conversation", "kind", "tenant", "network", "flag", "via", "attribute"];
        let raw = names.map(|name| schema.add_text_field(name, raw.clone()));
        let [from, to, other, conversation, kind, tenant, network, flag, via, attribute] = raw;
        let time = schema.add_i64_field(TIME, fast.clone());
        schema.add_u64_field(IDENTITY, fast.clone());
        let archived = schema.add_i64_field(ARCHIVED, fast.clone());
        let duration = schema.add_i64_field(DURATION, fast.clone());
        schema.add_u64_field(MESSAGE, fast);
        Fields {
            schema: schema.build(),
            text,
            from,
            to,
            other,
            conversation,
            kind,
            tenant,
            network,
            flag,
            via,
            attribute,
            time,
            archived,
            duration,
        }
    }

    /// The fields of parties. The order is part of the split's format.
    pub(crate) fn parties(&self) -> [Field; 4] {
        [self.from, self.to, self.other, self.via]
    }
}

/// The term of something compared whole. What is too long is replaced by its
/// hash, and so is what reads like one: two different texts never share a term.
pub(crate) fn raw_term(text: &str) -> Cow<'_, str> {
    if !is_hashed(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{HASHED}{}", Hash::of(text.as_bytes())))
}

/// The longest name of a type that is its own term, in bytes.
const KIND_BYTES_MAX: usize = RAW_BYTES_MAX;
/// The longest beginning that types are searched by, in bytes: less than what a cut leaves.
pub(crate) const KIND_START_BYTES_MAX: usize = 1_000;

/// The term of a type's name. One that is too long is cut and the hash of all of it put behind.
pub(crate) fn kind_term(short: &str) -> String {
    let name = lower_case(short);
    if name.len() <= KIND_BYTES_MAX && !name.contains(CUT) {
        return format!("{KIND}{name}");
    }
    let mut end = name.len().min(KIND_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{KIND}{}{CUT}{}", &name[..end], Hash::of(name.as_bytes()))
}

/// The name of a type's term; `None` when it was cut, or marks that the field is there.
pub(crate) fn kind_name(term: &str) -> Option<&str> {
    term.strip_prefix(KIND).filter(|name| !name.contains(CUT))
}

/// What the terms of types begin with whose names begin with `start`; `None` when it is too long.
pub(crate) fn kind_start(start: &str) -> Option<String> {
    (start.len() <= KIND_START_BYTES_MAX).then(|| format!("{KIND}{start}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_types_are_found_by_their_beginning() {
        assert_eq!(kind_term("im.Message.sent"), "=im.message.sent");
        let long = "ž.".repeat(5_000);
        let term = kind_term(&long);
        assert!(term.len() <= KIND_BYTES_MAX + 66);
        assert!(term.starts_with(&*kind_start(&long[..999]).unwrap()));
        assert_eq!(kind_start(&long[..1_002]), None);
        assert_ne!(kind_term(&format!("{long}x")), term);
        // A name that was made to look like the term of the long one.
        assert_ne!(kind_term(&term[1..]), term);
        assert_eq!(kind_name(&term), None);
        assert_eq!(kind_name("=im.message.sent"), Some("im.message.sent"));
        assert_eq!(kind_name(PRESENT), None);
    }

    #[test]
    fn long_terms_are_told_apart() {
        let long = "x".repeat(RAW_BYTES_MAX + 1);
        let hashed = raw_term(&long);
        assert!(hashed.len() < 100);
        assert_ne!(hashed, raw_term(&format!("{long}x")));
        // A short id that was made to look like the hash of the long one.
        assert_ne!(raw_term(&hashed), hashed);
        assert_eq!(raw_term("C-88"), "C-88");
    }
}
