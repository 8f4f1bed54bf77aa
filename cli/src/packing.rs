//! `custody pack`, and what to do with what it made.

use std::path::Path;

use custody_export::{Kind, PackForm, Recipient};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::PackArgs;
use crate::failure::{Done, Failure};
use crate::outln;
use crate::show::one_line;

/// What an encrypted file ends in.
const AGE: &str = ".age";

/// `custody pack`
pub fn pack(args: &PackArgs) -> Done {
    let recipients = recipients(args)?;
    let form = form(&args.out, args.form, !recipients.is_empty())?;
    let bar = ProgressBar::new_spinner().with_message("checking");
    let mut packing = false;
    let mut advance = |done, of| {
        if !std::mem::replace(&mut packing, true) {
            let template = "packing {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
            bar.set_style(
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_length(of);
        }
        bar.set_position(done);
    };
    bar.tick();
    let packed = custody_export::pack(&args.dir, &args.out, form, &recipients, &mut advance);
    bar.finish_and_clear();
    // A production may come from anybody: names in it are made harmless for the terminal.
    let packed = packed.map_err(|error| match error.kind {
        Kind::Corrupt => Failure::unsound(one_line(&error.to_string())),
        _ => Failure::from(error),
    })?;
    let to = match recipients.len() {
        0 => String::new(),
        1 => ", encrypted to 1 recipient".to_owned(),
        many => format!(", encrypted to {many} recipients"),
    };
    let (out, production) = (args.out.display(), one_line(&packed.production));
    outln!("{out}: {} files of production {production}, {} bytes{to}", packed.files, packed.bytes);
    outln!("tell its reader the SHA-256 another way: {}", packed.sha256);
    if let Some(commands) = unpacking(&args.out) {
        outln!("its reader unpacks it, and verifies the folder that comes out: {commands}");
    }
    Ok(())
}

fn recipients(args: &PackArgs) -> Result<Vec<Recipient>, Failure> {
    let named = args.to.iter().enumerate().map(|(at, text)| {
        Recipient::parse(text).map_err(|e| {
            let which = if args.to.len() > 1 { format!(" number {}", at + 1) } else { String::new() };
            Failure::usage(format!("--to{which}: {e}"))
        })
    });
    let mut all = named.collect::<Result<Vec<_>, _>>()?;
    if let Some(path) = &args.recipients {
        all.extend(Recipient::read(path)?);
    }
    Ok(all)
}

/// The form that is asked for, or the one that the file's name says.
fn form(out: &Path, asked: Option<PackForm>, encrypted: bool) -> Result<PackForm, Failure> {
    let name = out.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let shown = one_line(&out.display().to_string());
    let inner = name.strip_suffix(AGE);
    if inner.is_some() && !encrypted {
        let what = "ends in .age, but nobody is named to encrypt it to: give --to or --recipients";
        return Err(Failure::usage(format!("{shown} {what}")));
    }
    if let Some(form) = asked {
        return Ok(form);
    }
    if inner.is_none() && encrypted {
        let what = format!("will be encrypted: name it {shown}{AGE}, or say its form with --as");
        return Err(Failure::usage(format!("{shown} {what}")));
    }
    let name = inner.unwrap_or(&name);
    let known = PackForm::ALL.iter().find(|form| name.ends_with(&format!(".{}", form.name())));
    known.copied().ok_or_else(|| {
        let age = if encrypted { AGE } else { "" };
        Failure::usage(format!(
            "{shown} does not say what it shall be: end its name in .zip{age} or .tar.zst{age}, or give --as"
        ))
    })
}

/// Whether it is a file that is named like a packed production.
pub fn is_packed(path: &Path) -> bool {
    path.is_file() && unpacking(path).is_some()
}

/// `custody verify` of a packed production
pub fn unpack_first(path: &Path) -> Done {
    let commands = unpacking(path).unwrap_or_default();
    Err(Failure::usage(format!(
        "{} is packed: unpack it, then verify the folder that comes out: {commands}",
        one_line(&path.display().to_string())
    )))
}

/// The commands that unpack a file, as its name says what it is.
fn unpacking(path: &Path) -> Option<String> {
    let file = path.to_string_lossy();
    let name = file.to_ascii_lowercase();
    // A name that begins with a hyphen would be an option.
    let path = if file.starts_with('-') { format!("./{file}") } else { file.into_owned() };
    let shown = quoted(&path);
    if name.ends_with(".zip") {
        Some(format!("unzip {shown}"))
    } else if name.ends_with(".tar.zst") {
        Some(format!("tar --zstd -xf {shown}"))
    } else if name.ends_with(AGE) {
        let inner = &path[..path.len() - AGE.len()];
        let decrypt = format!("age --decrypt -i SECRET-KEY-FILE -o {} {shown}", quoted(inner));
        Some(match unpacking(Path::new(inner)) {
            Some(then) => format!("{decrypt} && {then}"),
            None => decrypt,
        })
    } else {
        None
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let word = one_line(word);
    let plain = |c: char| c.is_alphanumeric() || "/-_.+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_says_the_form() {
        let check = |name: &str, asked, encrypted, expected: Result<PackForm, &str>| {
            let found = form(Path::new(name), asked, encrypted);
            match (found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{name}"),
                (Err(found), Err(expected)) => {
                    assert!(found.to_string().contains(expected), "{name}: {found}");
                    assert_eq!(found.exit_code(), std::process::ExitCode::from(2));
                }
                (found, expected) => panic!("{name}: {found:?} instead of {expected:?}"),
            }
        };
        check("a/v.zip", None, false, Ok(PackForm::Zip));
        check("V.ZIP", None, false, Ok(PackForm::Zip));
        check("v.tar.zst", None, false, Ok(PackForm::TarZst));
        check("v.zip.age", None, true, Ok(PackForm::Zip));
        check("v.tar.zst.age", None, true, Ok(PackForm::TarZst));
        check("v", Some(PackForm::Zip), false, Ok(PackForm::Zip));
        check("v.age", Some(PackForm::TarZst), true, Ok(PackForm::TarZst));
        check("v.zip", None, true, Err("name it v.zip.age"));
        check("v.zip.age", None, false, Err("give --to or --recipients"));
        check("v.zip.age", Some(PackForm::Zip), false, Err("give --to or --recipients"));
        check("v.tar.gz", None, false, Err("end its name in .zip or .tar.zst, or give --as"));
        check("v.age", None, true, Err("end its name in .zip.age or .tar.zst.age"));
        check("zip", None, false, Err("does not say what it shall be"));
    }

    #[test]
    fn what_is_packed_is_unpacked_by_these() {
        let check = |name: &str, expected: Option<&str>| {
            assert_eq!(unpacking(Path::new(name)).as_deref(), expected, "{name}");
        };
        check("v.zip", Some("unzip v.zip"));
        check("-v.zip", Some("unzip ./-v.zip"));
        check("my case's.tar.zst", Some("tar --zstd -xf 'my case'\\''s.tar.zst'"));
        check(
            "/x/v.tar.zst.age",
            Some(
                "age --decrypt -i SECRET-KEY-FILE -o /x/v.tar.zst /x/v.tar.zst.age && tar --zstd -xf /x/v.tar.zst",
            ),
        );
        check("v.age", Some("age --decrypt -i SECRET-KEY-FILE -o v v.age"));
        check("statement.json", None);
        check("production", None);
    }

    #[test]
    fn only_files_are_packed_productions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v.zip");
        assert!(!is_packed(&path));
        std::fs::write(&path, "x").unwrap();
        assert!(is_packed(&path));
        let failure = unpack_first(&path).unwrap_err();
        assert_eq!(failure.exit_code(), std::process::ExitCode::from(2));
        assert!(failure.to_string().contains("is packed: unpack it, then verify"), "{failure}");
        let folder = dir.path().join("w.zip");
        std::fs::create_dir(&folder).unwrap();
        assert!(!is_packed(&folder));
    }
}
