//! The command line. Parsed without side effects; nothing is opened here.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::settings::{Inputs, KEYS};

/// The archive of record for federated conversations.
#[derive(Debug, Parser)]
#[command(name = "custody", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Settings file; ./custody.toml is used when it is there
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Cmd,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Cmd {
    /// Show the main job on an embedded Kafka broker: simulate, archive, index, search, produce, verify
    Demo(DemoArgs),
    /// Measure what events cost on this machine, from Kafka until they are found
    Bench(BenchArgs),
    /// The worker that `bench` measures
    #[command(hide = true)]
    BenchWorker,
    /// Archive topics and index the archive, in one worker
    Run,
    /// Archive topics
    Ingest,
    /// Index the archive as it grows
    Index {
        /// Catch up once and end
        #[arg(long)]
        once: bool,
    },
    /// Publish existing history to Kafka as a gateway would
    #[command(subcommand)]
    Import(ImportCmd),
    /// Find records
    Search(SearchArgs),
    /// Print one record with its provenance
    Show {
        /// topic:generation:partition:offset
        position: String,
        /// Time zone of what is printed
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        zone: String,
    },
    /// Print a conversation as people read it
    Conversation {
        /// The conversation's id
        id: String,
        /// Mark this record and print what surrounds it
        #[arg(long, value_name = "POSITION")]
        around: Option<String>,
        /// What is printed before and after the record of --around: a number of lines, or a time
        /// such as 90s, 30m or 2h
        #[arg(long, value_name = "LINES|TIME", default_value = "20", requires = "around")]
        window: String,
        /// Time zone of what is printed
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        zone: String,
    },
    /// Write a production: records with a receipt that can be verified without Custody
    Export(Box<ExportArgs>),
    /// Make one file of a production, to send; encrypted, if it is said to whom
    Pack(PackArgs),
    /// Keys that productions are signed with
    #[command(subcommand)]
    Key(KeyCmd),
    /// Make few large files of many small ones, once; `run` does it in the background
    Compact {
        /// Say what is due and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Print what was done as JSON
        #[arg(long)]
        json: bool,
    },
    /// Who held which address when: the people that searches may name
    #[command(subcommand)]
    People(PeopleCmd),
    /// Prove the archive and its index, a production, or a statement of `reconcile`
    Verify(VerifyArgs),
    /// Account for everything: every offset, the sources' own counters, Kafka and the index
    Reconcile(ReconcileArgs),
    /// What was lost in Kafka before it was archived, and topics that were made again
    #[command(subcommand)]
    Gap(GapCmd),
    /// Look at the settings
    #[command(subcommand)]
    Config(ConfigCmd),
}

/// A proof.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Exit codes: 0 everything is as it was written, 1 the check could not be made, 2 the command or the
settings are wrong, 3 something is not as it was written; the report names it.")]
pub struct VerifyArgs {
    /// A production's folder (a packed one is unpacked first), or the file of a statement, which is
    /// compared with the archive if one is set; without it the archive is verified
    #[arg(value_name = "PATH")]
    pub what: Option<PathBuf>,
    /// Whose signature the production must have: a public key as `custody key show` prints it, or its
    /// file
    #[arg(long, value_name = "KEY", requires = "what")]
    pub key: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// Hash only what was added after this version; the log is checked whole all the same
    #[arg(long, value_name = "VERSION", conflicts_with = "what")]
    pub since: Option<u64>,
    /// Hash only so many percent of the files, drawn at random
    #[arg(long, value_name = "PERCENT", conflicts_with = "what")]
    pub sample: Option<f64>,
    /// Draw the same sample again, as the report of the first names its seed
    #[arg(long, value_name = "NUMBER", requires = "sample")]
    pub seed: Option<u64>,
    /// Note in this file what is proven, and go on from it if the run is cut short; removed at the end
    #[arg(long, value_name = "FILE", conflicts_with = "what")]
    pub resume: Option<PathBuf>,
    /// Compare what the index finds with what reading every record finds, for each line of this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "since", "sample", "resume"])]
    pub queries: Option<PathBuf>,
    /// Time zone of dates in the queries
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "queries")]
    pub zone: String,
    /// Files to verify at once, by default one for each core
    #[arg(long, value_name = "COUNT", conflicts_with = "what")]
    pub threads: Option<NonZeroUsize>,
}

/// An account of everything.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
    /// Write a statement with hashes for an auditor; a file that is there is never replaced
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    pub statement: Option<PathBuf>,
    /// How long what is on its way may take to arrive
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub wait: String,
    /// Ask again so often, and print a line when something changes
    #[arg(long, value_name = "TIME")]
    pub watch: Option<String>,
}

/// Settings of the demo.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where everything is left
    #[arg(long, value_name = "DIR", default_value = "custody-demo")]
    pub dir: PathBuf,
    /// Lync users; there are as many Skype users
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub users: u32,
    /// Events to publish
    #[arg(long, value_name = "N", default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub events: u64,
    /// Publish for this long instead, such as 30s or 5m
    #[arg(long = "for", value_name = "TIME", conflicts_with = "events")]
    pub duration: Option<String>,
    /// Another seed is another history
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Settings of the bench.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
A worker in a process of its own takes a backlog of simulated events: that is the CPU time, the
memory and the rate of the first rows. A new one then takes what is published at a rate, so that
it is seen how soon events are searchable. Stages are measured one at a time. What is archived is
verified, compacted, fetched and searched. Nothing of custody.toml or the environment is used: the
worker has its defaults.

An event is searchable when a manifest of the index covers the commit that archived it; that is
looked for every 10 ms, and the time is from the event's timestamp in Kafka until then.

The embedded broker is librdkafka's test cluster, in the bench's process: its CPU time does not
count, but it takes part of the cores. For figures to compare, use a real Kafka, with a topic that
nothing was published to:

  custody bench --brokers localhost:9092 --topic bench-1 --events 1000000

The ratio of a row is to its target: from 1.00 on it is reached. The table is printed on standard
output, progress on standard error.

Exit codes: 0 measured, whatever the figures, 1 it could not be measured, 2 the command is wrong,
3 what was archived is not what was published.")]
pub struct BenchArgs {
    /// Events of the backlog
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub events: u64,
    /// A real Kafka in place of the embedded broker
    #[arg(long, value_name = "ADDRESS", requires = "topic")]
    pub brokers: Option<String>,
    /// A topic of it that nothing was published to yet; the bench publishes to it and leaves it
    #[arg(long, value_name = "NAME", requires = "brokers")]
    pub topic: Option<String>,
    /// A librdkafka property for it, such as security.protocol=SASL_SSL; may be given more than once
    #[arg(long = "kafka-property", value_name = "NAME=VALUE", requires = "brokers")]
    pub properties: Vec<String>,
    /// Archive so many events first, and measure everything on top of them: what an event costs then is
    /// compared with what it costs on nothing
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub archived: u64,
    /// Events a second while it is measured how soon they are searchable [default: 80 % of what the worker did]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// How long they are published
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,
    /// Work in this folder, empty or new: the disk that is measured is that one [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Leave the archive and the index there
    #[arg(long)]
    pub keep: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = BenchFormat::Table)]
    pub format: BenchFormat,
}

/// Form of the bench's answer.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BenchFormat {
    /// For people
    #[default]
    Table,
    /// One JSON object; what could not be measured is null, with the reason in `absent`
    Json,
}

/// What to import.
#[derive(Debug, Subcommand)]
pub enum ImportCmd {
    /// A database of Skype 7 (main.db)
    SkypeDb {
        /// The database
        file: PathBuf,
        /// Whose conversations these are: a domain name
        #[arg(long, default_value = "import.example")]
        tenant: String,
    },
    /// Files of one JSON object a line (.gz and .zst too; - is standard input)
    Events {
        /// The files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Whose conversations these are: a domain name, for events that do not say it
        #[arg(long, default_value = "import.example")]
        tenant: String,
    },
}

/// A search.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Words, "phrases", AND OR NOT ( ), a w/5 b, contract*, recieve~1, run%, from: to: custodian: file: date:A..B and more: docs/search.md
    #[arg(allow_hyphen_values = true)]
    pub query: String,
    /// Hits on a page
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Order of the hits
    #[arg(long, value_enum, default_value_t = OrderArg::Newest)]
    pub order: OrderArg,
    /// The next page, as the last one said
    #[arg(long, value_name = "TEXT")]
    pub cursor: Option<String>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub format: FormatArg,
    /// Print the number of records alone
    #[arg(long)]
    pub count: bool,
    /// Print what all that was found consists of: over time, participants, domains, types,
    /// conversations
    #[arg(long, conflicts_with = "count")]
    pub facets: bool,
    /// Print how much was found in each conversation or of each participant, with the first hit of
    /// each in the order that is asked for; --limit and --cursor are then of groups
    #[arg(long, value_enum, conflicts_with = "count")]
    pub group: Option<GroupArg>,
    /// Give up after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
    /// Say how the query was understood, what was searched and how long each step took
    #[arg(long)]
    pub explain: bool,
    /// Time zone of dates in the query and in the answer
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
}

/// Order of hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OrderArg {
    /// Latest first
    Newest,
    /// Earliest first
    Oldest,
    /// Best match first
    Relevance,
}

/// What hits are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GroupArg {
    /// The conversation
    Conversation,
    /// Everybody named: a record is in the group of each
    Participant,
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// For people
    Table,
    /// One JSON object
    Json,
    /// One JSON object a hit
    Jsonl,
}

/// A production.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
A request file has the same as options, and who and what of the query by themselves:

  query = 'merger w/5 acme'
  custodians = [\"Alice Archer\", \"Bob Baker\"]   # each found under the addresses of the time
  date = \"2013-05-01..2013-06\"                 # as after `date:` in a query
  zone = \"Europe/Berlin\"
  context = \"day\"
  who = \"dana@contoso.example\"
  why = \"case 7, request 3\"
  format = \"rsmf\"
  with_records = true
  redact = [\"card\", \"iban\"]
  numbering = { prefix = \"CASE7-\", width = 8, start = 1 }
  volume = { documents = 1000 }                 # or bytes
  [[redactions]]
  name = \"project\"
  reason = \"privileged\"
  what = { pattern = \"(?i)bluebird\" }

Options on the command line stand in place of what the file says, but redactions add up, and custodians and
date narrow a query of the command line, too. Paths in the file (positions, files,
fonts, redactions_file) are from the folder that it is in.")]
pub struct ExportArgs {
    /// What to produce
    #[arg(allow_hyphen_values = true, required_unless_present_any = ["request", "positions"])]
    pub query: Option<String>,
    /// An empty or new folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// A file in TOML that says what to produce, see below
    #[arg(long, value_name = "FILE")]
    pub request: Option<PathBuf>,
    /// Produce the records that this file names, in place of a query: a position a line, or a CSV file
    /// with a column `position` such as `cross-reference.csv`
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub positions: Option<PathBuf>,
    /// Produce what stands around each hit in its conversation too, marked as context: a number of
    /// events before and after it, a time such as 30m, `day` or `conversation`
    #[arg(long, value_name = "AROUND", conflicts_with = "positions")]
    pub context: Option<String>,
    /// Who asks for it
    #[arg(long, required_unless_present = "request")]
    pub who: Option<String>,
    /// Why: the matter or the order
    #[arg(long, required_unless_present = "request")]
    pub why: Option<String>,
    /// Time zone of dates in the query, and of the days that conversations are cut into [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// The form of the records [default: jsonl]
    #[arg(long, value_name = "FORMAT", value_parser = export_format())]
    pub format: Option<custody_export::Format>,
    /// What the numbers of documents begin with: letters, digits, `-`, `_` and `.` [default: CUST]
    #[arg(long, value_name = "PREFIX")]
    pub bates_prefix: Option<String>,
    /// Digits of these numbers, at least [default: 8]
    #[arg(long, value_name = "DIGITS")]
    pub bates_width: Option<u32>,
    /// The first of these numbers [default: 1]
    #[arg(long, value_name = "NUMBER")]
    pub bates_start: Option<u64>,
    /// Documents of a volume at most; each volume is a folder VOL001, VOL002 and so on. Not for jsonl, xlsx and
    /// parquet, which are one file
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub volume_documents: Option<u64>,
    /// Bytes of a volume at most, such as 4000000000; a larger document is a volume of its own
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub volume_bytes: Option<u64>,
    /// Put `records.jsonl` beside another format: the records with the bytes that their hashes cover
    #[arg(long)]
    pub with_records: bool,
    /// Take out of every record, by name, such as `card,email`; in the receipt the reason is `--why`
    #[arg(long, value_name = "RULES", value_delimiter = ',', value_parser = ["card", "iban", "ssn", "email", "phone"])]
    pub redact: Vec<String>,
    /// Take out more, or whole records, each with its reason: a JSON list of objects with `name`,
    /// `reason` and `what`, which is a rule's name, {"pattern": "…"} or {"records": ["…"]}
    #[arg(long, value_name = "FILE")]
    pub redactions: Option<PathBuf>,
    /// A folder with the files that messages share, each under its SHA-256 in hexadecimal or under its
    /// reference; what is not there is a placeholder and an exception
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// With `--format pdf`, a folder with fonts for what the built-in ones lack (TrueType, OpenType, and
    /// collections of them), used in order of their names
    #[arg(long, value_name = "DIR")]
    pub fonts: Option<PathBuf>,
    /// Sign the receipt with this private key, which `custody key generate` made
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// A production as one file.
#[derive(Debug, Args)]
#[command(after_help = "\
The production is checked first, as `custody verify` does, and each file once more while it
is packed: one that was altered is refused. FILE gets its name when it is whole; until then it
is FILE.part. The same production in a folder of the same name gives the same bytes. Encryption
is random by nature: an encrypted FILE is another each time, what comes out of it the same.

Exit codes: 0 done, 1 it could not be done, 2 the command is wrong, 3 the production is not as
it was written.")]
pub struct PackArgs {
    /// The production's folder
    pub dir: PathBuf,
    /// The new file: .zip or .tar.zst, and .age after it when it is encrypted
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Its form, if its name does not say it
    #[arg(long = "as", value_name = "FORM", value_parser = pack_form())]
    pub form: Option<custody_export::PackForm>,
    /// Encrypt it with age to this public key, age1…; may be given more than once
    #[arg(long, value_name = "RECIPIENT")]
    pub to: Vec<String>,
    /// Encrypt it to the public keys of this file, one a line; lines that begin with # are left out
    #[arg(long, value_name = "FILE")]
    pub recipients: Option<PathBuf>,
}

/// A form of a packed production by its name.
fn pack_form() -> impl clap::builder::TypedValueParser<Value = custody_export::PackForm> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    use custody_export::PackForm;
    PossibleValuesParser::new(PackForm::ALL.iter().map(|form| form.name())).try_map(|name| {
        let known = PackForm::ALL.iter().find(|form| form.name() == name);
        known.copied().ok_or("not a form")
    })
}

/// A format by its name.
fn export_format() -> impl clap::builder::TypedValueParser<Value = custody_export::Format> {
    use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
    use custody_export::Format;
    let values = Format::ALL.iter().map(|format| {
        let (name, help) = format.about();
        PossibleValue::new(name).help(help)
    });
    PossibleValuesParser::new(values).try_map(|name| {
        let known = Format::ALL.iter().find(|format| format.about().0 == name);
        known.copied().ok_or("not a format")
    })
}

/// About keys.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeyCmd {
    /// Make a key: FILE is the private one, FILE.pub the public one, which is printed; a file that is
    /// there is never replaced
    Generate {
        /// Whose it is, as a URL without its scheme, such as contoso.example/custody; without spaces or +
        #[arg(long)]
        name: String,
        /// Where it is put
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print the public key of a file, which `verify --key` takes
    Show {
        /// A private key, or a public one
        file: PathBuf,
    },
}

/// About gaps and generations.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum GapCmd {
    /// Print every gap and every generation of every topic; with brokers, the topics that stopped
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
        /// Time zone of what is printed
        #[arg(long, value_name = "ZONE", default_value = "UTC")]
        zone: String,
    },
    /// Accept that a topic was deleted and made again: what Kafka has of it now is archived as its
    /// next generation
    Accept {
        /// The topic
        #[arg(long, value_name = "NAME")]
        topic: String,
        /// Who accepts it
        #[arg(long)]
        who: String,
        /// What happened, and why it is accepted
        #[arg(long)]
        why: String,
    },
}

/// About people.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum PeopleCmd {
    /// Take the register from a CSV file, whole: person, department, address, network, valid_from,
    /// valid_to, id
    #[command(after_help = "\
The first row names the columns; person and address must be there. valid_from is the first day (in
UTC) or instant at which an address is held, valid_to the first at which it is not held any more;
empty, they are open. Rows with one id are one person, under whatever names; without ids a name is.
Nothing is taken of a file with a mistake in it.")]
    Import {
        /// The file; - is standard input
        file: PathBuf,
        /// How it takes the place of the register before it
        #[command(flatten)]
        how: PeopleHow,
    },
    /// Go on from the register by what the directory of `ldap.url` says now
    SyncLdap {
        /// How it takes the place of the register before it
        #[command(flatten)]
        how: PeopleHow,
    },
    /// Print who held which address
    List {
        /// Only what was held then: a day, whose first moment in UTC is meant, or an instant
        #[arg(long, value_name = "DATE")]
        at: Option<String>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// How a register takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct PeopleHow {
    /// Say what would change and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also when more than half of the people go
    #[arg(long)]
    pub replace: bool,
}

/// About the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigCmd {
    /// Print what is in force and where from; secrets are masked
    Print,
    /// Name every mistake in the settings file and the environment
    Check,
    /// Print a settings file with every key and its meaning
    Example,
}

/// Groups of settings, and single ones, that a command has flags for.
fn groups(command: &str) -> &'static [&'static str] {
    match command {
        "run" => &["kafka", "archive", "index", "batch", "compact", "retry", "status", "http", "log", "s3"],
        "config" => {
            &["kafka", "archive", "index", "batch", "compact", "retry", "status", "http", "log", "s3", "ldap"]
        }
        "ingest" => &["kafka", "archive", "batch", "retry", "status", "http", "log", "s3"],
        "index" => &["archive", "index", "http", "log", "s3"],
        "compact" => &["archive", "compact", "log", "s3"],
        "import" => &["kafka", "log"],
        "reconcile" => &["kafka", "archive", "index", "log", "s3"],
        "gap" => &["kafka.brokers", "kafka.properties", "archive", "log", "s3"],
        "people" => &["archive.path", "ldap", "log", "s3"],
        "search" | "show" | "conversation" | "export" | "verify" => &["archive", "index", "log", "s3"],
        _ => &[],
    }
}

/// The whole command: clap's, with a flag for every setting that matters to it.
pub fn command() -> Command {
    let mut command = Cli::command();
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let groups = groups(&name);
        command = command.mut_subcommand(name, |sub| with_settings(sub, groups));
    }
    command
}

fn with_settings(command: Command, groups: &[&str]) -> Command {
    let is_of = |name: &str| name.split('.').next().is_some_and(|group| groups.contains(&group));
    let keys = KEYS.iter().filter(|key| is_of(key.name) || groups.contains(&key.name));
    command.args(keys.map(|key| {
        Arg::new(key.name)
            .long(key.flag.trim_start_matches('-'))
            .value_name(key.name.rsplit('.').next().unwrap_or("VALUE").to_ascii_uppercase())
            .help(format!("{} [{}]", key.help.split(['.', ';', '\n']).next().unwrap_or(key.help), key.env))
            .help_heading("Settings (also in custody.toml and the environment)")
            .action(ArgAction::Append)
            .global(true)
    }))
}

/// The settings' inputs: flags given on this command line, and the environment.
pub fn inputs(cli: &Cli, matches: &ArgMatches, env: BTreeMap<String, String>) -> Inputs {
    let mut flags = Vec::new();
    let mut at = Some(matches);
    let mut deepest = matches;
    while let Some(level) = at {
        deepest = level;
        at = level.subcommand().map(|(_, sub)| sub);
    }
    for key in KEYS {
        if !matches!(deepest.try_contains_id(key.name), Ok(true)) {
            continue;
        }
        if deepest.value_source(key.name) == Some(ValueSource::CommandLine) {
            let values = deepest.get_many::<String>(key.name).into_iter().flatten();
            flags.extend(values.map(|value| (key.name.to_owned(), value.clone())));
        }
    }
    Inputs { file: cli.config.clone(), env, flags }
}
