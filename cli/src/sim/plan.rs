//! What people do: a session is planned as a list of steps, without words and without times
//! of day. The simulator carries the steps out, many sessions at once.

use super::people::Who;
use super::rng::Rng;

/// One thing that happens. `by` and `who` count the session's members.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Search {
        by_email: bool,
    },
    Request,
    Accept,
    Decline,
    Block,
    Remove,
    Say {
        by: u8,
        line: Line,
    },
    Edit,
    Delete,
    React {
        by: u8,
        action: &'static str,
    },
    Receipt {
        by: u8,
        status: &'static str,
    },
    Share {
        by: u8,
    },
    Download {
        by: u8,
    },
    Join {
        who: u8,
    },
    Leave {
        who: u8,
    },
    Rename {
        by: u8,
    },
    ViewHistory {
        by: u8,
    },
    Invite {
        behalf: Option<Who>,
    },
    Answer,
    CallJoin {
        who: u8,
    },
    CallLeave {
        who: u8,
    },
    AddMedia(&'static str),
    End(Outcome),
    Policy(Change),
    Started,
    Stopped,
    Heartbeat,
    /// Nothing was recorded for so many seconds.
    Outage {
        seconds: u32,
    },
}

/// What is said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {
    Any,
    /// Number of a sentence for demonstrations.
    Fixed(u8),
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Completed,
    Cancelled,
    TimedOut,
    Busy,
    Declined,
}

/// What an administrator changed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Tenant,
    Domain(&'static str),
    User(Who),
    UserOff(Who),
}

/// What became of a contact request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    Declined,
    Blocked,
    RemovedLater,
}

/// Steps, each with the milliseconds that pass before it.
pub(super) type Plan = Vec<(u32, Step)>;

const SECOND: u64 = 1_000;

fn pause(rng: &mut Rng, seconds_low: u64, seconds_high: u64) -> u32 {
    rng.between(seconds_low * SECOND, seconds_high * SECOND) as u32
}

/// Somebody looks for a person, asks to become a contact, and gets an answer.
pub(super) fn contact(rng: &mut Rng, answer: Answer) -> Plan {
    let mut plan =
        vec![(pause(rng, 1, 20), Step::Search { by_email: true }), (pause(rng, 5, 60), Step::Request)];
    let wait = pause(rng, 20, 900);
    match answer {
        Answer::Accepted => plan.push((wait, Step::Accept)),
        Answer::Declined => plan.push((wait, Step::Decline)),
        Answer::Blocked => plan.push((wait, Step::Block)),
        Answer::RemovedLater => {
            plan.push((wait, Step::Accept));
            plan.push((pause(rng, 600, 7_200), Step::Remove));
        }
    }
    plan
}

/// A two-party session of about ten messages.
pub(super) fn direct(rng: &mut Rng) -> Plan {
    let mut plan = Plan::new();
    if rng.per_mille(40) {
        plan.push((pause(rng, 1, 5), Step::ViewHistory { by: 0 }));
    }
    for _ in 0..rng.between(4, 16) {
        said(rng, 2, &mut plan);
    }
    plan
}

/// A session of a group: somebody comes in, messages, somebody leaves.
pub(super) fn group(rng: &mut Rng, members: u8) -> Plan {
    let guest = members.saturating_sub(1);
    let mut plan = vec![(pause(rng, 1, 5), Step::Join { who: guest })];
    if rng.per_mille(300) {
        plan.push((pause(rng, 2, 20), Step::ViewHistory { by: guest }));
    }
    if rng.per_mille(60) {
        plan.push((pause(rng, 1, 20), Step::Rename { by: 0 }));
    }
    for _ in 0..rng.between(4, 16) {
        said(rng, members, &mut plan);
    }
    plan.push((pause(rng, 5, 120), Step::Leave { who: guest }));
    plan
}

/// One message and what may follow it.
fn said(rng: &mut Rng, members: u8, plan: &mut Plan) {
    let by = rng.below(u64::from(members)) as u8;
    let other = (by + 1) % members.max(1);
    plan.push((pause(rng, 3, 75), Step::Say { by, line: Line::Any }));
    match rng.below(100) {
        0..4 => plan.push((pause(rng, 4, 40), Step::Edit)),
        4..6 => plan.push((pause(rng, 4, 60), Step::Delete)),
        6..12 => plan.push((pause(rng, 2, 30), Step::React { by: other, action: "added" })),
        12 => {
            plan.push((pause(rng, 2, 30), Step::React { by: other, action: "added" }));
            plan.push((pause(rng, 2, 9), Step::React { by: other, action: "removed" }));
        }
        13..30 => plan.push((pause(rng, 1, 3), Step::Receipt { by: other, status: "delivered" })),
        30..47 => plan.push((pause(rng, 1, 30), Step::Receipt { by: other, status: "read" })),
        47..49 => {
            plan.push((pause(rng, 5, 60), Step::Share { by }));
            if rng.per_mille(700) {
                plan.push((pause(rng, 2, 60), Step::Download { by: other }));
            }
        }
        _ => {}
    }
}

/// A call: with two members or, as a meeting, with more.
pub(super) fn call(rng: &mut Rng, members: u8, behalf: Option<Who>) -> Plan {
    let mut plan = vec![(pause(rng, 1, 10), Step::Invite { behalf })];
    let outcome = match rng.below(100) {
        0..75 => Outcome::Completed,
        75..83 => Outcome::TimedOut,
        83..89 => Outcome::Cancelled,
        89..95 => Outcome::Busy,
        _ => Outcome::Declined,
    };
    if outcome != Outcome::Completed {
        plan.push((pause(rng, 2, 45), Step::End(outcome)));
        return plan;
    }
    plan.push((pause(rng, 2, 25), Step::Answer));
    for who in 2..members {
        plan.push((pause(rng, 1, 90), Step::CallJoin { who }));
    }
    if rng.per_mille(300) {
        plan.push((pause(rng, 5, 120), Step::AddMedia("video")));
    }
    if rng.per_mille(200) {
        plan.push((pause(rng, 5, 120), Step::AddMedia("screen")));
    }
    for _ in 0..rng.below(3) {
        plan.push((pause(rng, 5, 200), Step::Say { by: rng.below(2) as u8, line: Line::Any }));
    }
    for who in 2..members {
        plan.push((pause(rng, 1, 300), Step::CallLeave { who }));
    }
    plan.push((pause(rng, 10, 900), Step::End(Outcome::Completed)));
    plan
}

/// The gateway is replaced by a new version: a stop and a start.
pub(super) fn upgrade(rng: &mut Rng) -> Plan {
    vec![(pause(rng, 1, 5), Step::Stopped), (pause(rng, 15, 90), Step::Started)]
}

/// The gateway could not record for a while.
pub(super) fn outage(rng: &mut Rng) -> Plan {
    vec![(pause(rng, 1, 5), Step::Outage { seconds: rng.between(20, 1_500) as u32 })]
}
