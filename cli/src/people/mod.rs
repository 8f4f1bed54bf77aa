//! `custody people`: the register from a file or a directory, and what it says.

mod connect;
mod entry;
mod failed;
mod print;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use custody_index::people::{
    Difference, FILE_BYTES_MAX, People, PeopleStore, Register, Source, closed, difference, instant_ms,
    read_csv, show_ms, sync,
};
use jiff::Timestamp;

use crate::args::PeopleHow;
use crate::failure::{Done, Failure};
use crate::open;
use crate::out;
use crate::outln;
use crate::settings::Loaded;
use crate::show::one_line;

/// Others that may write a register at the same moment; each is a person at a keyboard or a timer.
const TRIES_MAX: usize = 5;

/// A register that is ready to take the place of another.
struct Next {
    people: People,
    difference: Difference,
    /// Why it may only be taken with `--replace`.
    drastic: Option<String>,
}

/// `custody people import`
pub fn import(loaded: &Loaded, file: &Path, how: PeopleHow) -> Done {
    let store = open::people(loaded)?;
    let bytes = whole(file)?;
    let read = read_csv(&bytes)
        .map_err(|e| Failure::usage(format!("nothing of {} was imported:\n{e}", file.display())))?;
    for warning in &read.warnings {
        eprintln!("custody: {}", one_line(warning));
    }
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let source = Source::of("file", &name, &bytes);
    write(&store, &source, how, |old, _| {
        let empty = People::default();
        let difference = difference(old.map_or(&empty, |register| &register.people), &read.people);
        let drastic = difference.is_drastic().then(|| {
            format!("{} of {} people would be removed", difference.removed.len(), difference.before)
        });
        Ok(Next { people: read.people.clone(), difference, drastic })
    })
}

/// `custody people sync-ldap`
pub fn sync_ldap(loaded: &Loaded, how: PeopleHow) -> Done {
    open::require(loaded, &["archive.path", "ldap.url", "ldap.base"])?;
    let store = open::people(loaded)?;
    // A damaged register is told before a directory is asked for thousands of people.
    store.newest()?;
    let settings = &loaded.settings.ldap;
    let found = connect::everybody(settings)?;
    for warning in &found.warnings {
        eprintln!("custody: {}", one_line(warning));
    }
    if found.seen.is_empty() && !how.replace {
        return Err(Failure::failed(format!(
            "{} has nobody below {:?} that {:?} matches: every address would be closed; correct ldap.base or \
             ldap.filter, or say --replace if it is so",
            settings.url, settings.base, settings.filter
        )));
    }
    let source = Source::of("ldap", &format!("{}/{}", settings.url, settings.base), found.text().as_bytes());
    write(&store, &source, how, |old, at_ms| {
        let before = old.map(|register| (&register.people, register.at_ms));
        let people = sync(before, &found.seen, at_ms).map_err(|mistakes| {
            Failure::failed(format!("nothing of {} was taken:\n{}", settings.url, first(&mistakes)))
        })?;
        let empty = People::default();
        let old = before.map_or(&empty, |(people, _)| people);
        let (held, gone) = closed(old, &people, at_ms);
        let drastic = (gone * 2 > held).then(|| format!("{gone} of {held} people would be closed"));
        Ok(Next { difference: difference(old, &people), people, drastic })
    })
}

fn first(mistakes: &[String]) -> String {
    let shown = mistakes.iter().take(custody_index::people::PROBLEMS_MAX).map(|m| one_line(m));
    shown.collect::<Vec<_>>().join("\n")
}

/// The file, but not one that no register can be as large as.
fn whole(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |e| Failure::usage(format!("{} cannot be read: {e}", file.display()));
    let limit = FILE_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(failed)?;
    Ok(bytes)
}

/// Writes the next register. When somebody else was first it is made anew, from theirs.
fn write(
    store: &PeopleStore,
    source: &Source,
    how: PeopleHow,
    next: impl Fn(Option<&Register>, i64) -> Result<Next, Failure>,
) -> Done {
    for _ in 0..TRIES_MAX {
        let old = store.newest()?;
        let at_ms = Timestamp::now().as_millisecond();
        let Next { people, difference, drastic } = next(old.as_ref(), at_ms)?;
        let number = old.as_ref().map_or(0, |register| register.number);
        if difference.is_empty() {
            outln!(
                "{}",
                match number {
                    0 => "there is nobody, and there was nobody: nothing was written".to_owned(),
                    number =>
                        format!("nothing changed: register {number} of {} stays", show_ms(old_at(&old))),
                }
            );
            return Ok(());
        }
        if let Some(drastic) = drastic.filter(|_| !how.replace && !how.dry_run) {
            return Err(Failure::failed(format!(
                "{drastic}: look with --dry-run whether that is meant, and say --replace if it is; nothing was \
                 written"
            )));
        }
        let register = Register { number: number + 1, at_ms, source: source.clone(), people };
        if how.dry_run {
            out!("{}", print::difference(&difference));
            outln!("nothing was written");
            return Ok(());
        }
        if store.publish(&register)? {
            out!("{}", print::difference(&difference));
            outln!("register {} is written: {}", register.number, store.shown(register.number));
            return Ok(());
        }
    }
    Err(Failure::failed(format!(
        "others wrote {TRIES_MAX} registers meanwhile; nothing was written, try again"
    )))
}

fn old_at(old: &Option<Register>) -> i64 {
    old.as_ref().map_or(0, |register| register.at_ms)
}

/// `custody people list`
pub fn list(loaded: &Loaded, at: Option<&str>, as_json: bool) -> Done {
    let at_ms = at.map(instant_ms).transpose().map_err(|e| Failure::usage(format!("--at: {e}")))?;
    let store = open::people(loaded)?;
    let Some(register) = store.newest()? else {
        return Err(Failure::failed(
            "there is no register of people in this archive; make one with `custody people import` or \
             `custody people sync-ldap`",
        ));
    };
    if as_json {
        outln!("{:#}", print::json(&register, at_ms));
    } else {
        out!("{}", print::table(&register, at_ms));
    }
    Ok(())
}
