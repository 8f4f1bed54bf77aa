//! A document as people read it: what was said in order of time, and under each message what became
//! of it. Formats for people are written from this, so that all of them tell the same.

mod changes;
mod entry;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use custody_schemas::{Hash, Kind};
use sha2::{Digest, Sha256};

use crate::document::Document;
use crate::item::Item;

use changes::Changes;
pub(crate) use entry::{Answer, Entry, What, whole};

/// What stands in the records, arranged.
#[derive(Debug)]
pub(crate) struct Transcript<'d> {
    /// In order of time. Every record of the document is one of them or in the history of one.
    pub(crate) entries: Vec<Entry<'d>>,
    /// Each batch once, with its root, in the order in which records name them.
    pub(crate) batches: Vec<(&'d str, Hash)>,
    /// For each record, which of `batches` it is of.
    pub(crate) batch_of: Vec<usize>,
    /// SHA-256 over the leaf hashes of all records, 32 bytes each, in their order.
    pub(crate) leaf_digest: Hash,
}

/// Where the messages are, by their id: an edit, an answer or a receipt names it.
type Messages<'d> = HashMap<&'d str, usize>;

impl<'d> Transcript<'d> {
    /// Arranges the records of a document.
    pub(crate) fn new(document: &'d Document<'_>) -> Self {
        let items = document.items;
        let messages = messages(items);
        let mut attachments = vec![Vec::new(); items.len()];
        for attachment in &document.attachments {
            if let Some(of) = attachments.get_mut(attachment.item) {
                of.push(attachment);
            }
        }
        let mut changes = Changes::default();
        let (mut entries, mut place) = (Vec::<Entry<'_>>::new(), HashMap::<usize, usize>::new());
        let mut later = Vec::new();
        for (at, (item, attachments)) in items.iter().zip(attachments).enumerate() {
            let about = subject(item, &messages);
            let answers = answer(item, &messages);
            let mut entry = Entry::new(at, item, attachments, answers, about.is_some());
            changes.client(item, &mut entry.facts);
            match about {
                Some(message) => later.push((message, entry)),
                None => {
                    changes.recipients(item, &mut entry.facts);
                    place.insert(at, entries.len());
                    entries.push(entry);
                }
            }
        }
        // A message may stand after what is about it: clocks differ.
        for (message, entry) in later {
            if let Some(of) = place.get(&message) {
                entries[*of].add(items, entry);
            }
        }
        let (batches, batch_of) = batches(items);
        Transcript { entries, batches, batch_of, leaf_digest: leaf_digest(items) }
    }
}

/// What a document says of itself and of its production, for its head; nothing in it is empty.
pub(crate) fn about(document: &Document<'_>) -> Vec<(&'static str, String)> {
    let (about, thread) = (document.about, document.thread);
    let context = document.items.iter().filter(|item| item.shown.is_context).count();
    let records = match (document.items.len(), context) {
        (all, 0) => format!("{all}"),
        (all, context) => format!("{all}, of which {context} context and no hits"),
    };
    let conversation = match (&thread.id, &thread.kind) {
        (Some(id), Some(kind)) => format!("{id} ({kind})"),
        (Some(id), None) => id.clone(),
        (None, _) => String::new(),
    };
    let all = [
        ("Conversation", conversation),
        ("Time zone", about.zone_name.clone()),
        ("Records", records),
        ("Asked for by", about.who.clone()),
        ("Reason", about.why.clone()),
        ("Production", about.production.clone()),
        ("Archive", format!("complete through version {}", about.through_version)),
        ("Written by", format!("Custody {}", about.custody_version)),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// The first that was sent under each id: another with the same id stands for itself.
fn messages<'d>(items: &'d [Item<'_>]) -> Messages<'d> {
    let mut messages = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        if let (Some(Kind::MessageSent), Some(id)) = (item.contract(), item.message_id()) {
            messages.entry(id).or_insert(at);
        }
    }
    messages
}

/// The message that a record is the history of, if it is in the document.
fn subject(item: &Item<'_>, messages: &Messages<'_>) -> Option<usize> {
    match item.contract()? {
        Kind::MessageEdited | Kind::MessageDeleted | Kind::MessageReaction | Kind::MessageReceipt => {
            messages.get(item.message_id()?).copied()
        }
        _ => None,
    }
}

fn answer<'d>(item: &'d Item<'_>, messages: &Messages<'_>) -> Option<Answer<'d>> {
    let id = item.data().message.as_ref()?.in_reply_to.as_deref().filter(|id| !id.is_empty())?;
    Some(Answer { id, item: messages.get(id).copied() })
}

fn batches<'d>(items: &'d [Item<'_>]) -> (Vec<(&'d str, Hash)>, Vec<usize>) {
    let (mut batches, mut known) = (Vec::new(), HashMap::new());
    let of = items.iter().map(|item| {
        let batch = (item.shown.batch.as_str(), item.shown.batch_root.0);
        *known.entry(batch).or_insert_with(|| {
            batches.push((batch.0, item.shown.batch_root));
            batches.len() - 1
        })
    });
    let of = of.collect();
    (batches, of)
}

fn leaf_digest(items: &[Item<'_>]) -> Hash {
    let mut hasher = Sha256::new();
    items.iter().for_each(|item| hasher.update(item.shown.leaf.0));
    Hash(hasher.finalize().into())
}
