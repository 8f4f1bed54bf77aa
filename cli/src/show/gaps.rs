//! Gaps and generations: a table for people, JSON for machines.

use std::collections::BTreeMap;
use std::fmt::Write;

use custody_archive::{Generation, History};
use custody_ingest::resume::Reset;
use custody_schemas::gap::detail;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{one_line, time};
use crate::gaps::Standing;

const FORM: &str = "%Y-%m-%d %H:%M:%S";

/// What Kafka has of the topics that were asked for; `None` for one that is not there.
pub type Standings = BTreeMap<String, Option<Standing>>;

fn at(ms: i64, zone: &TimeZone) -> String {
    time(Some(ms.saturating_mul(1_000)), zone, FORM)
}

fn id(id: Option<&impl ToString>) -> String {
    id.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// A line or two for each gap, each generation and each topic that stopped.
pub fn table(history: &History, standings: &Standings, zone: &TimeZone) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    for lost in &history.gaps {
        let _ = writeln!(
            out,
            "{}  {} offsets  noticed {}  version {}\n    {}",
            lost.position,
            lost.gap.span.len(),
            at(lost.gap.noticed_ms, zone),
            lost.version,
            detail(&lost.gap)
        );
    }
    let offsets: u64 = history.gaps.iter().map(|lost| lost.gap.span.len()).sum();
    let _ = writeln!(out, "{} gaps, {offsets} offsets lost\n", history.gaps.len());
    for life in &history.generations {
        let _ = writeln!(
            out,
            "{} generation {}  id {}  opened {}  version {}",
            life.topic,
            life.generation,
            id(life.topic_id.as_ref()),
            at(life.opened_ms, zone),
            life.version
        );
        if let Some(accept) = &life.accept {
            let _ = writeln!(out, "    accepted by {}: {}", one_line(&accept.who), one_line(&accept.why));
        }
        let _ = writeln!(out, "    {}", reached(life));
        if ended(history, life) {
            let _ = writeln!(out, "    what it held after these is unknown");
        }
    }
    for (topic, standing) in standings {
        let said = match standing {
            None => format!("{topic} is not in Kafka"),
            Some(standing) => match standing.stopped {
                None => format!("{topic} is in Kafka as it was archived"),
                Some(stopped) => format!("{topic} STOPPED: {}", why(stopped, standing)),
            },
        };
        let _ = writeln!(out, "{said}");
    }
    let _ = writeln!(out, "complete through version {}", history.version);
    out
}

fn reached(life: &Generation) -> String {
    let all: Vec<_> = life.through.iter().map(|(number, next)| format!("{number} at {next}")).collect();
    if all.is_empty() {
        "nothing archived yet".to_owned()
    } else {
        format!("next offsets: {}", all.join(", "))
    }
}

fn ended(history: &History, life: &Generation) -> bool {
    history.generations.iter().any(|other| other.topic == life.topic && other.generation > life.generation)
}

fn why((number, reset): (i32, Reset), now: &Standing) -> String {
    match reset {
        Reset::OtherId => {
            format!("it was deleted and made again, Kafka's id of it is {}", id(now.now.id.as_ref()))
        }
        Reset::EndsBefore { next, end } => {
            format!("of partition {number} the archive stands at {next}, and Kafka's log ends at {end}")
        }
    }
}

/// What is being accepted: what is known of the life that ended, and what comes.
pub fn accepting(life: &Generation, now: &Standing) -> String {
    let mut out = String::new();
    let (topic, generation) = (&life.topic, life.generation);
    // Writing to a text cannot fail.
    if let Some(stopped) = now.stopped {
        let _ = writeln!(out, "topic {topic}: {}", why(stopped, now));
    }
    let _ = writeln!(
        out,
        "generation {generation}, id {}: {}; what it held after these is unknown",
        id(life.topic_id.as_ref()),
        reached(life)
    );
    let logs: Vec<_> = now
        .now
        .logs
        .iter()
        .map(|(number, log)| format!("{number} from {} to {}", log.low, log.end))
        .collect();
    let _ = writeln!(
        out,
        "generation {}, id {}: all that Kafka has is archived, partition {}",
        generation.saturating_add(1),
        id(now.now.id.as_ref()),
        logs.join(", ")
    );
    out
}

/// All of it.
pub fn json(history: &History, standings: &Standings) -> Value {
    let gaps = history.gaps.iter().map(|lost| {
        json!({
            "position": lost.position.to_string(),
            "from": lost.gap.span.from,
            "to": lost.gap.span.to,
            "offsets": lost.gap.span.len(),
            "reason": lost.gap.reason,
            "noticed_ms": lost.gap.noticed_ms,
            "batch": lost.batch,
            "version": lost.version,
        })
    });
    let generations = history.generations.iter().map(|life| {
        json!({
            "topic": life.topic,
            "generation": life.generation,
            "topic_id": life.topic_id,
            "version": life.version,
            "opened_ms": life.opened_ms,
            "who": life.accept.as_ref().map(|accept| &accept.who),
            "why": life.accept.as_ref().map(|accept| &accept.why),
            "next_offsets": life.through,
            // Whatever came after, or that nothing did: nobody knows.
            "lost_at_its_end": if ended(history, life) { "unknown".into() } else { Value::Null },
        })
    });
    let kafka = standings.iter().map(|(topic, standing)| {
        json!({
            "topic": topic,
            "exists": standing.is_some(),
            "topic_id": standing.as_ref().and_then(|standing| standing.now.id.clone()),
            "stopped": standing.as_ref().and_then(|now| now.stopped.map(|stopped| why(stopped, now))),
        })
    });
    json!({
        "through_version": history.version,
        "gaps": gaps.collect::<Vec<_>>(),
        "generations": generations.collect::<Vec<_>>(),
        "kafka": kafka.collect::<Vec<_>>(),
    })
}
