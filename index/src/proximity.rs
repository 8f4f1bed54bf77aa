//! Which places of a text are close to each other. Pure: for what the index knows of a record, and
//! for the words of a text that is shown.
//!
//! Of what is nested any place may be the one that counts: in `l pre/1 ((a pre/4 b) pre/1 c)` neither
//! the shortest places nor the latest beginning of each end are enough. So none is left out, and a
//! long text is looked at a window at a time instead: what is held at once depends on the query alone.

use std::ops::ControlFlow;

use crate::query::How;

#[cfg(test)]
mod tests;

/// From the first word to the last.
pub(crate) type Place = (u32, u32);

/// Positions of a window at least: what is looked at twice, at its ends, is little beside it. Few
/// where tests have few.
const WINDOW: u32 = if cfg!(test) { 2 } else { 1_024 };

/// What has places in one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placed {
    /// A word or phrase, known to the caller by a number. Its places are in order, none twice, and
    /// of one length.
    Each(usize, Vec<Place>),
    /// Any of these.
    Or(Vec<Placed>),
    /// From the one to the other.
    Near {
        /// One of them.
        left: Box<Placed>,
        /// The other.
        right: Box<Placed>,
        /// As the query has it.
        within: u32,
        /// As the query has it.
        how: How,
    },
}

/// Some positions of a text, ends included.
#[derive(Debug, Clone, Copy)]
struct Seen {
    from: u32,
    to: u32,
}

impl Placed {
    /// Whether it has a place. Given up, as if it had none, when `ends` says so, which is told how many
    /// positions were looked at.
    pub(crate) fn any(&self, mut ends: impl FnMut(usize) -> bool) -> bool {
        let mut found = false;
        // Broken off, there is nothing more to know.
        let _ = self.windows(|seen, places, _| {
            found = !places.is_empty();
            let positions = usize::try_from(seen.to - seen.from).unwrap_or(usize::MAX);
            if found || ends(positions) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// Whether it has certainly none: nothing of it begins anywhere.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.first(0).is_none()
    }

    /// Hands over which words and phrases take part in its places, by number and place, some of them
    /// more than once: those of a window, and then where the places of the next window begin.
    pub(crate) fn parts(&self, mut each: impl FnMut(&[(usize, Place)], u32) -> ControlFlow<()>) {
        // Whoever breaks off has enough.
        let _ = self.windows(|seen, places, next| {
            let mut parts = Vec::new();
            self.mark(seen, places, &mut parts);
            each(&parts, next)
        });
    }

    /// Hands over the places that begin in a window, one window after another; each with what had to
    /// be seen for them, and where the next one begins.
    fn windows(&self, mut each: impl FnMut(Seen, &[Place], u32) -> ControlFlow<()>) -> ControlFlow<()> {
        let (width, margin) = (self.width(), self.margin());
        let step = width.saturating_add(margin).max(WINDOW);
        let mut next = Some(0);
        while let Some(first) = next.and_then(|from| self.first(from)) {
            next = first.checked_add(step);
            let last = first.saturating_add(step - 1);
            let to = last.saturating_add(width).saturating_add(margin);
            let seen = Seen { from: first.saturating_sub(margin), to };
            let mut places = self.places(seen);
            places.retain(|place| first <= place.0 && place.0 <= last);
            each(seen, &places, next.unwrap_or(u32::MAX))?;
        }
        ControlFlow::Continue(())
    }

    /// How far it is from the first word of a place to its last, at most.
    fn width(&self) -> u32 {
        match self {
            Placed::Each(_, places) => places.first().map_or(0, |(from, to)| to - from),
            Placed::Or(parts) => parts.iter().map(Placed::width).max().unwrap_or(0),
            Placed::Near { left, how: How::Without, .. } => left.width(),
            Placed::Near { left, right, within, .. } => {
                left.width().saturating_add(*within).saturating_add(right.width())
            }
        }
    }

    /// How far outside of a place words are that decide whether it is one: those it must not be near.
    fn margin(&self) -> u32 {
        match self {
            Placed::Each(..) => 0,
            Placed::Or(parts) => parts.iter().map(Placed::margin).max().unwrap_or(0),
            Placed::Near { left, right, within, how } => {
                let beside = match how {
                    How::Without => within.saturating_add(right.width()).saturating_add(right.margin()),
                    How::Either | How::Before => right.margin(),
                };
                beside.max(left.margin())
            }
        }
    }

    /// Nothing of it begins from `from` on and before this.
    fn first(&self, from: u32) -> Option<u32> {
        match self {
            Placed::Each(_, places) => {
                places.get(places.partition_point(|place| place.0 < from)).map(|place| place.0)
            }
            Placed::Or(parts) => parts.iter().filter_map(|part| part.first(from)).min(),
            Placed::Near { left, right, how: How::Either, .. } => {
                left.first(from).into_iter().chain(right.first(from)).min()
            }
            Placed::Near { left, .. } => left.first(from),
        }
    }

    /// Its places among what is seen, in order and none twice.
    fn places(&self, seen: Seen) -> Vec<Place> {
        match self {
            Placed::Each(_, places) => {
                let from = places.partition_point(|place| place.0 < seen.from);
                let to = places.partition_point(|place| place.1 <= seen.to);
                places.get(from..to).unwrap_or_default().to_vec()
            }
            Placed::Or(parts) => in_order(parts.iter().flat_map(|part| part.places(seen)).collect()),
            Placed::Near { left, right, within, how } => {
                let lefts = left.places(seen);
                if lefts.is_empty() {
                    return lefts;
                }
                let rights = right.places(seen);
                match how {
                    How::Without => without(lefts, &rights, *within),
                    How::Before => behind(&lefts, &rights, *within),
                    How::Either => {
                        let mut all = behind(&lefts, &rights, *within);
                        all.append(&mut behind(&rights, &lefts, *within));
                        in_order(all)
                    }
                }
            }
        }
    }

    /// Adds the words and phrases that `wanted` are made of, which are some of its places.
    fn mark(&self, seen: Seen, wanted: &[Place], out: &mut Vec<(usize, Place)>) {
        if wanted.is_empty() {
            return;
        }
        match self {
            Placed::Each(which, _) => out.extend(wanted.iter().map(|place| (*which, *place))),
            Placed::Or(parts) => {
                for part in parts {
                    let mut places = part.places(seen);
                    places.retain(|place| wanted.binary_search(place).is_ok());
                    part.mark(seen, &places, out);
                }
            }
            Placed::Near { left, how: How::Without, .. } => left.mark(seen, wanted, out),
            Placed::Near { left, right, within, how } => {
                let (mut lefts, mut rights) = (Side::of(left, seen), Side::of(right, seen));
                takes_part(&mut lefts, &mut rights, *within, wanted);
                if *how == How::Either {
                    takes_part(&mut rights, &mut lefts, *within, wanted);
                }
                left.mark(seen, &lefts.taking_part(), out);
                right.mark(seen, &rights.taking_part(), out);
            }
        }
    }
}

/// The places of one side, and which of them take part.
struct Side {
    places: Vec<Place>,
    takes_part: Vec<bool>,
}

impl Side {
    fn of(placed: &Placed, seen: Seen) -> Side {
        let places = placed.places(seen);
        Side { takes_part: vec![false; places.len()], places }
    }

    fn taking_part(self) -> Vec<Place> {
        self.places
            .into_iter()
            .zip(self.takes_part)
            .filter_map(|(place, does)| does.then_some(place))
            .collect()
    }
}

/// Marks of both what makes one of `wanted` together.
fn takes_part(first: &mut Side, second: &mut Side, within: u32, wanted: &[Place]) {
    let mut at = 0;
    for same in first.places.chunk_by(|one, other| one.0 == other.0) {
        let from = wanted.partition_point(|place| place.0 < same[0].0);
        let ends = &wanted[from..wanted.partition_point(|place| place.0 <= same[0].0)];
        let asked = |place: &Place| ends.binary_search_by_key(&place.1, |end| end.1).is_ok();
        // Those up to here were looked at for this beginning, and this was the last that counted.
        let (mut known, mut last) = (0, None);
        for (_, to) in same {
            let close = close_behind(&second.places, *to, within);
            for nth in close.start.max(known)..close.end {
                if asked(&second.places[nth]) {
                    second.takes_part[nth] = true;
                    last = Some(nth);
                }
            }
            known = known.max(close.end);
            first.takes_part[at] |= last.is_some_and(|last| last >= close.start);
            at += 1;
        }
    }
}

/// Which of the places, which are in order, begin close behind a word.
fn close_behind(places: &[Place], to: u32, within: u32) -> std::ops::Range<usize> {
    let until = to.saturating_add(within);
    places.partition_point(|place| place.0 <= to)..places.partition_point(|place| place.0 <= until)
}

fn in_order(mut places: Vec<Place>) -> Vec<Place> {
    // They are a few lists in order, which a stable sort merges.
    places.sort();
    places.dedup();
    places
}

/// From each of the first to each of the second that begins close behind it. Both are in order, and
/// so is this, none of it twice.
fn behind(first: &[Place], second: &[Place], within: u32) -> Vec<Place> {
    let (mut out, mut ends) = (Vec::new(), Ends::default());
    for same in first.chunk_by(|one, other| one.0 == other.0) {
        ends.begin(same[0].0);
        let mut known = 0;
        for (_, to) in same {
            let close = close_behind(second, *to, within);
            let new = second.get(close.start.max(known)..close.end).unwrap_or_default();
            new.iter().for_each(|place| ends.add(place.1));
            known = known.max(close.end);
        }
        ends.append_to(&mut out);
    }
    out
}

/// The ends of places with one beginning. In nested proximity many have one end: a bit for each is
/// faster than sorting them, and no longer than a place is wide.
#[derive(Default)]
struct Ends {
    from: u32,
    bits: Vec<u64>,
}

impl Ends {
    fn begin(&mut self, from: u32) {
        self.from = from;
        self.bits.clear();
    }

    fn add(&mut self, end: u32) {
        let far = end - self.from;
        let word = (far / 64) as usize;
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= 1 << (far % 64);
    }

    fn append_to(&self, out: &mut Vec<Place>) {
        for (at, word) in (0..).zip(&self.bits) {
            let mut rest = *word;
            while rest != 0 {
                out.push((self.from, self.from + at * 64 + rest.trailing_zeros()));
                rest &= rest - 1;
            }
        }
    }
}

/// Those that none of the others is close to, nor over.
fn without(places: Vec<Place>, others: &[Place], within: u32) -> Vec<Place> {
    // How far the others reach that begin no later than each.
    let mut reach = Vec::with_capacity(others.len());
    for (_, to) in others {
        reach.push(reach.last().map_or(*to, |most: &u32| *to.max(most)));
    }
    let close = |(from, to): &Place| {
        let until = to.saturating_add(within);
        let after = others.partition_point(|other| other.0 <= until);
        after.checked_sub(1).is_some_and(|last| reach[last].saturating_add(within) >= *from)
    };
    places.into_iter().filter(|place| !close(place)).collect()
}
