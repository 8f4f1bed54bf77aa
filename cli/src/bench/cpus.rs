//! The CPUs of a process: which there are, and which it is bound to.

/// So many CPUs of this process, of different cores as far as there are; `None` when it has fewer.
/// An empty list where processes cannot be bound.
#[cfg(target_os = "linux")]
pub(super) fn choose(count: usize) -> Option<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None).ok()?;
    let ours: Vec<usize> = (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect();
    chosen(&ours, count, |cpu| {
        let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        std::fs::read_to_string(path).ok()
    })
}

/// Elsewhere nothing is bound: whoever wants one core does not get it.
#[cfg(not(target_os = "linux"))]
pub(super) fn choose(count: usize) -> Option<Vec<usize>> {
    (count != 1).then(Vec::new)
}

/// Binds this thread, and those that it starts from now on.
#[cfg(target_os = "linux")]
pub(super) fn bind(cpus: &[usize]) -> std::io::Result<()> {
    if cpus.is_empty() {
        return Ok(());
    }
    let mut set = rustix::thread::CpuSet::new();
    cpus.iter().for_each(|cpu| set.set(*cpu));
    Ok(rustix::thread::sched_setaffinity(None, &set)?)
}

/// There is nothing to bind to.
#[cfg(not(target_os = "linux"))]
pub(super) fn bind(_: &[usize]) -> std::io::Result<()> {
    Ok(())
}

/// Threads of one core share it: one of each comes first. `core` names it.
#[cfg(any(target_os = "linux", test))]
fn chosen(ours: &[usize], count: usize, core: impl Fn(usize) -> Option<String>) -> Option<Vec<usize>> {
    let (mut first, mut others, mut cores) = (Vec::new(), Vec::new(), Vec::new());
    for cpu in ours {
        let named = core(*cpu);
        let is_new = named.is_none() || !cores.contains(&named);
        if is_new {
            first.push(*cpu)
        } else {
            others.push(*cpu)
        }
        cores.push(named);
    }
    first.append(&mut others);
    first.truncate(count);
    first.sort_unstable();
    (first.len() == count).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_before_their_second_threads() {
        let siblings = |cpu: usize| Some(format!("{},{}", cpu / 2 * 2, cpu / 2 * 2 + 1));
        assert_eq!(chosen(&[0, 1, 2, 3], 2, siblings), Some(vec![0, 2]));
        assert_eq!(chosen(&[0, 1], 2, siblings), Some(vec![0, 1]));
        assert_eq!(chosen(&[1, 4, 5], 2, |_| None), Some(vec![1, 4]));
        assert_eq!(chosen(&[3], 2, siblings), None);
    }
}
