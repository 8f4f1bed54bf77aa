//! How every simulation begins, whatever its seed: each type of the contract happens once at
//! least, in an order that can be told as a story.

use super::people::{FEDERATED_DOMAIN, Who};
use super::plan::{Answer, Change, Line, Outcome, Plan, Step, contact};
use super::rng::Rng;
use super::session::{Place, Session};

/// Users that get their first contact before anything else happens.
const INTRODUCED_MAX: u32 = 20;
/// Users whom the administrator enables one by one.
const ENABLED_MAX: u32 = 5;

/// One at a time: a session starts when the one before it has ended.
pub(super) fn sessions(rng: &mut Rng, users: u32, contact_of: impl Fn(u32) -> (Who, Answer)) -> Vec<Session> {
    let (alice, bob) = (Who::Lync(0), Who::Skype(0));
    let mut sessions = vec![
        Session::new(None, vec![Who::Admin], enabling(users)),
        Session::new(None, vec![alice, bob], contact(rng, Answer::Accepted)),
        Session::new(Some(Place::direct(alice, bob)), vec![alice, bob], talk()),
        Session::new(None, vec![alice, Who::Skype(1)], contact(rng, Answer::Declined)),
        Session::new(None, vec![alice, Who::Sip(1)], contact(rng, Answer::Blocked)),
        Session::new(None, vec![Who::Lync(1), bob], contact(rng, Answer::RemovedLater)),
        Session::new(Some(Place::group(0)), vec![alice, Who::Lync(1), bob, Who::Sip(0)], meeting()),
        Session::new(None, vec![Who::Admin], trouble()),
    ];
    for user in 0..users.min(INTRODUCED_MAX) {
        let (other, answer) = contact_of(user);
        sessions.push(Session::new(None, vec![Who::Lync(user), other], contact(rng, answer)));
    }
    sessions
}

/// The administrator opens federation: for the tenant, two domains, the first users.
fn enabling(users: u32) -> Plan {
    let mut plan = vec![
        (0, Step::Started),
        (1_200, Step::Heartbeat),
        (41_000, Step::Policy(Change::Tenant)),
        (12_000, Step::Policy(Change::Domain("skype.com"))),
        (15_500, Step::Policy(Change::Domain(FEDERATED_DOMAIN))),
    ];
    plan.extend((0..users.min(ENABLED_MAX)).map(|user| (4_300, Step::Policy(Change::User(Who::Lync(user))))));
    plan
}

fn fixed(by: u8, n: u8) -> Step {
    Step::Say { by, line: Line::Fixed(n) }
}

fn any(by: u8) -> Step {
    Step::Say { by, line: Line::Any }
}

/// Alice of Contoso (0) and Bob on Skype (1).
fn talk() -> Plan {
    vec![
        (21_000, fixed(1, 0)),
        (400, Step::Receipt { by: 0, status: "delivered" }),
        (7_100, Step::Receipt { by: 0, status: "read" }),
        (16_000, any(0)),
        (9_000, fixed(0, 1)),
        (8_000, Step::React { by: 1, action: "added" }),
        (30_000, fixed(1, 3)),
        (5_000, Step::Edit),
        (19_000, fixed(1, 2)),
        (14_000, Step::Delete),
        (35_000, Step::Share { by: 0 }),
        (11_000, Step::Download { by: 1 }),
        (25_000, fixed(1, 4)),
        (9_500, any(0)),
        (60_000, Step::ViewHistory { by: 0 }),
        (17_000, fixed(0, 5)),
        (30_000, Step::Invite { behalf: Some(Who::Lync(1)) }),
        (6_500, Step::Answer),
        (64_000, Step::AddMedia("video")),
        (80_000, Step::AddMedia("screen")),
        (33_000, any(1)),
        (190_000, Step::End(Outcome::Completed)),
    ]
}

/// A group with guests of two other networks, and its call.
fn meeting() -> Plan {
    vec![
        (12_000, Step::Join { who: 1 }),
        (2_000, Step::Join { who: 2 }),
        (2_500, Step::Join { who: 3 }),
        (8_000, Step::Rename { by: 0 }),
        (11_000, any(0)),
        (14_000, any(2)),
        (3_000, Step::React { by: 3, action: "added" }),
        (4_000, Step::React { by: 3, action: "removed" }),
        (20_000, any(3)),
        (9_000, Step::ViewHistory { by: 2 }),
        (25_000, Step::Invite { behalf: None }),
        (8_000, Step::Answer),
        (5_000, Step::CallJoin { who: 2 }),
        (21_000, Step::CallJoin { who: 3 }),
        (300_000, Step::CallLeave { who: 3 }),
        (45_000, Step::End(Outcome::Completed)),
        (10_000, Step::Leave { who: 3 }),
    ]
}

/// A short outage, then an upgrade.
fn trouble() -> Plan {
    vec![
        (40_000, Step::Outage { seconds: 95 }),
        (60_000, Step::Heartbeat),
        (30_000, Step::Stopped),
        (48_000, Step::Started),
    ]
}
