//! What one split names, read from its dictionaries and lists once.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tantivy::postings::TermInfo;
use tantivy::schema::{Field, IndexRecordOption};

use super::{CONVERSATIONS, DOMAINS, PARTICIPANTS};
use crate::error::Error;
use crate::party::PartyTerm;
use crate::schema::Fields;
use crate::search::docs::Docs;
use crate::search::facets::conversation;
use crate::search::run::Run;
use crate::search::tally::{CHECK_TERMS, failed};
use crate::split::OpenSplit;

/// Stands for no name.
pub(super) const NONE: u32 = u32::MAX;

/// What each document of a split names.
pub(super) struct OfSplit {
    /// By document, the place of its conversation in `numbers`.
    conversations: Vec<u32>,
    numbers: Vec<u32>,
    /// By document, its set of parties.
    sets: Vec<u32>,
    /// By set, where its members end; each is a kind and a number.
    ends: Vec<u32>,
    members: Vec<(u8, u32)>,
}

/// How many documents have each conversation and each set.
pub(super) struct Counted {
    conversations: Vec<u32>,
    sets: Vec<u32>,
}

impl OfSplit {
    pub(super) fn bytes(&self) -> usize {
        let numbers = self.conversations.len() + self.numbers.len() + self.sets.len() + self.ends.len();
        4 * numbers + 8 * self.members.len()
    }

    pub(super) fn count(&self, run: &Run<'_>, firsts: &Docs) -> Result<Counted, Error> {
        let mut counted =
            Counted { conversations: vec![0; self.numbers.len()], sets: vec![0; self.ends.len()] };
        firsts.blocks(|docs| {
            run.stop.check()?;
            for doc in docs {
                let doc = *doc as usize;
                // Nothing is counted at `NONE`, which is beyond the end.
                let conversation = self.conversations.get(doc).copied().unwrap_or(NONE);
                if let Some(count) = counted.conversations.get_mut(conversation as usize) {
                    *count += 1;
                }
                let set = self.sets.get(doc).copied().unwrap_or(NONE);
                if let Some(count) = counted.sets.get_mut(set as usize) {
                    *count += 1;
                }
            }
            Ok(())
        })?;
        Ok(counted)
    }

    /// Adds what was counted to what all splits have.
    pub(super) fn add(&self, counted: &Counted, counts: &mut [Vec<u64>; 3]) {
        let mut add = |kind: usize, number: u32, count: u32| {
            if let Some(sum) = counts[kind].get_mut(number as usize) {
                *sum += u64::from(count);
            }
        };
        for (number, count) in self.numbers.iter().zip(&counted.conversations) {
            add(CONVERSATIONS, *number, *count);
        }
        let mut from = 0;
        for (end, count) in self.ends.iter().zip(&counted.sets) {
            let members = self.members.get(from..*end as usize).unwrap_or_default();
            from = *end as usize;
            if *count > 0 {
                members.iter().for_each(|(kind, number)| add(usize::from(*kind), *number, *count));
            }
        }
    }
}

/// What was read, with the split's own numbers of names.
pub(super) struct Read {
    names: [Vec<String>; 3],
    split: OfSplit,
}

impl Read {
    /// With the numbers that names have in all splits.
    pub(super) fn numbered(self, number: &mut dyn FnMut(usize, &str) -> u32) -> OfSplit {
        let mut kind = 0;
        let numbers = self.names.map(|names| {
            let numbers: Vec<u32> = names.iter().map(|name| number(kind, name)).collect();
            kind += 1;
            numbers
        });
        let mut split = self.split;
        for (kind, member) in &mut split.members {
            *member = numbers[usize::from(*kind)].get(*member as usize).copied().unwrap_or(NONE);
        }
        let [_, _, conversations] = numbers;
        split.numbers = conversations;
        split
    }
}

/// Names of a split in the order in which they were met.
#[derive(Default)]
struct Local {
    numbers: HashMap<String, u32, RandomState>,
    names: Vec<String>,
}

impl Local {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NONE);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

pub(super) fn read(run: &Run<'_>, at: usize, fields: &Fields) -> Result<Read, Error> {
    let split = &run.splits[at];
    let mut conversations = vec![NONE; split.footer.docs as usize];
    let mut ids = Vec::new();
    each_term(run, split, fields.conversation, &mut |term, docs| {
        let Some(name) = str::from_utf8(term).ok().and_then(conversation) else { return };
        let place = u32::try_from(ids.len()).unwrap_or(NONE);
        ids.push(name.to_owned());
        for doc in docs {
            if let Some(of) = conversations.get_mut(*doc as usize) {
                *of = place;
            }
        }
    })?;
    let (parties, [participants, domains]) = parties(run, split, fields)?;
    let (sets, ends, members) = sets(parties);
    let split = OfSplit { conversations, numbers: Vec::new(), sets, ends, members };
    Ok(Read { names: [participants, domains, ids], split })
}

/// A kind and the number of a name in one.
type Code = u32;

/// By document, the codes of its parties, some more than once; and the names of both kinds.
fn parties(run: &Run<'_>, split: &OpenSplit, fields: &Fields) -> Result<(Lists, [Vec<String>; 2]), Error> {
    let mut names = [Local::default(), Local::default()];
    let mut lists = Lists::of(split.footer.docs);
    // Twice: where the list of each document begins is known when all are counted.
    for filling in [false, true] {
        for field in [fields.from, fields.to, fields.other] {
            each_term(run, split, field, &mut |term, docs| {
                // The kinds of parties are 0 and 1, and the last bit of a code.
                let (kind, name) = match PartyTerm::of(term) {
                    Some(PartyTerm::Domain(name)) => (DOMAINS, Some(name)),
                    Some(PartyTerm::Key(key)) => (PARTICIPANTS, key.name()),
                    None => return,
                };
                let Some(name) = name else { return };
                let code = names[kind].number(name).saturating_mul(2) | u32::from(kind == DOMAINS);
                docs.iter().for_each(|doc| lists.take(filling, *doc, code));
            })?;
        }
        if !filling {
            lists.begin();
        }
    }
    Ok((lists, names.map(|names| names.names)))
}

/// A list for each document, behind one another.
struct Lists {
    /// How long each is, then where each begins, then where each ends.
    ends: Vec<u32>,
    codes: Vec<Code>,
}

impl Lists {
    fn of(docs: u32) -> Lists {
        Lists { ends: vec![0; docs as usize], codes: Vec::new() }
    }

    fn begin(&mut self) {
        let mut sum = 0_u32;
        for end in &mut self.ends {
            sum = sum.saturating_add(std::mem::replace(end, sum));
        }
        self.codes = vec![0; sum as usize];
    }

    fn take(&mut self, filling: bool, doc: u32, code: Code) {
        let Some(end) = self.ends.get_mut(doc as usize) else { return };
        if let Some(place) = self.codes.get_mut(*end as usize).filter(|_| filling) {
            *place = code;
        }
        *end = end.saturating_add(1);
    }
}

/// By document its set, by set where its members end, and the members.
fn sets(mut lists: Lists) -> (Vec<u32>, Vec<u32>, Vec<(u8, u32)>) {
    let mut known: HashMap<Box<[Code]>, u32, RandomState> = HashMap::default();
    let (mut ends, mut members) = (Vec::new(), Vec::new());
    let (mut from, mut list) = (0, Vec::new());
    // In place: where a list ended stands its set.
    for end in &mut lists.ends {
        let to = *end as usize;
        list.clear();
        list.extend_from_slice(lists.codes.get(from..to).unwrap_or_default());
        from = to;
        list.sort_unstable();
        list.dedup();
        *end = match known.get(&*list) {
            Some(set) => *set,
            None => {
                let set = u32::try_from(ends.len()).unwrap_or(NONE);
                members.extend(list.iter().map(|code: &Code| (u8::from(code % 2 == 1), code / 2)));
                ends.push(u32::try_from(members.len()).unwrap_or(NONE));
                known.insert(list.clone().into_boxed_slice(), set);
                set
            }
        };
    }
    (lists.ends, ends, members)
}

/// Hands over each term of a field with its documents, some at a time.
fn each_term(
    run: &Run<'_>,
    split: &OpenSplit,
    field: Field,
    each: &mut dyn FnMut(&[u8], &[u32]),
) -> Result<(), Error> {
    let index = split.segment().inverted_index(field).map_err(failed(split))?;
    let mut terms = index.terms().stream().map_err(|e| failed(split)(e.into()))?;
    let mut docs = Vec::new();
    for nth in 0_usize.. {
        if nth.is_multiple_of(CHECK_TERMS) {
            run.stop.check()?;
        }
        let Some((term, info)): Option<(&[u8], &TermInfo)> = terms.next() else { break };
        let block = index.read_block_postings_from_terminfo(info, IndexRecordOption::Basic);
        let mut block = block.map_err(|e| failed(split)(e.into()))?;
        docs.clear();
        while !block.docs().is_empty() {
            docs.extend_from_slice(block.docs());
            block.advance();
        }
        each(term, &docs);
    }
    Ok(())
}
