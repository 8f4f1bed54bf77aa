//! What a production is asked to be: the options of `custody export` over a request file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use custody_export::{Format, Numbering, Options, Redaction, VolumeLimit, What, font_files, read_positions};
use custody_index::Context;
use custody_index::query::parse;
use custody_schemas::Position;
use jiff::tz::TimeZone;
use serde::Deserialize;

use crate::args::ExportArgs;
use crate::failure::Failure;
use crate::settings::duration;

/// A request file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    query: Option<String>,
    #[serde(default)]
    custodians: Vec<String>,
    date: Option<String>,
    positions: Option<PathBuf>,
    context: Option<String>,
    who: Option<String>,
    why: Option<String>,
    zone: Option<String>,
    format: Option<String>,
    numbering: Option<Numbers>,
    volume: Option<VolumeLimit>,
    with_records: Option<bool>,
    redact: Option<Vec<String>>,
    #[serde(default)]
    redactions: Vec<Redaction>,
    redactions_file: Option<PathBuf>,
    files: Option<PathBuf>,
    fonts: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    prefix: Option<String>,
    width: Option<u32>,
    start: Option<u64>,
}

/// What is asked for, with every default.
#[derive(Debug)]
pub struct Wanted {
    /// Which records.
    pub which: Which,
    /// Whose records were asked for by name.
    pub custodians: Vec<String>,
    /// Who asks.
    pub who: String,
    /// Why.
    pub why: String,
    /// The zone's IANA name.
    pub zone: String,
    /// The form of the records.
    pub format: Format,
    /// How it is made; what is around hits and which were selected is still to be said.
    pub options: Options,
    /// A folder with the files that records refer to.
    pub files: Option<PathBuf>,
    /// A folder with fonts.
    pub fonts: Option<PathBuf>,
}

/// Which records are produced.
#[derive(Debug)]
pub enum Which {
    /// What a query finds, and what stands around it.
    Found(String, Option<custody_export::Context>),
    /// Those at these positions, each once.
    Named(Vec<Position>),
}

impl Wanted {
    /// Reads the files that the arguments name.
    ///
    /// # Errors
    /// What is missing, contradicts itself or cannot be read.
    pub fn read(args: &ExportArgs) -> Result<Wanted, Failure> {
        let file = args.request.as_deref().map_or_else(|| Ok(File::default()), File::read)?;
        let text = |flag: &str, given: &Option<String>, filed: Option<&String>| {
            let text = given.as_ref().or(filed).map(String::as_str).unwrap_or_default();
            match text.trim().is_empty() {
                true => Err(Failure::usage(format!("{flag} is empty: the receipt says who asked, and why"))),
                false => Ok(text.to_owned()),
            }
        };
        let who = text("--who", &args.who, file.who.as_ref())?;
        let why = text("--why", &args.why, file.why.as_ref())?;
        let format = match (args.format, &file.format) {
            (Some(format), _) => format,
            (None, Some(name)) => named(name)?,
            (None, None) => Format::JsonLines,
        };
        Ok(Wanted {
            which: file.which(args)?,
            custodians: file.custodians.clone(),
            zone: args.zone.clone().or_else(|| file.zone.clone()).unwrap_or_else(|| "UTC".to_owned()),
            format,
            options: file.options(args, &why)?,
            files: args.files.clone().or(file.files),
            fonts: args.fonts.clone().or(file.fonts),
            who,
            why,
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<File, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
        let mut file: File = toml_edit::de::from_str(&text)
            .map_err(|e| Failure::usage(format!("{} is not a request:\n{e}", path.display())))?;
        let beside = path.parent().unwrap_or(Path::new(""));
        for named in [&mut file.positions, &mut file.redactions_file, &mut file.files, &mut file.fonts]
            .into_iter()
            .flatten()
        {
            *named = beside.join(&*named);
        }
        Ok(file)
    }

    fn which(&self, args: &ExportArgs) -> Result<Which, Failure> {
        let query = self.composed(args.query.as_ref().or(self.query.as_ref()))?;
        let positions = args.positions.as_ref().or(self.positions.as_ref());
        let context = args.context.as_ref().or(self.context.as_ref());
        match (positions, query) {
            (Some(_), Some(_)) => Err(Failure::usage(
                "positions are all that is asked for: leave them out, or the query, custodians and date",
            )),
            (Some(_), None) if context.is_some() => {
                Err(Failure::usage("context is of what a query finds: leave it out with positions"))
            }
            (Some(path), None) => Ok(Which::Named(read_positions(path)?)),
            (None, Some(query)) => Ok(Which::Found(query, context.map(|text| around(text)).transpose()?)),
            (None, None) => Err(Failure::usage(
                "the request says of nothing: give a query, custodians, a date or positions",
            )),
        }
    }

    /// A query and everything that narrows it, as one query: each part is one by itself, so that none can
    /// undo another.
    fn composed(&self, query: Option<&String>) -> Result<Option<String>, Failure> {
        let mut parts = Vec::new();
        if let Some(query) = query {
            parts.push(query.trim().to_owned());
        }
        let quoted = |name: &String| match name.contains('"') || name.trim().is_empty() {
            true => {
                Err(Failure::usage(format!("custodian {name:?}: a name is not empty and has no quote in it")))
            }
            false => Ok(format!("custodian:\"{name}\"")),
        };
        let custodians: Vec<String> = self.custodians.iter().map(quoted).collect::<Result<_, _>>()?;
        if !custodians.is_empty() {
            parts.push(custodians.join(" OR "));
        }
        if let Some(date) = &self.date {
            // It may have spaces, such as `last 30 days`.
            let spaced = date.contains(char::is_whitespace) && !date.contains('"');
            parts.push(if spaced { format!("date:\"{date}\"") } else { format!("date:{date}") });
        }
        if let [_, _, ..] = &parts[..] {
            let wrong = |part: &String, e| Failure::usage(format!("{part:?} is no query by itself:\n{e}"));
            parts
                .iter()
                .try_for_each(|part| parse(part, &TimeZone::UTC).map(drop).map_err(|e| wrong(part, e)))?;
        }
        Ok(match parts.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            all => Some(all.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(" AND ")),
        })
    }

    fn options(&self, args: &ExportArgs, why: &str) -> Result<Options, Failure> {
        let usual = Numbering::default();
        let filed = self.numbering.as_ref();
        let numbering = Numbering {
            prefix: args.bates_prefix.clone().or_else(|| filed?.prefix.clone()).unwrap_or(usual.prefix),
            width: args.bates_width.or_else(|| filed?.width).unwrap_or(usual.width),
            start: args.bates_start.or_else(|| filed?.start).unwrap_or(usual.start),
        };
        let fonts = args.fonts.as_ref().or(self.fonts.as_ref());
        let filed = self.volume.as_ref();
        let documents = args.volume_documents.or_else(|| filed?.documents);
        let bytes = args.volume_bytes.or_else(|| filed?.bytes);
        if documents == Some(0) || bytes == Some(0) {
            return Err(Failure::usage("a volume holds at least one document and one byte, not 0"));
        }
        Ok(Options {
            numbering,
            volume: (documents.is_some() || bytes.is_some()).then_some(VolumeLimit { bytes, documents }),
            with_records: args.with_records || self.with_records.unwrap_or(false),
            redactions: self.all_redactions(args, why)?,
            fonts: fonts.map(|folder| font_files(folder)).transpose()?.unwrap_or_default(),
            ..Options::default()
        })
    }

    /// The rules by name, those of the request, and those of files: what a request takes out, no option leaves
    /// in.
    fn all_redactions(&self, args: &ExportArgs, why: &str) -> Result<Vec<Redaction>, Failure> {
        let mut named: Vec<&String> = self.redact.iter().flatten().collect();
        named.extend(
            args.redact.iter().filter(|name| !self.redact.iter().flatten().any(|filed| filed == *name)),
        );
        let mut all = Vec::new();
        for name in named {
            let what = match name.as_str() {
                "card" => What::Card,
                "iban" => What::Iban,
                "ssn" => What::Ssn,
                "email" => What::Email,
                "phone" => What::Phone,
                _ => {
                    let known = "card, iban, ssn, email and phone";
                    return Err(Failure::usage(format!("redact {name:?} is not known; there are {known}")));
                }
            };
            all.push(Redaction { name: name.clone(), reason: why.to_owned(), what });
        }
        all.extend(self.redactions.iter().cloned());
        for path in self.redactions_file.iter().chain(&args.redactions) {
            let text = std::fs::read_to_string(path)
                .map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))?;
            let more: Vec<Redaction> = serde_json::from_str(&text).map_err(|e| {
                Failure::usage(format!("{} is not a list of redactions: {e}", path.display()))
            })?;
            all.extend(more);
        }
        Ok(all)
    }
}

fn named(name: &str) -> Result<Format, Failure> {
    let known = Format::ALL.iter().find(|format| format.about().0 == name);
    known.copied().ok_or_else(|| {
        let all: Vec<&str> = Format::ALL.iter().map(|format| format.about().0).collect();
        Failure::usage(format!("format {name:?} is not known; there are {}", all.join(", ")))
    })
}

/// A number of events, a time, `day` or `conversation`.
fn around(text: &str) -> Result<custody_export::Context, Failure> {
    use custody_export::Context;
    let time =
        |text: &str| duration(text).ok().and_then(|time: Duration| i64::try_from(time.as_millis()).ok());
    match (text, text.parse::<u32>()) {
        ("day", _) => Ok(Context::Day),
        ("conversation", _) => Ok(Context::Conversation),
        (_, Ok(events)) => Ok(Context::Events(events)),
        (_, Err(_)) => time(text).map(Context::Milliseconds).ok_or_else(|| {
            Failure::usage(format!(
                "context {text:?} is none; write a number of events such as 20, a number with s, m or h such as \
                 30m, day or conversation"
            ))
        }),
    }
}

/// The same for the index.
pub fn in_index(context: custody_export::Context, zone: &TimeZone) -> Context {
    match context {
        custody_export::Context::Events(count) => Context::Events(count),
        custody_export::Context::Milliseconds(ms) => Context::Time(ms),
        custody_export::Context::Day => Context::Day(zone.clone()),
        custody_export::Context::Conversation => Context::Conversation,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ExportArgs {
        let some = |text: &str| Some(text.to_owned());
        ExportArgs { who: some("dana"), why: some("case 7"), ..ExportArgs::default() }
    }

    fn read(toml: &str, args: ExportArgs) -> Result<Wanted, String> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("reviewed.csv"),
            "number,Position\nCUST1,chat:1:0:7\n\"C,2\",chat:1:0:5\n,chat:1:0:7\n",
        )
        .unwrap();
        std::fs::write(dir.path().join("list.txt"), "\u{feff}chat:1:0:5\r\n\nchat:1:0:x\n").unwrap();
        std::fs::write(dir.path().join("empty.txt"), "position\n").unwrap();
        let path = dir.path().join("production.toml");
        std::fs::write(&path, toml).unwrap();
        Wanted::read(&ExportArgs { request: Some(path), ..args }).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_request_file_says_it_all() {
        let toml = r#"
            query = "merger"
            custodians = ["Alice Archer", "Bob Baker"]
            date = "last 30 days"
            zone = "Europe/Berlin"
            context = "30m"
            who = "dana"
            why = "case 7"
            format = "rsmf"
            with_records = true
            redact = ["card"]
            numbering = { prefix = "CASE7-", start = 5 }
            volume = { documents = 9 }
            [[redactions]]
            name = "project"
            reason = "privileged"
            what = { pattern = "bluebird" }
        "#;
        let wanted = read(toml, ExportArgs::default()).unwrap();
        let Which::Found(query, context) = &wanted.which else { panic!("{:?}", wanted.which) };
        assert_eq!(
            query,
            "(merger) AND (custodian:\"Alice Archer\" OR custodian:\"Bob Baker\") AND (date:\"last 30 days\")"
        );
        assert!(custody_index::query::parse(query, &TimeZone::UTC).is_ok());
        assert_eq!(*context, Some(custody_export::Context::Milliseconds(1_800_000)));
        assert_eq!((wanted.format, &*wanted.zone), (Format::Rsmf, "Europe/Berlin"));
        let options = &wanted.options;
        assert_eq!(options.numbering, Numbering { prefix: "CASE7-".into(), width: 8, start: 5 });
        assert_eq!(options.volume, Some(VolumeLimit { documents: Some(9), bytes: None }));
        assert!(options.with_records);
        let rules: Vec<_> = options.redactions.iter().map(|rule| (&*rule.name, &*rule.reason)).collect();
        assert_eq!(rules, [("card", "case 7"), ("project", "privileged")]);

        // What stands on the command line comes first.
        let over = ExportArgs {
            query: Some("invoice".into()),
            format: Some(Format::Html),
            bates_width: Some(3),
            redact: vec!["email".into()],
            ..ExportArgs::default()
        };
        let wanted = read(toml, over).unwrap();
        let Which::Found(query, Some(_)) = &wanted.which else { panic!("{:?}", wanted.which) };
        // It is as narrow as the file has it.
        assert!(query.starts_with("(invoice) AND (custodian:\"Alice Archer\" OR"), "{query}");
        assert!(query.ends_with("AND (date:\"last 30 days\")"), "{query}");
        assert_eq!((wanted.format, wanted.options.numbering.width), (Format::Html, 3));
        // What the file takes out stays out.
        let rules: Vec<_> = wanted.options.redactions.iter().map(|rule| &*rule.name).collect();
        assert_eq!(rules, ["card", "email", "project"]);
    }

    #[test]
    fn records_may_be_named() {
        let wanted = read("positions = \"reviewed.csv\"", args()).unwrap();
        let Which::Named(positions) = wanted.which else { panic!("{:?}", wanted.which) };
        let positions: Vec<String> = positions.iter().map(ToString::to_string).collect();
        assert_eq!(positions, ["chat:1:0:5", "chat:1:0:7"]);
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for (toml, expected) in [
            ("", "the request says of nothing"),
            ("quer = \"x\"", "unknown field `quer`"),
            ("query = 7", "invalid type: integer `7`, expected a string"),
            ("query = \"a\"\npositions = \"reviewed.csv\"", "positions are all that is asked for"),
            ("date = \"2013\"\npositions = \"reviewed.csv\"", "positions are all that is asked for"),
            ("query = \"a) OR (b\"\ndate = \"2013\"", "\"a) OR (b\" is no query by itself"),
            ("query = \"a\"\ndate = \"2013)OR(b\"", "\"date:2013)OR(b\" is no query by itself"),
            ("positions = \"list.txt\"", "list.txt: line 3: "),
            ("positions = \"empty.txt\"", "it names no position"),
            ("positions = \"nowhere\"", "nowhere: No such file"),
            ("positions = \"reviewed.csv\"\ncontext = \"day\"", "leave it out with positions"),
            ("query = \"a\"\ncontext = \"30x\"", "context \"30x\" is none"),
            ("query = \"a\"\ncontext = \"-1\"", "context \"-1\" is none"),
            ("custodians = ['a\"b']", "has no quote in it"),
            ("query = \"a\"\nformat = \"doc\"", "format \"doc\" is not known; there are jsonl, html"),
            ("query = \"a\"\nredact = [\"cards\"]", "redact \"cards\" is not known"),
            ("query = \"a\"\nvolume = { bytes = 0 }", "a volume holds at least"),
            ("query = \"a\"\nredactions_file = \"list.txt\"", "list.txt is not a list of redactions"),
        ] {
            let error = read(toml, args()).unwrap_err();
            assert!(error.contains(expected), "{toml}: {error}");
        }
        let error = read("query = \"a\"\nwho = \" \"", ExportArgs { who: None, ..args() }).unwrap_err();
        assert!(error.contains("--who is empty"), "{error}");
    }

    #[test]
    fn context_is_events_a_time_a_day_or_all() {
        use custody_export::Context;
        for (text, expected) in [
            ("0", Context::Events(0)),
            ("20", Context::Events(20)),
            ("90s", Context::Milliseconds(90_000)),
            ("2h", Context::Milliseconds(7_200_000)),
            ("day", Context::Day),
            ("conversation", Context::Conversation),
        ] {
            assert_eq!(around(text).unwrap(), expected, "{text}");
        }
    }
}
