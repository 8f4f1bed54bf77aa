//! The events of a call, and its call detail record.

use custody_schemas::event::{Call, Data, Quality, Text};
use custody_schemas::kind::Kind;
use serde_json::{Value, json};

use super::act::{Moment, World, id, rfc3339};
use super::people::{Who, client};
use super::plan::{Outcome, Step};
use super::rng::Rng;
use super::session::{Ring, Session};

fn media(list: &[&'static str]) -> Option<Vec<Text<'static>>> {
    Some(list.iter().map(|&name| name.into()).collect())
}

pub(super) fn act(world: &mut World, session: &mut Session, step: Step, at: Moment) -> (Kind, Data<'static>) {
    if let Step::Invite { behalf } = step {
        return invite(world, session, behalf, at);
    }
    let Some(ring) = &mut session.call else {
        return world.gateway(Step::Heartbeat, at);
    };
    let call = Call { id: Some(id("call-", ring.serial)), ..Call::default() };
    match step {
        Step::Answer => {
            ring.answer_ms = Some(at.now_ms);
            let call = Some(Box::new(Call { media: media(&ring.media), ..call }));
            let agent = Some(client(session.member(1)).into());
            (Kind::CallAnswered, Data { call, client: agent, ..world.said_by(session, 1) })
        }
        Step::AddMedia(medium) => {
            ring.media.push(medium);
            let call = Some(Box::new(Call { media: media(&ring.media), ..call }));
            (Kind::CallMedia, Data { call, ..world.said_by(session, 0) })
        }
        Step::CallJoin { who } | Step::CallLeave { who } => {
            let action = if matches!(step, Step::CallJoin { .. }) { "joined" } else { "left" };
            let participant = Some(Box::new(world.people.named(session.member(who))));
            let data = world.done_by(session, who);
            (
                Kind::CallParticipant,
                Data { call: Some(Box::new(call)), participant, action: Some(action.into()), ..data },
            )
        }
        Step::End(outcome) => end(world, session, outcome, at),
        _ => world.gateway(Step::Heartbeat, at),
    }
}

fn invite(world: &World, session: &mut Session, behalf: Option<Who>, at: Moment) -> (Kind, Data<'static>) {
    let ring = Ring {
        serial: at.serial,
        invite_ms: at.now_ms,
        answer_ms: None,
        media: vec!["audio"],
        behalf,
        messages: [0, 0],
    };
    let call = Call {
        id: Some(id("call-", ring.serial)),
        media: media(&ring.media),
        on_behalf_of: behalf.map(|who| party_value(world, who)),
        ..Call::default()
    };
    session.call = Some(ring);
    let agent = Some(client(session.member(0)).into());
    (Kind::CallInvited, Data { call: Some(Box::new(call)), client: agent, ..world.said_by(session, 0) })
}

fn party_value(world: &World, who: Who) -> Value {
    json!({ "network": world.people.party(who).network, "address": world.people.address(who) })
}

/// SIP's code (RFC 3261), the reason, and the server's diagnostics.
fn verdict(outcome: Outcome) -> (i64, &'static str, Option<Value>) {
    match outcome {
        Outcome::Completed => (200, "completed", None),
        Outcome::Cancelled => (487, "cancelled by the caller", None),
        Outcome::TimedOut => (408, "no answer", Some(json!({ "ms_diagnostics": 52037 }))),
        Outcome::Busy => (486, "busy", Some(json!({ "ms_diagnostics": 51004 }))),
        Outcome::Declined => (603, "declined", Some(json!({ "ms_diagnostics": 52097 }))),
    }
}

fn end(world: &mut World, session: &mut Session, outcome: Outcome, at: Moment) -> (Kind, Data<'static>) {
    let data = world.said_by(session, 0);
    let Some(ring) = session.call.take() else {
        return (Kind::CallEnded, data);
    };
    let (response_code, reason, diagnostics) = verdict(outcome);
    let quality =
        ring.answer_ms.map(|_| ring.media.iter().map(|&name| quality(&mut world.rng, name)).collect());
    let call = Call {
        id: Some(id("call-", ring.serial)),
        media: media(&ring.media),
        on_behalf_of: ring.behalf.map(|who| party_value(world, who)),
        invite_time: Some(rfc3339(ring.invite_ms)),
        answer_time: ring.answer_ms.map(rfc3339),
        end_time: Some(rfc3339(at.now_ms)),
        response_code: Some(response_code),
        reason: Some(reason.into()),
        diagnostics,
        from_message_count: Some(ring.messages[0]),
        to_message_count: Some(ring.messages[1]),
        quality,
        ..Call::default()
    };
    (
        Kind::CallEnded,
        Data { call: Some(Box::new(call)), client: Some(client(session.member(0)).into()), ..data },
    )
}

fn tenths(rng: &mut Rng, low: u64, high: u64) -> Option<f64> {
    Some(rng.between(low, high) as f64 / 10.0)
}

fn quality(rng: &mut Rng, medium: &'static str) -> Quality<'static> {
    let codec = match medium {
        "audio" => rng.pick(&["SILK", "SILKWide", "x-msrta", "PCMA"]),
        "video" => rng.pick(&["H264", "x-h264uc", "x-rtvc1"]),
        _ => "x-data",
    };
    Quality {
        media: Some(medium.into()),
        codec: Some(codec.into()),
        jitter_ms: tenths(rng, 5, 320),
        loss_pct: tenths(rng, 0, 24),
        round_trip_ms: tenths(rng, 80, 2_400),
        mos: (medium == "audio").then(|| rng.between(26, 44) as f64 / 10.0),
    }
}
