//! Events at random, with everything in them that may be hard to read.

use custody_schemas::{Incoming, Partition};
use serde_json::{Map, Value, json};

/// Knuth's linear congruential generator (MMIX), its high bits.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn text(&mut self) -> String {
        const HARD: [&str; 8] =
            ["", "\u{0}", "\u{1}P0a", "\"\\\n", "zoë 😀", "\u{fffd}\u{7f}", "{\"a\":1}", " "];
        match self.below(12) {
            hard @ 0..8 => HARD[hard as usize].to_owned(),
            8 => "long ".repeat(self.below(3_000) as usize),
            _ => format!("text {}", self.below(50)),
        }
    }

    /// An ordinary word more often than not.
    fn word(&mut self, name: &str) -> Value {
        match self.below(20) {
            0 => Value::Null,
            1 => self.text().into(),
            2 => self.below(1 << 40).into(),
            _ => format!("{name}{}", self.below(30)).into(),
        }
    }

    fn time(&mut self) -> Value {
        match self.below(10) {
            0 => "yesterday".into(),
            1 => Value::Null,
            2 => "9999-12-31T23:59:59.999999Z".into(),
            _ => format!("2013-05-29T09:15:{:02}.{:03}Z", self.below(60), self.below(1_000)).into(),
        }
    }

    fn party(&mut self) -> Value {
        let mut party = Map::new();
        for name in ["network", "address", "name", "role", "scope"] {
            if !self.one_in(3) {
                party.insert(name.to_owned(), self.word(name));
            }
        }
        party.into()
    }

    fn parties(&mut self) -> Value {
        let many = if self.one_in(40) { self.below(400) } else { self.below(4) };
        (0..many).map(|_| self.party()).collect()
    }

    fn data(&mut self) -> Value {
        let mut data = json!({ "from": self.party(), "to": self.parties(), "client": self.word("c") });
        if !self.one_in(4) {
            data["conversation"] =
                json!({ "id": self.word("conv"), "kind": "group", "title": self.word("title") });
        }
        if !self.one_in(4) {
            data["message"] =
                json!({ "id": self.word("m"), "content_type": "text/plain", "text": self.text() });
        }
        if self.one_in(4) {
            data["call"] = json!({
                "id": self.word("k"), "media": ["audio", "video"], "invite_time": self.time(),
                "answer_time": self.time(), "end_time": self.time(), "response_code": self.below(700),
                "reason": self.word("why"), "diagnostics": { "a": 1 }, "from_message_count": self.below(9),
                "referred_by": "sip:somebody",
            });
        }
        if self.one_in(5) {
            data["file"] = json!({
                "id": self.word("f"), "name": self.text(), "media_type": "a/b", "size": self.below(1 << 33),
                "sha256": "00", "ref": self.word("r"),
            });
        }
        data
    }

    fn payload(&mut self) -> Option<Vec<u8>> {
        match self.below(15) {
            0 => return None,
            1 => return Some(b"\xff not json".to_vec()),
            2 => return Some(Vec::new()),
            _ => {}
        }
        const KINDS: [&str; 5] = [
            "federation.im.message.sent.v1",
            "federation.im.message.edited.v1",
            "federation.call.ended.v1",
            "federation.file.shared.v1",
            "something.else.v7",
        ];
        let kind = KINDS[self.below(5) as usize];
        let mut event = json!({
            "specversion": "1.0", "id": format!("id-{}", self.below(1 << 30)), "source": self.word("//gw"),
            "type": kind, "time": self.time(), "tenant": self.word("t"), "data": self.data(),
        });
        if !self.one_in(3) {
            event["sequence"] = self.below(1 << 20).into();
        }
        let mut text = event.to_string();
        if self.one_in(10) {
            text = text.replace(",\"", ", \"");
        }
        Some(text.into_bytes())
    }

    /// The next message, as it is handed over.
    pub(super) fn message(&mut self, each: impl FnOnce(&Incoming<'_>)) {
        let payload = self.payload();
        let value = format!("v{}", self.below(3));
        let all = [("a", Some(&b""[..])), ("a", None), ("zoë", Some(value.as_bytes())), ("", None)];
        let headers = &all[..if self.one_in(3) { self.below(5) as usize } else { 0 }];
        // Longer than a dictionary may be, when there are many.
        let key = match self.below(4) {
            0 => None,
            1 => Some(vec![b'k'; 3]),
            _ => Some(format!("{:0>500}", self.below(1 << 30)).into_bytes()),
        };
        let broker_time_ms = (!self.one_in(5)).then(|| self.below(1 << 41) as i64 - (1 << 40));
        each(&Incoming { key: key.as_deref(), headers, payload: payload.as_deref(), broker_time_ms });
    }
}

pub(super) fn partition(number: i32) -> Partition {
    Partition { topic: format!("topic-{}", number % 2), generation: 1, partition: number }
}
