//! What it is measured on.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A machine, as far as it says what it is.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) custody_version: &'static str,
    pub(super) cpu_model: Option<String>,
    /// CPUs that this process may use.
    pub(super) cores: usize,
    pub(super) memory_bytes: Option<u64>,
    /// Processes that wanted to run in the minute before: with more than none, times are of a busy machine.
    pub(super) load_average: Option<f64>,
    pub(super) os: String,
    pub(super) kernel: String,
    /// Of the folder that is written to.
    pub(super) file_system: Option<String>,
    pub(super) folder: PathBuf,
}

impl Machine {
    /// This one, with the file system of a folder.
    pub(super) fn of(folder: &Path) -> Machine {
        let system = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let name = || Some(quoted(&fs::read_to_string("/etc/os-release").ok()?, "PRETTY_NAME=")?.to_owned());
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Machine {
            custody_version: env!("CARGO_PKG_VERSION"),
            cpu_model: member(&cpus, "model name").map(str::to_owned),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()),
            load_average: fs::read_to_string("/proc/loadavg").ok().and_then(|text| load_average(&text)),
            os: name().unwrap_or_else(|| text(system.sysname())),
            kernel: format!(
                "{} {} {}",
                text(system.sysname()),
                text(system.release()),
                text(system.machine())
            ),
            file_system: file_system(&mounts, &folder),
            folder,
        }
    }
}

/// The value of a line `name : value`.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'))?;
    Some(line.trim()).filter(|value| !value.is_empty())
}

/// The value of a line `name"value"`, of which the quotes may be absent.
fn quoted<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_matches('"'))
}

fn memory(meminfo: &str) -> Option<u64> {
    let kilobytes: u64 = member(meminfo, "MemTotal")?.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1_024)
}

fn load_average(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok()
}

/// The type of the innermost mount that holds a path. proc(5): of a line of mountinfo the fifth field
/// is the mount point, and the type is the first after a lone hyphen.
fn file_system(mountinfo: &str, path: &Path) -> Option<String> {
    let mounts = mountinfo.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        Some((mount.split(' ').nth(4)?, source.split(' ').next()?))
    });
    let holding = mounts.filter(|(point, _)| path.starts_with(point));
    // Of two at one place the later hides the earlier.
    holding.max_by_key(|(point, _)| point.len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says() {
        let mounts = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:5 / /tmp rw shared:1 - tmpfs tmpfs rw\n\
                      3 1 0:6 / /tmpdir rw - xfs /dev/sdb rw\n";
        let found = ["/var", "/tmp/a", "/tmpdir/a"].map(|path| file_system(mounts, Path::new(path)));
        assert_eq!(found, ["ext4", "tmpfs", "xfs"].map(|kind| Some(kind.to_owned())));
        assert_eq!(file_system("", Path::new("/")), None);
        assert_eq!(load_average("0.25 0.11 0.03 1/85 1234\n"), Some(0.25));
        assert_eq!(memory("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(member("processor\t: 0\nmodel name\t: A: B\n", "model name"), Some("A: B"));
        assert_eq!(quoted("NAME=x\nPRETTY_NAME=\"An OS 1\"\n", "PRETTY_NAME="), Some("An OS 1"));
    }

    #[test]
    fn this_one() {
        let machine = Machine::of(Path::new("."));
        assert!(machine.cores > 0 && !machine.kernel.is_empty() && machine.folder.is_absolute());
    }
}
