//! Each test is a table of inputs and answers, all through [`answer`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::load::Layers;
use super::*;

const NONE: &[(&str, &str)] = &[];

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

fn load(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded, Vec<Problem>> {
    let mut layers = Layers::with_defaults();
    layers.file(Path::new("custody.toml"), file);
    layers.env(&pairs(env).into_iter().collect());
    layers.flags(&pairs(flags));
    layers.finish()
}

/// All problems, one a line; or the lines of `config print` that are not defaults.
fn answer(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    match load(file, env, flags) {
        Err(problems) => lines(problems.iter().map(Problem::to_string)),
        Ok(loaded) => {
            let set = |line: &&str| line.contains(" = ") && !line.ends_with("# default");
            lines(print(&loaded).lines().filter(set).map(str::to_owned))
        }
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check_file(file: &str, want: &str) {
    assert_eq!(answer(file, NONE, NONE), want, "file:\n{file}");
}

#[test]
fn defaults_are_valid_and_stay() {
    let settings = load("", NONE, NONE).unwrap().settings;
    assert_eq!(answer("", NONE, NONE), "");
    assert_eq!(
        format!("{settings:?}"),
        r#"{"kafka.brokers": "\"\"", "kafka.topics": "[]", "kafka.group": "\"custody\"", "#.to_owned()
            + r#""kafka.queue_bytes_max": "\"16MiB\"", "kafka.properties": "{}", "archive.path": "\"\"", "#
            + r#""archive.retention_class": "\"default\"", "archive.checkpoint_every": "100", "#
            + r#""index.path": "\"\"", "index.cache_path": "\"\"", "index.cache_bytes_max": "\"8GiB\"", "#
            + r#""search.threads": "0", "search.splits_open_max": "256", "search.matches_held_max": "4000000", "#
            + r#""search.facets_bytes_max": "\"256MiB\"", "search.words_bytes_max": "\"256MiB\"", "#
            + r#""search.records_bytes_max": "\"192MiB\"", "#
            + r#""batch.bytes_max": "\"16MiB\"", "#
            + r#""batch.age_max": "\"2s\"", "batch.rows_max": "200000", "compact.every": "\"5m\"", "#
            + r#""compact.file_bytes_max": "\"64MiB\"", "compact.small_files_max": "64", "compact.grace": "\"24h\"", "retry.age_max": "\"1m\"", "#
            + r#""status.topic": "\"\"", "status.every": "\"1s\"", "status.age_max": "\"30s\"", "#
            + r#""http.listen": "\"127.0.0.1:9464\"", "log.format": "\"text\"", "log.level": "\"info\"", "#
            + r#""s3.endpoint": "\"\"", "s3.region": "\"\"", "s3.allow_http": "false", "s3.request_age_max": "\"1m\"", "#
            + r#""ldap.url": "\"\"", "ldap.start_tls": "true", "ldap.ca_file": "\"\"", "ldap.bind_dn": "\"\"", "#
            + r#""ldap.bind_password": "\"\"", "ldap.base": "\"\"", "#
            + r#""ldap.filter": "\"(&(objectClass=person)(mail=*))\"", "ldap.page_entries": "500", "#
            + r#""ldap.request_age_max": "\"30s\"", "ldap.name_attributes": "[\"displayName\", \"cn\"]", "#
            + r#""ldap.department_attribute": "\"department\"", "#
            + r#""ldap.address_attributes": "[\"mail\", \"proxyAddresses\", \"msRTCSIP-PrimaryUserAddress\"]", "#
            + r#""ldap.id_attributes": "[\"employeeID\", \"objectGUID\", \"entryUUID\"]"}"#
    );
}

#[test]
fn each_layer_beats_the_one_below() {
    let file = "[kafka]\nbrokers = \"file:1\"\ntopics = [\"file\"]\n[kafka.properties]\na = \"file\"\nb = 1\nc = true";
    let env = [
        ("CUSTODY_BROKERS", "env:1"),
        ("CUSTODY_TOPICS", "x, y"),
        ("CUSTODY_KAFKA_PROPERTIES", r"b=e,d=p\,q"),
    ];
    let flags = [
        ("kafka.brokers", "flag:1"),
        ("kafka.topics", "t1"),
        ("kafka.topics", "t2"),
        ("kafka.properties", "c=1,2=3"),
        ("kafka.properties", "e=f"),
    ];
    let cases: &[(&[_], &[_], &str)] = &[
        (
            &[],
            &[],
            r#"brokers = "file:1" # custody.toml:2
topics = ["file"] # custody.toml:3
a = "file" # custody.toml:5
b = "1" # custody.toml:6
c = "true" # custody.toml:7"#,
        ),
        (
            &env,
            &[],
            r#"brokers = "env:1" # environment CUSTODY_BROKERS
topics = ["x", "y"] # environment CUSTODY_TOPICS
a = "file" # custody.toml:5
b = "e" # environment CUSTODY_KAFKA_PROPERTIES
c = "true" # custody.toml:7
d = "p,q" # environment CUSTODY_KAFKA_PROPERTIES"#,
        ),
        (
            &env,
            &flags,
            r#"brokers = "flag:1" # --brokers
topics = ["t1", "t2"] # --topic
a = "file" # custody.toml:5
b = "e" # environment CUSTODY_KAFKA_PROPERTIES
c = "1,2=3" # --kafka-property
d = "p,q" # environment CUSTODY_KAFKA_PROPERTIES
e = "f" # --kafka-property"#,
        ),
    ];
    for (env, flags, want) in cases {
        assert_eq!(&answer(file, env, flags), want);
    }
}

#[test]
fn values_are_read_by_kind() {
    let cases = [
        ("batch.bytes_max = 16777216", r#"bytes_max = "16MiB" # custody.toml:1"#),
        ("batch.bytes_max = \"1 mib\"", r#"bytes_max = "1MiB" # custody.toml:1"#),
        ("batch.bytes_max = \"1MB\"", r#"bytes_max = "1000000B" # custody.toml:1"#),
        ("batch = { bytes_max = \"100KiB\" }", r#"bytes_max = "100KiB" # custody.toml:1"#),
        ("batch.age_max = \"1500ms\"", r#"age_max = "1500ms" # custody.toml:1"#),
        ("batch.age_max = \"27s\"", r#"age_max = "27s" # custody.toml:1"#),
        ("status.age_max = \"60s\"", r#"age_max = "1m" # custody.toml:1"#),
        ("status.age_max = \"2h\"", r#"age_max = "2h" # custody.toml:1"#),
        ("batch.rows_max = 1_000", "rows_max = 1000 # custody.toml:1"),
        ("http.listen = \"[::1]:80\"", r#"listen = "[::1]:80" # custody.toml:1"#),
        ("http.listen = \"off\"", r#"listen = "off" # custody.toml:1"#),
        ("s3.allow_http = true", "allow_http = true # custody.toml:1"),
        ("log.format = \"json\"", r#"format = "json" # custody.toml:1"#),
        ("archive.path = \"s3://bucket/prefix\"", r#"path = "s3://bucket/prefix" # custody.toml:1"#),
        ("index.path = \"idx\"", r#"path = "idx" # custody.toml:1"#),
        (
            "[kafka.properties]\nsecurity.protocol = \"SSL\"",
            r#""security.protocol" = "SSL" # custody.toml:2"#,
        ),
    ];
    for (file, want) in cases {
        check_file(file, want);
    }
}

#[test]
fn wrong_values_say_what_to_write() {
    let cases = [
        (
            "batch.age_max = \"2 parsecs\"",
            r#"batch.age_max: "2 parsecs" is not a duration; write a number and ms, s, m or h, such as "2s""#,
        ),
        (
            "batch.age_max = 2",
            r#"batch.age_max: 2 has no unit; write a number and ms, s, m or h, such as "2s""#,
        ),
        (
            "batch.age_max = \"2h\"",
            "batch.age_max: 2h is more than 1h: an event is neither archived nor searchable before its batch is sealed",
        ),
        (
            "batch.bytes_max = \"1KiB\"",
            "batch.bytes_max: 1KiB is less than 64KiB: every batch is a file and a commit, which would cost more than its events",
        ),
        (
            "batch.bytes_max = \"99999999999GiB\"",
            r#"batch.bytes_max: "99999999999GiB" is not a size; write a number and KiB, MiB or GiB, such as "16MiB""#,
        ),
        (
            "batch.bytes_max = -1",
            r#"batch.bytes_max: "-1" is not a size; write a number and KiB, MiB or GiB, such as "16MiB""#,
        ),
        ("batch.rows_max = \"5\"", "batch.rows_max: is text; write a whole number, without quotes"),
        ("batch.rows_max = 0", "batch.rows_max: 0 is less than 1: a batch without events archives nothing"),
        (
            "batch.rows_max = 1.5",
            "batch.rows_max: is a number with a fraction; write a whole number, without quotes",
        ),
        ("kafka.brokers = 9092", "kafka.brokers: is a whole number; write text in quotes"),
        ("kafka.topics = \"a\"", "kafka.topics: is text; write a list of texts, such as [\"events\"]"),
        ("kafka.topics = [\"a\", 1]", "kafka.topics: every entry must be text; write each in quotes"),
        ("kafka.topics = [\"a\", \"a\"]", "kafka.topics: \"a\" is listed twice"),
        ("kafka.topics = [\"\"]", "kafka.topics: entry 1 is empty"),
        ("kafka.group = \"\"", "kafka.group: must not be empty"),
        (
            "archive.retention_class = \"7 years/mail\"",
            "archive.retention_class: \"7 years/mail\" is not a word of letters, digits, -, _ and .",
        ),
        (
            "archive.retention_class = \"..\"",
            "archive.retention_class: \"..\" is not a word of letters, digits, -, _ and .",
        ),
        ("kafka.group = {}", "kafka.group: is a table; write text in quotes"),
        ("kafka.properties = 1", "kafka.properties: is a whole number; write a table of name = \"value\""),
        ("kafka.properties.a = [1]", "kafka.properties.a: is a list; write text in quotes"),
        (
            "kafka.properties.group.id = \"g\"",
            "kafka.properties.group.id: custody sets this property itself: set kafka.group",
        ),
        ("kafka = 1", "kafka: is a table; write [kafka] on a line of its own and its keys below"),
        ("s3.allow_http = \"yes\"", "s3.allow_http: is text; write true or false, without quotes"),
        ("log.format = \"xml\"", "log.format: \"xml\" is not known; write one of text, json"),
        (
            "http.listen = \"localhost\"",
            r#"http.listen: "localhost" is not an IP address and port; write "127.0.0.1:9464", or "off""#,
        ),
        (
            "archive.path = \"gs://u:p@b/c\"",
            r#"archive.path: "gs://********@b/c" is neither a local path nor s3://bucket/prefix"#,
        ),
        ("index.cache_path = \"s3://b/c\"", "index.cache_path: \"s3://b/c\" is not a local path"),
        (
            "s3.endpoint = \"minio:9000\"",
            "s3.endpoint: \"minio:9000\" is not an address; write it with https://",
        ),
        (
            "s3.endpoint = \"http://minio\"",
            "s3.endpoint: http:// sends records in the clear; use https://, or set s3.allow_http to accept that",
        ),
        ("s3.endpoint = \"http://minio\"\ns3.allow_http = 1", ""),
        (
            "batch.age_max = \"27001ms\"",
            "status.age_max: 30s is too short: an event waits 27001ms (batch.age_max) for its batch, and is then written; set it to 30001ms or more",
        ),
        (
            "batch.age_max = \"1m\"\nstatus.age_max = \"1m\"",
            "status.age_max: 1m is too short: an event waits 1m (batch.age_max) for its batch, and is then written; set it to 63s or more",
        ),
        (
            "kafka.topics = [\"a\", \"b\"]\nstatus.topic = \"b\"",
            "status.topic: \"b\" is one of kafka.topics: archiving it would be news for it, for ever",
        ),
        (
            "status.every = \"10s\"",
            "status.every: 10s is more than 3s: a gateway takes 10 s of silence for a failure, and one late message is none",
        ),
        ("kafka.broker = \"a\"", "kafka.broker: unknown key; did you mean kafka.brokers?"),
        ("brokers = \"a\"", "brokers: unknown key; did you mean kafka.brokers?"),
        ("[kafak]\nbrokers = \"a\"", "kafak.brokers: unknown key; did you mean kafka.brokers?"),
        (
            "[weather]\nforecast = 1",
            "weather.forecast: unknown key; `custody config example` lists the known ones",
        ),
    ];
    for (file, want) in cases {
        match want {
            "" => check_file(
                file,
                "custody.toml:2: s3.allow_http: is a whole number; write true or false, without quotes",
            ),
            _ => check_file(file, &format!("custody.toml:{}: {want}", file.lines().count())),
        }
    }
}

#[test]
fn every_mistake_is_named_with_its_line() {
    check_file(
        "[kafka]\nbroker = \"a:1\"\n\n[batch]\nage_max = \"2 parsecs\"\nrows_max = true\n\n[log]\nlevel = \"loud\"",
        "custody.toml:2: kafka.broker: unknown key; did you mean kafka.brokers?
custody.toml:5: batch.age_max: \"2 parsecs\" is not a duration; write a number and ms, s, m or h, such as \"2s\"
custody.toml:6: batch.rows_max: is true or false; write a whole number, without quotes
custody.toml:9: log.level: \"loud\" is not known; write one of error, warn, info, debug, trace",
    );
}

#[test]
fn syntax_errors_do_not_hide_other_mistakes() {
    let places = |file: &str| -> Vec<String> {
        load(file, NONE, NONE).err().unwrap_or_default().into_iter().map(|problem| problem.place).collect()
    };
    let cases: &[(&str, &[&str])] = &[
        ("[batch]\nage_max = \nrows_max = 0\n", &["custody.toml:2:11", "custody.toml:3"]),
        ("[log]\nlevel = \"loud\nformat = json\n", &["custody.toml:2:14", "custody.toml:3:10"]),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"\nformat = 1", &["custody.toml:3:1", "custody.toml:4"]),
        ("[log]\r\nfoo bar\r\nlevel = 1\r\n", &["custody.toml:2:5", "custody.toml:3"]),
        // The lines below a broken header would be blamed for nothing.
        ("[log\nlevel = 1\n", &["custody.toml:1:5"]),
        ("kafka.topics = [\"a\"\nlog.level = 1\n", &["custody.toml:2:1"]),
    ];
    for (file, want) in cases {
        assert_eq!(&places(file), want, "file:\n{file}");
    }
}

#[test]
fn environment_and_flags_are_checked_too() {
    type Layer<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(Layer, Layer, &str)] = &[
        (&[("CUSTODY_BROKER", "a")], &[], "environment CUSTODY_BROKER: unknown variable; did you mean CUSTODY_BROKERS?"),
        (
            &[("CUSTODY_KAFKA_BROKERS", "a")],
            &[],
            "environment CUSTODY_KAFKA_BROKERS: unknown variable; did you mean CUSTODY_BROKERS?",
        ),
        (
            &[("CUSTODY_WEATHER", "a")],
            &[],
            "environment CUSTODY_WEATHER: unknown variable; `custody config example` lists the known ones",
        ),
        (&[("CUSTODY_PORT", "tcp://10.0.0.1:80"), ("CUSTODY_PORT_80_TCP_ADDR", "10.0.0.1"), ("HOME", "/")], &[], ""),
        (&[("CUSTODY_BROKERS", "")], &[], ""),
        (
            &[("CUSTODY_BATCH_AGE_MAX", "soon")],
            &[("batch.rows_max", "many")],
            "environment CUSTODY_BATCH_AGE_MAX: batch.age_max: \"soon\" is not a duration; write a number and ms, s, m or h, such as \"2s\"
--batch-rows-max: batch.rows_max: \"many\" is not a whole number",
        ),
        // Half of a password must not reach the message.
        (
            &[("CUSTODY_KAFKA_PROPERTIES", "sasl.password=hunter,2two")],
            &[],
            r#"environment CUSTODY_KAFKA_PROPERTIES: kafka.properties: entry 2 has no "="; write name=value, and \, for a comma in a value"#,
        ),
        (&[], &[("kafka.brokrs", "a")], "flags: kafka.brokrs: unknown key; did you mean kafka.brokers?"),
        (&[], &[("s3.allow_http", "1")], "--s3-allow-http: s3.allow_http: \"1\" is neither true nor false"),
    ];
    for (env, flags, want) in cases {
        assert_eq!(&answer("", env, flags), want);
    }
}

#[test]
fn secrets_are_never_shown() {
    let cases = [
        ("kafka.properties", "sasl.password=hunter2"),
        ("kafka.properties", "ssl.key.pem=hunter2"),
        ("kafka.properties", "SSL.Key.Password=hunter2"),
        ("kafka.properties", "sasl.oauthbearer.client.secret=hunter2"),
        ("kafka.properties", "sasl.oauthbearer.config=scope=hunter2"),
        ("kafka.properties", "sasl.jaas.config=hunter2"),
        ("kafka.properties", "other=-----BEGIN PRIVATE KEY-----hunter2"),
        ("kafka.properties", "proxy=http://user:hunter2@proxy"),
        ("s3.endpoint", "https://user:hunter2@minio:9000/path"),
        ("s3.endpoint", "https://user:hun/ter2@hunter2@minio"),
        ("archive.path", "s3://user:hunter2@bucket"),
        ("kafka.brokers", "a:1,SASL_SSL://user:hunter2@b:2"),
    ];
    for (key, value) in cases {
        let loaded = load("", NONE, &[(key, value)]).unwrap();
        for shown in [print(&loaded), format!("{loaded:?}")] {
            assert!(shown.contains("********"), "{key} {value} is missing:\n{shown}");
            assert!(!shown.contains("hunter2"), "{key} {value} is shown:\n{shown}");
        }
    }
}

#[test]
fn what_is_printed_can_be_loaded() {
    let odd = "[kafka]\nbrokers = 'a\"b'\ntopics = [\"a\", \"b\\n\\\"'\"]\nproperties = { \"x y\" = \"1\\n2\" }\n[batch]\nage_max = \"999ms\"";
    for file in ["", odd] {
        let loaded = load(file, NONE, NONE).unwrap();
        let again = load(&print(&loaded), NONE, NONE).unwrap();
        assert_eq!(loaded.settings, again.settings);
    }
}

#[test]
fn the_example_is_valid_and_names_every_key() {
    let text = example();
    assert_eq!(check(&text, Path::new("custody.toml"), &BTreeMap::new()), []);
    let enabled = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let loaded = load(&lines(text.lines().map(enabled)), NONE, NONE).unwrap();
    for key in KEYS {
        let set = loaded
            .origins
            .iter()
            .any(|(name, origin)| name.starts_with(key.name) && *origin != Origin::Default);
        assert!(set, "{} is not in the example", key.name);
    }
    // What is shown for a key with a default is the default.
    let defaults = load("", NONE, NONE).unwrap().settings;
    for key in KEYS.iter().filter(|key| !key.default.is_empty()) {
        assert_eq!(key.show(&loaded.settings), key.show(&defaults), "{}", key.name);
    }
}

#[test]
fn no_two_keys_share_a_name_or_a_field() {
    for (n, key) in KEYS.iter().enumerate() {
        for other in &KEYS[..n] {
            assert!(key.name != other.name && key.env != other.env && key.flag != other.flag, "{}", key.name);
        }
        let value = if key.default.is_empty() { key.example } else { key.default };
        let given = super::text::Given::from_text(key, value).unwrap();
        let mut settings = Settings::default();
        given.into_iter().for_each(|given| given.store(&mut settings).unwrap());
        let changed = KEYS.iter().filter(|k| k.show(&settings) != k.show(&Settings::default()));
        assert!(changed.map(|k| k.name).all(|name| name == key.name), "{} sets another field", key.name);
    }
}

#[test]
fn a_named_file_must_exist() {
    let inputs = Inputs { file: Some(PathBuf::from("no/such.toml")), ..Inputs::default() };
    let problems = Settings::load(inputs).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().starts_with("no/such.toml: cannot be read: "), "{}", problems[0]);
    assert!(Settings::load(Inputs::default()).is_ok());
}

#[test]
fn required_keys_say_how_to_set_them() {
    let loaded = load("archive.path = \"a\"", NONE, NONE).unwrap();
    let problems = loaded.require(&["kafka.brokers", "archive.path", "http.listen"]);
    let want = "kafka.brokers: is not set; set it in custody.toml, with CUSTODY_BROKERS or with --brokers";
    assert_eq!(lines(problems.iter().map(Problem::to_string)), want);
}

#[test]
fn the_index_is_inside_the_archive() {
    let cases = [
        ("archive.path = \"/a\"", "/a/_index"),
        ("archive.path = \"s3://b/c/\"", "s3://b/c/_index"),
        ("archive.path = \"s3://b/c\"\nindex.path = \"/i\"", "/i"),
    ];
    for (file, want) in cases {
        assert_eq!(load(file, NONE, NONE).unwrap().settings.index_path(), want, "{file}");
    }
}
