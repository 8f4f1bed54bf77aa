//! From a step to the event's data, as the gateway publishes it.

use std::collections::HashMap;

use custody_schemas::event::{
    Contact, Conversation, Data, File, Gateway, Message, Outage, Party, Policy, Reaction, Receipt, Search,
    Text,
};
use custody_schemas::kind::Kind;
use serde_json::Value;

use super::calls;
use super::people::{People, Who, client};
use super::plan::{Change, Line, Step};
use super::rng::{Rng, mix};
use super::session::Session;
use super::talk::{Body, Talk, number};
use super::words::{FILES, FIXED, REACTIONS, REQUESTS};

/// What outlives a session.
#[derive(Debug)]
pub(super) struct World {
    pub(super) people: People,
    pub(super) talk: Talk,
    pub(super) rng: Rng,
    /// How often a group was renamed.
    pub(super) renamed: HashMap<u32, u64>,
    /// Upgrades of the gateway so far.
    pub(super) upgrades: u32,
}

/// When and as which number a step happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now_ms: i64,
    /// The time of the event before this one.
    pub(super) last_ms: i64,
    /// The event's sequence number: ids are made from it.
    pub(super) serial: u64,
}

pub(super) fn id(prefix: &str, serial: u64) -> Text<'static> {
    let mut id = String::with_capacity(prefix.len() + 12);
    id.push_str(prefix);
    number(serial, &mut id);
    id.into()
}

/// RFC 3339 in milliseconds; times past the year 9999 stay there.
pub(super) fn rfc3339(ms: i64) -> Text<'static> {
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.3}").into()
}

impl World {
    /// Carries out a step.
    pub(super) fn act(&mut self, session: &mut Session, step: Step, at: Moment) -> (Kind, Data<'static>) {
        match step {
            Step::Search { .. }
            | Step::Request
            | Step::Accept
            | Step::Decline
            | Step::Block
            | Step::Remove => self.contact(session, step),
            Step::Invite { .. }
            | Step::Answer
            | Step::CallJoin { .. }
            | Step::CallLeave { .. }
            | Step::AddMedia(_)
            | Step::End(_) => calls::act(self, session, step, at),
            Step::Policy(change) => (Kind::PolicyChanged, self.policy(change)),
            Step::Started | Step::Stopped | Step::Heartbeat | Step::Outage { .. } => self.gateway(step, at),
            _ => self.chat(session, step, at),
        }
    }

    /// Conversation, sender and, for all who are not the sender, recipients.
    pub(super) fn said_by(&self, session: &Session, by: u8) -> Data<'static> {
        let from = session.member(by);
        let others = session.members.iter().filter(|&&who| who != from);
        Data { to: Some(others.map(|&who| self.people.party(who)).collect()), ..self.done_by(session, by) }
    }

    /// Conversation and actor.
    pub(super) fn done_by(&self, session: &Session, by: u8) -> Data<'static> {
        Data {
            conversation: session.place.as_ref().map(|place| Conversation {
                id: Some(place.id.clone().into()),
                kind: Some(place.kind.into()),
                title: place.group.map(|group| self.title(group).into()),
            }),
            from: Some(self.people.named(session.member(by))),
            ..Data::default()
        }
    }

    fn title(&self, group: u32) -> String {
        let times = self.renamed.get(&group).copied().unwrap_or(0);
        self.talk.title(&mut Rng::new(mix(u64::from(group), times)))
    }

    fn chat(&mut self, session: &mut Session, step: Step, at: Moment) -> (Kind, Data<'static>) {
        let (message_serial, sender) = session.message;
        let message = Some(Message { id: Some(id("m-", message_serial)), ..Message::default() });
        match step {
            Step::Say { by, line } => {
                let body = self.body(line);
                let first = message_serial == 0;
                session.message = (at.serial, by);
                if let Some(call) = &mut session.call {
                    call.messages[usize::from(by.min(1))] += 1;
                }
                let message = Some(written(at.serial, body));
                // A session's first message names the user agent.
                let agent = first.then(|| client(session.member(by)).into());
                (Kind::MessageSent, Data { message, client: agent, ..self.said_by(session, by) })
            }
            Step::Edit => {
                let message = Some(written(message_serial, self.body(Line::Any)));
                (Kind::MessageEdited, Data { message, ..self.said_by(session, sender) })
            }
            Step::Delete => (Kind::MessageDeleted, Data { message, ..self.said_by(session, sender) }),
            Step::React { by, action } => {
                let value = REACTIONS[(message_serial % REACTIONS.len() as u64) as usize];
                let reaction = Some(Reaction { value: Some(value.into()), action: Some(action.into()) });
                let from = Some(self.people.party(session.member(by)));
                (Kind::MessageReaction, Data { message, reaction, from, ..self.done_by(session, by) })
            }
            Step::Receipt { by, status } => {
                let receipt = Some(Receipt { status: Some(status.into()) });
                let from = Some(self.people.party(session.member(by)));
                (Kind::MessageReceipt, Data { message, receipt, from, ..self.done_by(session, by) })
            }
            Step::Share { by } => {
                session.file = at.serial;
                (
                    Kind::FileShared,
                    Data { file: Some(Box::new(self.file(at.serial))), ..self.said_by(session, by) },
                )
            }
            Step::Download { by } => {
                let file = Some(Box::new(File { id: Some(id("f-", session.file)), ..File::default() }));
                (Kind::FileDownloaded, Data { file, ..self.done_by(session, by) })
            }
            Step::Rename { by } => {
                if let Some(group) = session.place.as_ref().and_then(|place| place.group) {
                    *self.renamed.entry(group).or_default() += 1;
                }
                let data = self.said_by(session, by);
                let title = data.conversation.as_ref().and_then(|conversation| conversation.title.clone());
                (Kind::ConversationRenamed, Data { title, ..data })
            }
            Step::Join { who } => (Kind::ConversationParticipant, self.moved(session, who, "joined")),
            Step::Leave { who } => (Kind::ConversationParticipant, self.moved(session, who, "left")),
            Step::ViewHistory { by } => (Kind::ConversationHistoryViewed, self.done_by(session, by)),
            _ => self.gateway(Step::Heartbeat, at),
        }
    }

    fn moved(&self, session: &Session, who: u8, action: &'static str) -> Data<'static> {
        // Who joins was asked by the first member; who leaves does so alone.
        let by = if action == "joined" { 0 } else { who };
        Data {
            participant: Some(Box::new(Party {
                role: Some("guest".into()),
                ..self.people.named(session.member(who))
            })),
            action: Some(action.into()),
            ..self.done_by(session, by)
        }
    }

    fn body(&mut self, line: Line) -> Body {
        match line {
            Line::Any => self.talk.message(&mut self.rng),
            Line::Fixed(n) => {
                let text = FIXED[usize::from(n) % FIXED.len()].to_owned();
                Body { text, content_type: "text/plain" }
            }
        }
    }

    fn file(&mut self, serial: u64) -> File<'static> {
        let (extension, media_type) = self.rng.pick(&FILES);
        let sha256 = (0..4).map(|n| format!("{:016x}", mix(serial, n))).collect::<String>();
        File {
            id: Some(id("f-", serial)),
            name: Some(format!("{}.{extension}", self.talk.title(&mut self.rng)).into()),
            media_type: Some(media_type.into()),
            size: Some(self.rng.between(900, 6_000_000) as i64),
            reference: Some(format!("files/{}", sha256.get(..16).unwrap_or_default()).into()),
            sha256: Some(sha256.into()),
        }
    }

    fn contact(&mut self, session: &Session, step: Step) -> (Kind, Data<'static>) {
        let (asker, asked) = (session.member(0), session.member(1));
        let between = |from, to, contact| Data {
            from: Some(self.people.named(from)),
            to: Some(vec![self.people.named(to)]),
            contact,
            ..Data::default()
        };
        match step {
            Step::Search { by_email } => {
                let name = self.people.named(asked).name;
                let query = if by_email { Some(self.people.email(asked).into()) } else { name };
                let result_count = Some(if by_email { 1 } else { self.rng.below(9) as i64 });
                let kind = Some(if by_email { "email" } else { "name" }.into());
                let search = Some(Search { query, kind, result_count });
                (
                    Kind::ContactSearched,
                    Data { from: Some(self.people.named(asker)), search, ..Data::default() },
                )
            }
            Step::Request => {
                let contact = Contact { text: Some(self.rng.pick(&REQUESTS).into()) };
                (Kind::ContactRequested, between(asker, asked, Some(contact)))
            }
            Step::Decline => (Kind::ContactDeclined, between(asked, asker, None)),
            Step::Block => (Kind::ContactBlocked, between(asked, asker, None)),
            Step::Remove => (Kind::ContactRemoved, between(asker, asked, None)),
            _ => (Kind::ContactAccepted, between(asked, asker, None)),
        }
    }

    fn policy(&self, change: Change) -> Data<'static> {
        let (scope, target, on) = match change {
            Change::Tenant => ("tenant", self.people.tenant.clone(), true),
            Change::Domain(domain) => ("domain", domain.to_owned(), true),
            Change::User(who) => ("user", self.people.address(who), true),
            Change::UserOff(who) => ("user", self.people.address(who), false),
        };
        Data {
            from: Some(self.people.named(Who::Admin)),
            client: Some(client(Who::Admin).into()),
            policy: Some(Box::new(Policy {
                scope: Some(scope.into()),
                target: Some(target.into()),
                setting: Some("federation.enabled".into()),
                old: Some(Value::Bool(!on)),
                new: Some(Value::Bool(on)),
            })),
            ..Data::default()
        }
    }

    pub(super) fn gateway(&mut self, step: Step, at: Moment) -> (Kind, Data<'static>) {
        let kind = match step {
            Step::Outage { .. } => {
                let outage = Some(Outage {
                    from: Some(rfc3339(at.last_ms + 1)),
                    to: Some(rfc3339(at.now_ms)),
                    reason: Some("the connection to the message broker was lost".into()),
                });
                return (Kind::GatewayOutage, Data { outage, ..Data::default() });
            }
            Step::Started => Kind::GatewayStarted,
            Step::Stopped => Kind::GatewayStopped,
            _ => Kind::GatewayHeartbeat,
        };
        let version = Some(format!("4.2.{}", self.upgrades).into());
        if kind == Kind::GatewayStopped {
            self.upgrades += 1;
        }
        (kind, Data { gateway: Some(Gateway { version }), ..Data::default() })
    }
}

fn written(serial: u64, body: Body) -> Message<'static> {
    Message {
        id: Some(id("m-", serial)),
        content_type: Some(body.content_type.into()),
        text: Some(body.text.into()),
        ..Message::default()
    }
}
