//! The user model: which sessions begin, how often, and between whom.

use super::people::{People, Who};
use super::plan::{self, Answer, Change, Step};
use super::rng::{Rng, mix};
use super::session::{Place, Session};

/// Begun sessions a user and day, in hundredths.
const PER_DAY: [(Sort, u64); 6] = [
    (Sort::Direct, 600),
    (Sort::Group, 50),
    (Sort::Call, 240),
    (Sort::Search, 1_500),
    (Sort::Contact, 6),
    // Until every user has a first contact; it must be the last in this list.
    (Sort::FirstContact, 300),
];
/// How busy each hour of the day is (UTC), in per cent of the average.
const BUSY: [u64; 24] =
    [8, 6, 6, 6, 8, 15, 45, 120, 220, 260, 270, 240, 170, 210, 250, 240, 190, 120, 70, 50, 40, 28, 16, 12];
const HOUR_MS: i64 = 3_600_000;
const DAY_US: u64 = 86_400_000_000;
/// Contacts that a user talks with.
const CONTACTS: u64 = 6;
/// One session in so many is trouble of the gateway, or the administrator at work.
const TROUBLE_ONE_IN: u64 = 6_000;

#[derive(Debug, Clone, Copy)]
enum Sort {
    Direct,
    Group,
    Call,
    Search,
    Contact,
    FirstContact,
}

/// What the model must remember.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// Users that have got their first contact.
    introduced: u32,
}

impl Load {
    /// The sorts of sessions that can begin.
    fn sorts(&self, people: &People) -> &'static [(Sort, u64)] {
        if self.introduced < people.users { &PER_DAY } else { &PER_DAY[..PER_DAY.len() - 1] }
    }

    /// Milliseconds from one begun session to the next.
    pub(super) fn gap_ms(&self, people: &People, rng: &mut Rng, now_ms: i64) -> i64 {
        let busy = BUSY[(now_ms.div_euclid(HOUR_MS).rem_euclid(24)) as usize];
        let per_day = self.sorts(people).iter().map(|(_, hundredths)| hundredths).sum::<u64>();
        // Microseconds, because in a large company several sessions begin in a millisecond.
        let mean_us = DAY_US * 100 * 100 / (u64::from(people.users) * per_day * busy);
        let gap_us = rng.below(2 * mean_us + 1);
        ((gap_us + rng.below(1_000)) / 1_000) as i64
    }

    /// A session of any sort. `serial` makes the id of a meeting.
    pub(super) fn draw(&mut self, people: &People, rng: &mut Rng, serial: u64) -> Session {
        let user = rng.below(u64::from(people.users)) as u32;
        let me = Who::Lync(user);
        if rng.below(TROUBLE_ONE_IN) == 0 {
            return trouble(rng, me);
        }
        match self.sort(people, rng) {
            Sort::Direct => {
                let pair = pair(people, rng, user);
                Session::new(Some(Place::direct(pair[0], pair[1])), pair.to_vec(), plan::direct(rng))
            }
            Sort::Group => {
                let number = rng.below(u64::from(people.users / 5) + 1) as u32;
                let members = group_members(people, number);
                let plan = plan::group(rng, members.len() as u8);
                Session::new(Some(Place::group(number)), members, plan)
            }
            Sort::Call => call(people, rng, user, serial),
            Sort::Search => {
                let whom = people.contact(user, rng.next());
                let search = Step::Search { by_email: rng.per_mille(400) };
                Session::new(None, vec![me, whom], vec![(1_000, search)])
            }
            Sort::Contact => {
                let n = rng.between(1, CONTACTS - 1);
                Session::new(None, vec![me, people.contact(user, n)], plan::contact(rng, answer(user, n)))
            }
            Sort::FirstContact => {
                let user = self.introduced;
                self.introduced += 1;
                let plan = plan::contact(rng, answer(user, 0));
                Session::new(None, vec![Who::Lync(user), people.contact(user, 0)], plan)
            }
        }
    }

    fn sort(&self, people: &People, rng: &mut Rng) -> Sort {
        let sorts = self.sorts(people);
        let mut drawn = rng.below(sorts.iter().map(|(_, hundredths)| hundredths).sum());
        for &(sort, hundredths) in sorts {
            match drawn.checked_sub(hundredths) {
                Some(rest) => drawn = rest,
                None => return sort,
            }
        }
        Sort::Direct
    }
}

fn trouble(rng: &mut Rng, user: Who) -> Session {
    let on = Step::Policy(Change::User(user));
    let plan = match rng.below(4) {
        0 => plan::upgrade(rng),
        1 => plan::outage(rng),
        2 => vec![(5_000, Step::Policy(Change::UserOff(user))), (3_600_000, on)],
        _ => vec![(5_000, on)],
    };
    Session::new(None, vec![Who::Admin], plan)
}

/// A call of two or, less often, a meeting.
fn call(people: &People, rng: &mut Rng, user: u32, serial: u64) -> Session {
    let mut members = pair(people, rng, user).to_vec();
    if rng.per_mille(150) {
        for n in 0..rng.between(1, 3) {
            let who = people.contact(user, 100 + n);
            if !members.contains(&who) {
                members.push(who);
            }
        }
    }
    let behalf = rng.per_mille(50).then(|| Who::Lync((user + 1) % people.users));
    let plan = plan::call(rng, members.len() as u8, behalf);
    let place = match members[..] {
        [a, b] => Place::direct(a, b),
        _ => Place::meeting(serial),
    };
    Session::new(Some(place), members, plan)
}

/// What becomes of a user's contact request: always the same.
pub(super) fn answer(user: u32, n: u64) -> Answer {
    match mix(u64::from(user) + 0xA0, n) % 100 {
        0..86 => Answer::Accepted,
        86..93 => Answer::Declined,
        93..95 => Answer::Blocked,
        _ => Answer::RemovedLater,
    }
}

/// The user and a contact who accepted; either of them begins.
fn pair(people: &People, rng: &mut Rng, user: u32) -> [Who; 2] {
    let first = rng.below(CONTACTS);
    let accepted = (first..first + CONTACTS).find(|n| answer(user, n % CONTACTS) == Answer::Accepted);
    let (me, other) = (Who::Lync(user), people.contact(user, accepted.unwrap_or(first) % CONTACTS));
    if rng.per_mille(500) { [me, other] } else { [other, me] }
}

/// The members of a group: always the same; up to five, the last one is a guest.
fn group_members(people: &People, number: u32) -> Vec<Who> {
    let owner = (mix(u64::from(number), 0x67) % u64::from(people.users)) as u32;
    let mut members = vec![Who::Lync(owner)];
    for n in 0..2 + mix(u64::from(number), 0x68) % 3 {
        let who = people.contact(owner, 200 + n);
        if !members.contains(&who) {
            members.push(who);
        }
    }
    members
}
