//! A session under way: who takes part, what is still to come, and what the next step may
//! refer to.

use std::vec::IntoIter;

use super::people::Who;
use super::plan::{Plan, Step};
use super::rng::mix;

/// The conversation of a session.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) id: String,
    pub(super) kind: &'static str,
    /// The number of a group: it has a title.
    pub(super) group: Option<u32>,
}

impl Place {
    /// Two people always have the same conversation.
    pub(super) fn direct(a: Who, b: Who) -> Self {
        let (a, b) = (code(a), code(b));
        Place { id: hex_id("c-", mix(a.min(b), a.max(b))), kind: "direct", group: None }
    }

    pub(super) fn group(number: u32) -> Self {
        Place { id: hex_id("g-", mix(0x67, u64::from(number))), kind: "group", group: Some(number) }
    }

    pub(super) fn meeting(serial: u64) -> Self {
        Place { id: hex_id("meet-", mix(0x6D, serial)), kind: "meeting", group: None }
    }
}

fn code(who: Who) -> u64 {
    match who {
        Who::Lync(n) => 1 << 32 | u64::from(n),
        Who::Skype(n) => 2 << 32 | u64::from(n),
        Who::Sip(n) => 3 << 32 | u64::from(n),
        Who::Admin => 4 << 32,
    }
}

fn hex_id(prefix: &str, hash: u64) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut id = String::with_capacity(prefix.len() + 12);
    id.push_str(prefix);
    id.extend((0..12).map(|n| char::from(DIGITS[((hash >> (4 * n)) & 15) as usize])));
    id
}

/// The call of a session.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) serial: u64,
    pub(super) invite_ms: i64,
    pub(super) answer_ms: Option<i64>,
    pub(super) media: Vec<&'static str>,
    pub(super) behalf: Option<Who>,
    /// Messages of the caller, and of all others.
    pub(super) messages: [i64; 2],
}

/// A session under way.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) place: Option<Place>,
    pub(super) members: Vec<Who>,
    steps: IntoIter<(u32, Step)>,
    /// Number and sender of the last message.
    pub(super) message: (u64, u8),
    /// Number of the last file.
    pub(super) file: u64,
    pub(super) call: Option<Ring>,
}

impl Session {
    pub(super) fn new(place: Option<Place>, members: Vec<Who>, plan: Plan) -> Self {
        Session { place, members, steps: plan.into_iter(), message: (0, 0), file: 0, call: None }
    }

    /// Milliseconds until the next step; `None` when nothing is left to do.
    pub(super) fn pause_ms(&self) -> Option<i64> {
        self.steps.as_slice().first().map(|(pause, _)| i64::from(*pause))
    }

    pub(super) fn step(&mut self) -> Option<Step> {
        self.steps.next().map(|(_, step)| step)
    }

    pub(super) fn member(&self, n: u8) -> Who {
        self.members.get(usize::from(n)).copied().unwrap_or(Who::Admin)
    }
}
