//! What the simulated people talk about, most frequent first.

/// First names: as in an address, as displayed.
#[rustfmt::skip]
pub(super) const FIRST: [(&str, &str); 40] = [
    ("alice", "Alice"), ("bob", "Bob"), ("carol", "Carol"), ("david", "David"), ("emma", "Emma"),
    ("frank", "Frank"), ("grace", "Grace"), ("henry", "Henry"), ("irene", "Irene"), ("jack", "Jack"),
    ("karen", "Karen"), ("liam", "Liam"), ("maria", "María"), ("nina", "Nina"), ("oscar", "Oscar"),
    ("paula", "Paula"), ("quentin", "Quentin"), ("rachel", "Rachel"), ("samuel", "Samuel"), ("tina", "Tina"),
    ("ursula", "Ursula"), ("victor", "Victor"), ("wendy", "Wendy"), ("xavier", "Xavier"), ("yuki", "Yuki"),
    ("zoe", "Zoë"), ("jose", "José"), ("soren", "Søren"), ("anna", "Anna"), ("peter", "Peter"),
    ("laura", "Laura"), ("martin", "Martin"), ("sofia", "Sofía"), ("thomas", "Thomas"), ("julia", "Julia"),
    ("lukasz", "Łukasz"), ("chloe", "Chloé"), ("daniel", "Daniel"), ("eva", "Eva"), ("simon", "Simon"),
];

/// Last names: as in an address, as displayed.
#[rustfmt::skip]
pub(super) const LAST: [(&str, &str); 50] = [
    ("smith", "Smith"), ("jones", "Jones"), ("mueller", "Müller"), ("garcia", "García"), ("brown", "Brown"),
    ("taylor", "Taylor"), ("wilson", "Wilson"), ("davies", "Davies"), ("evans", "Evans"), ("thomas", "Thomas"),
    ("johnson", "Johnson"), ("roberts", "Roberts"), ("walker", "Walker"), ("wright", "Wright"), ("green", "Green"),
    ("hall", "Hall"), ("wood", "Wood"), ("jackson", "Jackson"), ("clarke", "Clarke"), ("patel", "Patel"),
    ("khan", "Khan"), ("lewis", "Lewis"), ("james", "James"), ("phillips", "Phillips"), ("mason", "Mason"),
    ("mitchell", "Mitchell"), ("rossi", "Rossi"), ("weber", "Weber"), ("fischer", "Fischer"), ("novak", "Novák"),
    ("jensen", "Jensen"), ("nielsen", "Nielsen"), ("dubois", "Dubois"), ("moreau", "Moreau"), ("lopez", "López"),
    ("silva", "Silva"), ("costa", "Costa"), ("tanaka", "Tanaka"), ("suzuki", "Suzuki"), ("chen", "Chen"),
    ("wang", "Wang"), ("kim", "Kim"), ("nguyen", "Nguyen"), ("ivanov", "Ivanov"), ("kowalski", "Kowalski"),
    ("obrien", "O'Brien"), ("murphy", "Murphy"), ("schmidt", "Schmidt"), ("becker", "Becker"), ("larsen", "Larsen"),
];

#[rustfmt::skip]
pub(super) const NOUNS: [&str; 120] = [
    "meeting", "report", "contract", "client", "price", "team", "invoice", "deal", "order", "trade",
    "call", "offer", "budget", "project", "account", "number", "market", "proposal", "customer", "payment",
    "draft", "schedule", "office", "position", "bank", "lunch", "board", "agreement", "merger", "risk",
    "quarter", "forecast", "supplier", "delivery", "review", "shares", "fund", "portfolio", "loan", "bond",
    "audit", "discount", "presentation", "spreadsheet", "deadline", "estimate", "margin", "shipment", "lawyer", "memo",
    "announcement", "valuation", "counterparty", "settlement", "receipt", "interest rate", "option", "hedge", "regulator", "policy",
    "department", "partner", "headcount", "bonus", "warehouse", "factory", "product", "launch", "campaign", "website",
    "server", "password", "laptop", "printer", "flight", "hotel", "train", "conference", "visitor", "parking space",
    "acquisition", "subsidiary", "dividend", "prospectus", "term sheet", "due diligence", "escrow", "balance sheet", "cash flow", "write-off",
    "refund", "complaint", "warranty", "patent", "licence", "trademark", "tender", "bid", "bidder", "auction",
    "copper", "crude oil", "wheat", "currency swap", "futures", "collateral", "guarantee", "mortgage", "insurance", "premium",
    "whistleblower", "subpoena", "injunction", "arbitration", "restructuring", "insolvency", "liquidator", "covenant", "syndicate", "underwriter",
];

#[rustfmt::skip]
pub(super) const VERBS: [&str; 32] = [
    "send", "check", "review", "sign", "discuss", "update", "approve", "finish", "confirm", "read",
    "change", "move", "cancel", "close", "buy", "sell", "book", "forward", "explain", "compare",
    "print", "negotiate", "postpone", "reject", "revise", "verify", "translate", "summarise", "escalate", "archive",
    "reconcile", "hedge",
];

#[rustfmt::skip]
pub(super) const ADJECTIVES: [&str; 30] = [
    "new", "last", "final", "old", "big", "good", "next", "small", "late", "important",
    "urgent", "open", "wrong", "better", "signed", "missing", "revised", "confidential", "early", "weekly",
    "expensive", "cheap", "difficult", "external", "annual", "preliminary", "unusual", "overdue", "duplicate", "provisional",
];

#[rustfmt::skip]
pub(super) const COMPANIES: [&str; 16] = [
    "Fabrikam", "Northwind", "Adatum", "Litware", "Tailspin", "Woodgrove Bank", "Contoso", "Proseware",
    "Trey Research", "Wingtip", "Alpine", "Coho", "Lucerne", "Margie's Travel", "Relecloud", "VanArsdel",
];

#[rustfmt::skip]
pub(super) const DAYS: [&str; 10] = [
    "tomorrow", "today", "on Monday", "on Friday", "next week", "on Tuesday", "this afternoon", "on Thursday",
    "on Wednesday", "before the end of the month",
];

/// `{n}` noun, `{v}` verb, `{a}` adjective, `{p}` first name, `{d}` day, `{c}` company,
/// `{m}` amount, `{i}` a reference number, `{t}` time of day.
#[rustfmt::skip]
pub(super) const SENTENCES: [&str; 72] = [
    "ok", "thanks", "Can you {v} the {n}?", "I will {v} it {d}.", "The {n} is {a}.", "yes",
    "Did you see the {a} {n}?", "Sure, give me a minute.", "Let us {v} the {n} {d}.", "hi {p}", "What about the {n}?",
    "I have to {v} the {a} {n} first.", "no problem", "{p} wants to {v} the {n} {d}.", "Where is the {n} for {c}?",
    "{c} asked for a {a} {n}.", "I am in a meeting until {t}.", "Lunch at {t}?", "Please {v} the {n} and the {n}.",
    "The {n} from {c} is still {a}.", "Invoice {i} is {a}.", "We can {v} at {m}.", "who has the {n}?", "bye",
    "My {n} does not work again.", "The price went up to {m} {d}.", "I sent you the {n} for {c} yesterday.",
    "Do we {v} {c} or wait for the {n}?", "{p} said that the {n} is {a}.", "lol", "good morning", "see you {d}",
    "Can we talk {d}? It is about the {n}.", "The {n} number is {i}.", "I think that {c} will {v} the {n} {d}.",
    "Not sure, ask {p}.", "Could you {v} the {a} {n} before {t}?", "We need {m} for the {n}.", "sounds good",
    "The {n} of {c} looks {a} to me, {m} is too much.", "Who will {v} the {n} with {c}?", "I'm on the phone, back at {t}.",
    "Order {i} for {c} was {a}, please {v} it.", "There is a {a} {n} in the {n}.", "Has anybody told {p} about the {n}?",
    "{p} and {p} will {v} it {d} at {t}.", "They want to {v} {m} of {n} {d}.", "No news from {c} about the {n}.",
    "Please {v} this with legal before you {v} the {n}.", "Keep {m} aside for the {n}.", "why?", "Is {t} fine for you?",
    "The board will {v} the {n} {d}, nobody should know before.", "I do not agree with the {a} {n}.", "👍",
    "Our {n} with {c} ends {d}, so we have to {v} a {a} one.", "Danke schön, {p}!", "I'll call you back {d}.",
    "The {a} {n} costs {m}, plus {m} for the {n}.", "Great, {p} 😀", "Did {c} {v} the {n} or only the {n}?",
    "ça marche, {d}", "Reference {i}, {m}, due {d}.", "The café at {t}, as always?", "Try to {v} the {n} again.",
    "If {c} does not {v} the {n} {d}, we {v} ours.", "{m}?", "The {n} is in the folder of {p}.", "wait",
    "I would rather {v} than {v} the {n}.", "はい、{d}", "Nobody can {v} the {n} without {p}.",
];

/// Sentences that a demonstration searches for, exactly as they are.
pub(super) const FIXED: [&str; 6] = [
    "Can we talk about the merger?",
    "The board does not know about the merger yet, so keep it between us.",
    "Please delete this conversation when you have read it.",
    "Sell everything before the announcement on Friday.",
    "Wire 250,000 EUR to the new account of the supplier.",
    "Call me on my private phone, not here.",
];

pub(super) const REQUESTS: [&str; 5] = [
    "Hello, I would like to add you as a contact.",
    "Hi, we met at the conference last week.",
    "I work with your purchasing department, please add me.",
    "Please accept, it is about the contract.",
    "Grüße aus München, bitte annehmen!",
];

pub(super) const REACTIONS: [&str; 6] = ["👍", "like", "❤️", "laugh", "😮", "sad"];

/// File stems, extensions and media types.
pub(super) const FILES: [(&str, &str); 6] = [
    ("pdf", "application/pdf"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("png", "image/png"),
    ("txt", "text/plain"),
    ("zip", "application/zip"),
];
