"""Events of every type of the contract, the same for the same seed.

Nothing here is Custody's: the members are those that the event contract
names, and `Event.kind` is the word that `custody search type:` must know it by.
"""

import json
import random
from collections import deque
from dataclasses import dataclass, field

TYPES = """
im.message.sent im.message.edited im.message.deleted im.message.reaction im.message.receipt
file.shared file.downloaded call.invited call.answered call.participant call.media call.ended
conversation.participant conversation.renamed conversation.history_viewed
contact.searched contact.requested contact.accepted contact.declined contact.blocked contact.removed
policy.changed gateway.started gateway.stopped gateway.heartbeat gateway.outage
""".split()
# The contract says that what it does not know is kept.
UNKNOWN = "presence.changed.v7"
QUARANTINED = "quarantined"
# So many of the last messages may be edited or deleted.
SENT_KEPT = 200
WORDS = "merger invoice lunch Zürich quarterly 株価 elephant call margin привет audit 🙂 o'clock \"quoted\" back\\slash".split()


@dataclass
class Event:
    kind: str
    id: str
    key: bytes
    payload: bytes
    headers: list = field(default_factory=list)


class Events:
    """An endless source of events; ids begin with `name`."""

    def __init__(self, name, seed, words=12):
        self.name, self.random, self.words, self.sequence = name, random.Random(f"{seed} {name}"), words, 0
        self.sent = deque(maxlen=SENT_KEPT)  # message ids and their conversations

    def party(self):
        who = self.random.randrange(200)
        if who % 2:
            return {"network": "skype", "address": f"live:guest{who}", "name": f"Guest {who}", "scope": "federated"}
        return {"network": "lync", "address": f"sip:person{who}@contoso.example", "scope": "internal"}

    def text(self):
        count = self.random.randint(1, 2 * self.words)
        return " ".join(self.random.choices(WORDS, k=count))

    def message(self, kind, number, conversation):
        """Of which message an event is, and in which conversation: what is changed was sent before."""
        if kind in ("im.message.edited", "im.message.deleted") and self.sent:
            return self.random.choice(self.sent)
        return f"m-{number}", conversation

    def members(self, kind, number, message_id):
        """What the contract says that an event of this type has of its own."""
        pick, group = self.random.choice, kind.split(".")[0]
        message = {"id": message_id, "content_type": "text/plain", "text": self.text()}
        call = {"id": f"call-{number % 97}", "media": pick((["audio"], ["audio", "video"], ["screen"]))}
        if kind in ("im.message.sent", "im.message.edited"):
            return {"message": message}
        if kind == "im.message.reaction":
            return {"message": {"id": message["id"]}, "reaction": {"value": "🙂", "action": pick(("added", "removed"))}}
        if kind == "im.message.receipt":
            return {"message": {"id": message["id"]}, "receipt": {"status": pick(("delivered", "read"))}}
        if group == "im":
            return {"message": {"id": message["id"]}}
        if group == "file":
            shared = {"name": f"{number}.pdf", "media_type": "application/pdf", "size": number, "sha256": "ab" * 32}
            return {"file": {"id": f"f-{number}"} | (shared if kind == "file.shared" else {})}
        if kind == "call.ended":
            times = {f"{what}_time": f"2013-05-29T09:{minute}:00Z" for what, minute in (("invite", 10), ("end", 15))}
            return {"call": call | times | {"response_code": 200, "reason": "bye", "from_message_count": number % 7,
                                            "quality": [{"media": "audio", "codec": "SILK", "mos": 4.1}]}}
        if kind == "call.participant":
            return {"call": {"id": call["id"]}, "participant": self.party(), "action": pick(("joined", "left"))}
        if group == "call":
            return {"call": call}
        if kind == "conversation.participant":
            return {"participant": self.party(), "action": pick(("joined", "left"))}
        if group == "conversation":
            return {"title": self.text()} if kind.endswith("renamed") else {"range": "all"}
        if kind == "contact.searched":
            return {"search": {"query": self.text(), "kind": pick(("email", "name")), "result_count": number % 5}}
        if group == "contact":
            return {"contact": {"text": self.text()}}
        if group == "policy":
            return {"policy": {"scope": "domain", "target": "fabrikam.example", "setting": "federation",
                               "old": "on", "new": "off"}}
        if kind == "gateway.outage":
            return {"outage": {"from": "2013-05-29T09:00:00Z", "to": "2013-05-29T09:01:00Z", "reason": "disk"}}
        return {"gateway": {"version": "7.1"}}

    def next(self):
        number, self.sequence = self.sequence, self.sequence + 1
        identifier, roll = f"{self.name}-{number}", self.random.random()
        conversation = f"c-{self.random.randrange(300)}"
        key = conversation.encode()
        if roll < 0.005:
            return Event(QUARANTINED, identifier, key, f"not an event: {identifier}".encode())
        # Half of what people do is to write; the others come in equal parts.
        kind = UNKNOWN if roll < 0.02 else "im.message.sent" if roll < 0.5 else self.random.choice(TYPES)
        attributes = {
            "specversion": "1.0", "id": identifier, "source": f"//{self.name}.contoso.example/federation",
            "type": f"federation.{kind}" if kind == UNKNOWN else f"federation.{kind}.v1",
            "time": f"2013-05-29T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z",
            "tenant": "contoso.example", "sequence": str(number),
        }
        message_id, conversation = self.message(kind, number, conversation)
        if kind == "im.message.sent":
            self.sent.append((message_id, conversation))
        key = conversation.encode()
        data = {"conversation": {"id": conversation, "kind": "group"}, "from": self.party(), "to": [self.party()],
                "client": "Skype/6.5 Windows"} | self.members(kind, number, message_id)
        if self.random.random() < 0.1:
            # Binary content mode: the attributes are headers.
            headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
            headers.append(("content-type", b"application/json"))
            return Event(kind, identifier, key, json.dumps(data).encode(), headers)
        # Producers differ in their style: with spaces and ASCII alone, or neither.
        style = {} if number % 2 else {"separators": (",", ":"), "ensure_ascii": False}
        return Event(kind, identifier, key, json.dumps(attributes | {"data": data}, **style).encode())
