//! What is remembered of what was read, as many bytes as there may be.

use std::hash::Hash;
use std::mem;
use std::sync::{Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt};

/// Values by key, those that were asked for last. Shared by threads.
///
/// There are two halves. What is new or asked for again goes into the young one; when that is full it
/// becomes the old one, and what nobody asked for since the last time is forgotten with the old one
/// before it.
pub(crate) struct Remembered<K, V> {
    halves: Mutex<Halves<K, V>>,
    /// Of each half.
    bytes_max: usize,
}

struct Halves<K, V> {
    young: HashMap<K, (V, usize)>,
    young_bytes: usize,
    old: HashMap<K, (V, usize)>,
}

impl<K: Eq + Hash, V: Clone> Remembered<K, V> {
    /// Holds so many bytes at most.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let halves = Halves { young: HashMap::new(), young_bytes: 0, old: HashMap::new() };
        Remembered { halves: Mutex::new(halves), bytes_max: bytes_max / 2 }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((value, _)) = halves.young.get(key) {
            return Some(value.clone());
        }
        let (key, (value, bytes)) = halves.old.remove_entry(key)?;
        let forgotten = halves.put(key, value.clone(), bytes, self.bytes_max);
        // What takes long to drop is dropped while nobody waits.
        drop(halves);
        drop(forgotten);
        Some(value)
    }

    /// Remembers a value of so many bytes, unless it alone is too large.
    pub(crate) fn put(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max {
            return;
        }
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = halves.put(key, value, bytes, self.bytes_max);
        drop(halves);
        drop(forgotten);
    }

    pub(crate) fn forget(&self, key: &K) {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl<K: Eq + Hash, V> Halves<K, V> {
    /// Puts into the young half; the old one if it had to go.
    fn put(&mut self, key: K, value: V, bytes: usize, bytes_max: usize) -> HashMap<K, (V, usize)> {
        self.remove(&key);
        let mut forgotten = HashMap::new();
        if self.young_bytes + bytes > bytes_max {
            forgotten = mem::replace(&mut self.old, mem::take(&mut self.young));
            self.young_bytes = 0;
        }
        self.young.insert(key, (value, bytes));
        self.young_bytes += bytes;
        forgotten
    }

    fn remove(&mut self, key: &K) {
        self.old.remove(key);
        if let Some((_, bytes)) = self.young.remove(key) {
            self.young_bytes -= bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of numbers that are asked for one after another and remembered when they were not there, as ten
    /// bytes each, which are still there.
    fn check(bytes_max: usize, asked: &[u32], expected: &[u32]) {
        let remembered = Remembered::new(bytes_max);
        for number in asked {
            match remembered.get(number) {
                Some(value) => assert_eq!(value, number + 1),
                None => remembered.put(*number, number + 1, 10),
            }
            let halves = remembered.halves.lock().unwrap();
            let held = |half: &HashMap<_, (_, usize)>| half.values().map(|(_, bytes)| *bytes).sum::<usize>();
            assert_eq!(held(&halves.young), halves.young_bytes);
            assert!(held(&halves.young) + held(&halves.old) <= bytes_max);
        }
        let halves = remembered.halves.into_inner().unwrap();
        let mut there: Vec<u32> = halves.young.into_keys().chain(halves.old.into_keys()).collect();
        there.sort_unstable();
        assert_eq!(there, expected, "{asked:?}");
    }

    #[test]
    fn what_was_asked_for_last_is_remembered() {
        check(0, &[1, 1], &[]);
        check(19, &[1, 1], &[]);
        check(20, &[1, 1], &[1]);
        check(40, &[1, 2, 3], &[1, 2, 3]);
        check(40, &[1, 2, 3, 4, 5], &[3, 4, 5]);
        check(40, &[1, 2, 3, 1, 4, 5], &[1, 3, 4, 5]);
        check(40, &[1, 2, 1, 3, 1, 4, 1, 5, 1, 6, 1], &[1, 5, 6]);
        check(40, &[1, 2, 3, 4, 5, 6, 7, 1], &[1, 5, 6, 7]);
    }

    #[test]
    fn what_is_forgotten_takes_no_bytes() {
        let remembered = Remembered::new(40);
        for number in 0..10 {
            remembered.put(1, number, 10);
            assert_eq!(remembered.get(&1), Some(number));
            remembered.forget(&1);
            assert_eq!(remembered.get(&1), None);
        }
        assert_eq!(remembered.halves.lock().unwrap().young_bytes, 0);
    }
}
