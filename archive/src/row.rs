//! What the columns say of one event, borrowed: from what was decoded, or from a payload of a known shape.

use custody_schemas::Decoded;
use custody_schemas::event::{Call, Data, File, Party, Text};
use custody_schemas::kind::Kind;
use custody_schemas::time::time_us;
use serde_json::Value;

use crate::columns::STATUS_OK;
use crate::cut::parties;
use crate::detail::{detail, json_text};

/// The text columns that are filled the same way, by name.
pub(crate) const TEXTS: [&str; 16] = [
    "status",
    "reason",
    "warnings",
    "id",
    "source",
    "type",
    "tenant",
    "conversation_id",
    "conversation_kind",
    "title",
    "client",
    "message_id",
    "in_reply_to",
    "content_type",
    "body",
    "detail",
];
pub(crate) const STATUS: usize = 0;
pub(crate) const REASON: usize = 1;
pub(crate) const WARNINGS: usize = 2;
pub(crate) const ID: usize = 3;
pub(crate) const SOURCE: usize = 4;
pub(crate) const TYPE: usize = 5;
pub(crate) const TENANT: usize = 6;
pub(crate) const CONVERSATION: usize = 7;
pub(crate) const CONVERSATION_KIND: usize = 8;
pub(crate) const TITLE: usize = 9;
pub(crate) const CLIENT: usize = 10;
pub(crate) const MESSAGE: usize = 11;
pub(crate) const CONTENT_TYPE: usize = 13;
pub(crate) const BODY: usize = 14;
pub(crate) const DETAIL: usize = 15;

/// A time as it is written, and in microseconds since 1970 UTC if it can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moment<'r> {
    pub(crate) text: Option<&'r str>,
    pub(crate) us: Option<i64>,
}

impl<'r> Moment<'r> {
    fn read(text: Option<&'r Text<'_>>) -> Self {
        let text = text.map(|text| &**text);
        Moment { text, us: text.and_then(time_us) }
    }
}

/// The relation, the network, the address, the name, the role and the scope.
pub(crate) type PartyRow<'r> = [Option<&'r str>; 6];

/// A call, if the event is of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CallTexts<'r> {
    /// The id, the media with commas between them, the reason, diagnostics, quality.
    pub(crate) texts: [Option<&'r str>; 5],
    pub(crate) media: &'r [Text<'r>],
    /// Invite, answer, end.
    pub(crate) times: [Moment<'r>; 3],
    /// The response code, messages from and to.
    pub(crate) numbers: [Option<i64>; 3],
}

impl<'r> CallTexts<'r> {
    pub(crate) fn id(&self) -> &'r str {
        self.texts[0].unwrap_or_default()
    }
}

/// A file, if the event is of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FileTexts<'r> {
    /// The id, the name, the media type, the SHA-256, the reference.
    pub(crate) texts: [Option<&'r str>; 5],
    pub(crate) size: Option<i64>,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row<'r> {
    /// In the order of [`TEXTS`].
    pub(crate) texts: [Option<&'r str>; 16],
    pub(crate) kind: Option<Kind>,
    pub(crate) sequence: Option<i64>,
    pub(crate) time: Moment<'r>,
    pub(crate) parties: Vec<PartyRow<'r>>,
    // Few events have one: the others stay small.
    pub(crate) call: Option<Box<CallTexts<'r>>>,
    pub(crate) file: Option<Box<FileTexts<'r>>>,
}

/// What is made of an event for its columns, beside what is borrowed from it.
pub(crate) struct Made {
    warnings: String,
    pub(crate) detail: Option<String>,
    media: Option<String>,
    diagnostics: Option<String>,
    quality: Option<String>,
    passing: Vec<(&'static str, Party<'static>)>,
}

impl Made {
    pub(crate) fn of(decoded: &Decoded<'_>) -> Self {
        let words: Vec<_> = decoded.warnings.iter().map(|warning| warning.word()).collect();
        let data = decoded.event.data.as_deref();
        let call = data.and_then(|data| data.call.as_deref());
        let join = |media: &Vec<Text<'_>>| media.iter().map(|medium| &**medium).collect::<Vec<_>>().join(",");
        Made {
            warnings: words.join(","),
            detail: data.and_then(detail),
            media: call.and_then(|call| call.media.as_ref()).map(join),
            diagnostics: call.and_then(|call| call.diagnostics.as_ref()).map(json_text),
            // A struct of texts and numbers always serialises.
            quality: call
                .and_then(|call| call.quality.as_ref())
                .and_then(|quality| serde_json::to_string(quality).ok()),
            passing: call.map(|call| named_in_passing(call).collect()).unwrap_or_default(),
        }
    }
}

impl<'r> Row<'r> {
    pub(crate) fn of(decoded: &'r Decoded<'_>, made: &'r Made) -> Row<'r> {
        let event = &decoded.event;
        let row = Row {
            texts: [None; 16],
            kind: decoded.kind,
            sequence: event.sequence,
            time: Moment { text: event.time.as_deref(), us: decoded.time_us },
            parties: Vec::new(),
            call: None,
            file: None,
        };
        let mut row = match event.data.as_deref() {
            Some(data) => row.with(data, made),
            None => row,
        };
        row.texts[STATUS] = Some(STATUS_OK);
        row.texts[WARNINGS] = (!made.warnings.is_empty()).then_some(&*made.warnings);
        row.texts[ID] = Some(&event.id);
        row.texts[SOURCE] = Some(&event.source);
        row.texts[TYPE] = Some(&event.kind);
        row.texts[TENANT] = event.tenant.as_deref();
        row
    }

    fn with(self, data: &'r Data<'_>, made: &'r Made) -> Row<'r> {
        let conversation = data.conversation.as_ref();
        let message = data.message.as_ref();
        let passing = made.passing.iter().map(|(relation, party)| party_row(relation, party));
        Row {
            texts: [
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                conversation.and_then(|c| c.id.as_deref()),
                conversation.and_then(|c| c.kind.as_deref()),
                data.title.as_deref().or_else(|| conversation.and_then(|c| c.title.as_deref())),
                data.client.as_deref(),
                message.and_then(|m| m.id.as_deref()),
                message.and_then(|m| m.in_reply_to.as_deref()),
                message.and_then(|m| m.content_type.as_deref()),
                message
                    .and_then(|m| m.text.as_deref())
                    .or_else(|| data.contact.as_ref().and_then(|contact| contact.text.as_deref())),
                made.detail.as_deref(),
            ],
            parties: parties(data)
                .map(|(relation, party)| party_row(relation, party))
                .chain(passing)
                .collect(),
            call: data.call.as_deref().map(|call| Box::new(call_texts(call, made))),
            file: data.file.as_deref().map(|file| Box::new(file_texts(file))),
            ..self
        }
    }

    pub(crate) fn text(&self, column: usize) -> &'r str {
        self.texts[column].unwrap_or_default()
    }
}

fn party_row<'r>(relation: &'r str, party: &'r Party<'_>) -> PartyRow<'r> {
    [
        Some(relation),
        party.network.as_deref(),
        party.address.as_deref(),
        party.name.as_deref(),
        party.role.as_deref(),
        party.scope.as_deref(),
    ]
}

fn call_texts<'r>(call: &'r Call<'_>, made: &'r Made) -> CallTexts<'r> {
    let (media, diagnostics) = (made.media.as_deref(), made.diagnostics.as_deref());
    CallTexts {
        texts: [call.id.as_deref(), media, call.reason.as_deref(), diagnostics, made.quality.as_deref()],
        media: call.media.as_deref().unwrap_or_default(),
        times: [&call.invite_time, &call.answer_time, &call.end_time].map(|time| Moment::read(time.as_ref())),
        numbers: [call.response_code, call.from_message_count, call.to_message_count],
    }
}

fn file_texts<'r>(file: &'r File<'_>) -> FileTexts<'r> {
    FileTexts {
        texts: [
            file.id.as_deref(),
            file.name.as_deref(),
            file.media_type.as_deref(),
            file.sha256.as_deref(),
            file.reference.as_deref(),
        ],
        size: file.size,
    }
}

/// Whom a call names beside its parties.
fn named_in_passing(call: &Call<'_>) -> impl Iterator<Item = (&'static str, Party<'static>)> {
    let values = [
        ("on_behalf_of", &call.on_behalf_of),
        ("referred_by", &call.referred_by),
        ("original_target", &call.original_target),
    ];
    values.into_iter().filter_map(|(relation, value)| value.as_ref().map(|value| (relation, party_of(value))))
}

fn party_of(value: &Value) -> Party<'static> {
    // A party in full, or the bare address that some gateways write.
    let text = |name: &str| value.get(name).map(|member| json_text(member).into());
    match value {
        Value::Object(_) => Party {
            network: text("network"),
            address: text("address"),
            name: text("name"),
            role: text("role"),
            scope: text("scope"),
        },
        other => Party { address: Some(json_text(other).into()), ..Party::default() },
    }
}
