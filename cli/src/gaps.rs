//! `custody gap`.

use std::collections::BTreeMap;

use custody_archive::{Accepted, Archive, Generation, History, Opening};
use custody_ingest::kafka::{Looked, Topics};
use custody_ingest::resume::{Archived, Log, Reset, Resume, plan};

use crate::asking;
use crate::failure::{Done, Failure};
use crate::open;
use crate::settings::Loaded;
use crate::show;
use crate::{out, outln};

/// A topic in Kafka, beside what the archive has of it.
pub struct Standing {
    /// What Kafka has.
    pub now: Looked,
    /// The first partition that is not what was archived, if one is.
    pub stopped: Option<(i32, Reset)>,
}

/// What Kafka has of a topic; `None` when it is not there.
fn standing(kafka: &Topics, life: &Generation) -> Result<Option<Standing>, Failure> {
    let Some(now) = kafka.look(&life.topic)? else { return Ok(None) };
    let reset = |(number, log): (&i32, &Log)| {
        let archived = Archived { id: life.topic_id.as_ref(), next: life.through.get(number).copied() };
        match plan(archived, now.id.as_ref(), *log) {
            Resume::Reset(reset) => Some((*number, reset)),
            Resume::At(_) | Resume::AfterGap(..) => None,
        }
    };
    let stopped = now.logs.iter().find_map(reset);
    Ok(Some(Standing { now, stopped }))
}

/// The lives that topics are at, each its newest.
fn newest(history: &History) -> BTreeMap<&str, &Generation> {
    history.generations.iter().map(|life| (life.topic.as_str(), life)).collect()
}

/// `custody gap list`
pub fn list(loaded: &Loaded, as_json: bool, zone: &str) -> Done {
    let zone = asking::zone(zone)?;
    let archive: Archive = open::archive(loaded)?;
    let history = archive.history()?;
    let mut standings = BTreeMap::new();
    if open::require(loaded, &["kafka.brokers"]).is_ok() {
        let kafka = Topics::connect(&open::kafka(&loaded.settings))?;
        for (topic, life) in newest(&history) {
            standings.insert(topic.to_owned(), standing(&kafka, life)?);
        }
    }
    if as_json {
        outln!("{:#}", show::gaps::json(&history, &standings));
    } else {
        out!("{}", show::gaps::table(&history, &standings, &zone));
    }
    Ok(())
}

/// `custody gap accept`
pub fn accept(loaded: &Loaded, topic: &str, who: &str, why: &str) -> Done {
    open::require(loaded, &["kafka.brokers", "archive.path"])?;
    for (flag, text) in [("--who", who), ("--why", why)] {
        if text.trim().is_empty() {
            return Err(Failure::usage(format!(
                "{flag} is empty: the archive says who accepted it, and why"
            )));
        }
    }
    let history = open::archive(loaded)?.history()?;
    let lives = newest(&history);
    let Some(life) = lives.get(topic) else {
        return Err(Failure::usage(format!(
            "the archive has nothing of topic {topic:?}, so nothing of it stops: its first batch opens \
             generation 1 by itself"
        )));
    };
    let kafka = Topics::connect(&open::kafka(&loaded.settings))?;
    let Some(now) = standing(&kafka, life)? else {
        return Err(Failure::usage(format!(
            "topic {topic:?} is not in Kafka: there is no new life of it to accept; make it again first"
        )));
    };
    if now.stopped.is_none() {
        return Err(Failure::usage(nothing(life, &now)));
    }
    out!("{}", show::gaps::accepting(life, &now));
    let opening = Opening {
        topic: topic.to_owned(),
        ended: life.generation,
        topic_id: now.now.id,
        who: who.to_owned(),
        why: why.to_owned(),
    };
    match open::writer(loaded, 0)?.accept(&opening)? {
        Accepted::Now(version, accept) => outln!(
            "accepted in version {version}: topic {topic} goes on as generation {}; a worker that runs takes it \
             up within seconds",
            accept.generation
        ),
        Accepted::Before(version, accept) => outln!(
            "{} did it already, in version {version}: {}",
            show::one_line(&accept.who),
            show::one_line(&accept.why)
        ),
    }
    Ok(())
}

/// Why there is nothing to accept.
fn nothing(life: &Generation, now: &Standing) -> String {
    let topic = &life.topic;
    let same = match (&life.topic_id, &now.now.id) {
        (Some(id), Some(_)) => format!("Kafka's topic is the one that is archived (id {id})"),
        _ => "no partition's log ends before the archive does, and there are no ids to compare".to_owned(),
    };
    let by = life.accept.as_ref().map(|accept| {
        let (who, why) = (show::one_line(&accept.who), show::one_line(&accept.why));
        format!("; generation {} was accepted by {who}: {why}", life.generation)
    });
    format!("nothing of topic {topic:?} is to be accepted: {same}{}", by.unwrap_or_default())
}
