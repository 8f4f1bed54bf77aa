//! The closed, versioned list of event types.

use std::borrow::Cow;

use crate::gap;

macro_rules! kinds {
    ($($variant:ident $short:literal $doc:literal,)*) => {
        /// An event type of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $(#[doc = $doc] $variant,)* }

        impl Kind {
            /// Every type of the contract, in the order of the contract.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// `im.message.sent`
            pub const fn short(self) -> &'static str {
                match self { $(Kind::$variant => $short,)* }
            }

            /// `federation.im.message.sent.v1`
            pub const fn full(self) -> &'static str {
                match self { $(Kind::$variant => concat!("federation.", $short, ".v1"),)* }
            }

            /// What happened, in one line.
            pub const fn doc(self) -> &'static str {
                match self { $(Kind::$variant => $doc,)* }
            }

            /// The type with this full name, if the contract has it.
            pub fn from_full(name: &str) -> Option<Kind> {
                match name { $(concat!("federation.", $short, ".v1") => Some(Kind::$variant),)* _ => None }
            }
        }
    };
}

kinds! {
    MessageSent "im.message.sent" "An instant message was sent.",
    MessageEdited "im.message.edited" "The text of a message was replaced.",
    MessageDeleted "im.message.deleted" "A message was deleted by its sender or a moderator.",
    MessageReaction "im.message.reaction" "A reaction was added to or removed from a message.",
    MessageReceipt "im.message.receipt" "A message was delivered or read.",
    FileShared "file.shared" "A file was offered to a conversation.",
    FileDownloaded "file.downloaded" "A shared file was fetched.",
    CallInvited "call.invited" "Somebody was called.",
    CallAnswered "call.answered" "A call was taken.",
    CallParticipant "call.participant" "Somebody joined or left a call.",
    CallMedia "call.media" "The media of a call changed.",
    CallEnded "call.ended" "A call ended; its call detail record.",
    ConversationParticipant "conversation.participant" "Somebody joined or left a conversation.",
    ConversationRenamed "conversation.renamed" "A conversation got another title.",
    ConversationHistoryViewed "conversation.history_viewed" "Somebody read the history of a conversation.",
    ContactSearched "contact.searched" "The directory was searched.",
    ContactRequested "contact.requested" "Somebody asked to become a contact.",
    ContactAccepted "contact.accepted" "A contact request was accepted.",
    ContactDeclined "contact.declined" "A contact request was declined.",
    ContactBlocked "contact.blocked" "A contact was blocked.",
    ContactRemoved "contact.removed" "A contact was removed.",
    PolicyChanged "policy.changed" "An administrator changed federation policy.",
    GatewayStarted "gateway.started" "A gateway started.",
    GatewayStopped "gateway.stopped" "A gateway stopped.",
    GatewayHeartbeat "gateway.heartbeat" "A gateway says that it is alive.",
    GatewayOutage "gateway.outage" "A gateway could not record for a while.",
}

/// The short name of any full type name: `federation.` and the version are
/// taken off a name of the contract's form, the version off that of a gap's row;
/// any other name is left as it is.
pub fn short_name(full: &str) -> Cow<'_, str> {
    if full == gap::KIND {
        return Cow::Borrowed(gap::SHORT);
    }
    let Some(rest) = full.strip_prefix("federation.") else {
        return Cow::Borrowed(full);
    };
    match rest.rsplit_once(".v") {
        Some((short, version)) if !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()) => {
            // A later version keeps its number: it is another type.
            if version == "1" { Cow::Borrowed(short) } else { Cow::Borrowed(rest) }
        }
        _ => Cow::Borrowed(full),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_full(kind.full()), Some(*kind));
            assert_eq!(short_name(kind.full()), kind.short());
        }
        assert_eq!(short_name("federation.im.message.sent.v2"), "im.message.sent.v2");
        assert_eq!(short_name("com.example.other"), "com.example.other");
        assert_eq!(short_name("federation.odd"), "federation.odd");
        assert_eq!(short_name("custody.gap.v1"), "custody.gap");
        assert_eq!(short_name("custody.other.v1"), "custody.other.v1");
    }
}
