//! Rules between two keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::problem::{Origin, Problem};
use super::types::Settings;
use super::units;

/// What an event takes from the end of its batch until it is archived, on a slow store.
const COMMIT: Duration = Duration::from_secs(3);

/// Two keys that must agree: the one to be named, the other, and what is wrong, if it is.
type Rule = (&'static str, &'static str, fn(&Settings) -> Option<String>);

const RULES: [Rule; 5] = [
    ("s3.endpoint", "s3.allow_http", |s| {
        let clear = s.s3.endpoint.starts_with("http://") && !s.s3.allow_http;
        clear.then(|| {
            "http:// sends records in the clear; use https://, or set s3.allow_http to accept that".to_owned()
        })
    }),
    ("status.age_max", "batch.age_max", |s| {
        let least = s.batch.age_max + COMMIT;
        (s.status.age_max < least).then(|| {
            format!(
                "{} is too short: an event waits {} (batch.age_max) for its batch, and is then written; \
                 set it to {} or more",
                show(s.status.age_max),
                show(s.batch.age_max),
                show(least)
            )
        })
    }),
    ("status.topic", "kafka.topics", |s| {
        s.kafka.topics.contains(&s.status.topic).then(|| {
            format!(
                "{:?} is one of kafka.topics: archiving it would be news for it, for ever",
                s.status.topic
            )
        })
    }),
    ("ldap.bind_dn", "ldap.bind_password", |s| {
        let half = !s.ldap.bind_dn.is_empty() && s.ldap.bind_password.is_empty();
        half.then(|| {
            "has no password, and most directories take that for anonymous; set ldap.bind_password".to_owned()
        })
    }),
    ("ldap.bind_password", "ldap.bind_dn", |s| {
        let half = s.ldap.bind_dn.is_empty() && !s.ldap.bind_password.is_empty();
        half.then(|| "is nobody's; set ldap.bind_dn".to_owned())
    }),
];

fn show(time: Duration) -> String {
    units::show_ms(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The rules that are broken. Silent where one of the keys has a problem of its own.
pub(super) fn broken(
    settings: &Settings,
    origins: &BTreeMap<String, Origin>,
    known: &[Problem],
) -> Vec<Problem> {
    let unsure = |name: &str| known.iter().any(|problem| problem.key.as_deref() == Some(name));
    let origin = |name: &str| origins.get(name).unwrap_or(&Origin::Default);
    let sure = RULES.iter().filter(|(named, other, _)| !unsure(named) && !unsure(other));
    let problems = sure.filter_map(|(named, other, rule)| {
        // Whoever set only the other key looks there.
        let place = if *origin(named) == Origin::Default { origin(other) } else { origin(named) };
        Some(Problem::of(place, *named, rule(settings)?))
    });
    problems.collect()
}
