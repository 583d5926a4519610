//! What the kernel says of threads and cores.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use crate::pace::{Pace, Seen};

/// Hundredths of a second in `/proc/stat` (`USER_HZ`, which is 100 on every Linux of today).
const TICK_MS: u64 = 10;

/// The ids of this process's threads.
pub(crate) fn thread_ids() -> BTreeSet<u32> {
    let Ok(entries) = fs::read_dir("/proc/self/task") else { return BTreeSet::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).collect()
}

/// Chooses how many threads a step uses, by watching them. Lives on the thread that computes.
pub(crate) struct Governor {
    pace: Pace,
    watch: Watch,
    computed: Duration,
}

impl Governor {
    /// For a step of at most `threads`: the calling one and `helpers`.
    pub(crate) fn new(threads: u32, helpers: &BTreeSet<u32>) -> Self {
        let watch = Watch::new(helpers);
        Self { pace: Pace::new(threads), watch, computed: Duration::ZERO }
    }

    /// Notes a step that took this long. `Some`: from now on a step uses so many threads.
    pub(crate) fn note(&mut self, took: Duration) -> Option<u32> {
        self.computed += took;
        if !self.pace.step(took) {
            return None;
        }
        let before = self.pace.threads();
        let seen = self.watch.look(std::mem::take(&mut self.computed));
        self.pace.judge(seen);
        let threads = self.pace.threads();
        if threads == before {
            return None;
        }
        tracing::debug!(threads, ?seen, "the processor is shared");
        Some(threads)
    }
}

/// Watches a step's threads and the cores they may use.
struct Watch {
    /// Files with the waiting times of the threads.
    files: Vec<String>,
    cores: BTreeSet<u32>,
    last: Reading,
}

struct Reading {
    at: Instant,
    waited: Vec<Duration>,
    idle: Duration,
}

impl Watch {
    /// Watches the calling thread and `helpers`.
    fn new(helpers: &BTreeSet<u32>) -> Self {
        let own = String::from("/proc/thread-self/schedstat");
        let others = helpers.iter().map(|id| format!("/proc/self/task/{id}/schedstat"));
        let files: Vec<String> = std::iter::once(own).chain(others).collect();
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cores = allowed_cores(&status);
        let last = Reading::take(&files, &cores);
        Self { files, cores, last }
    }

    /// What happened since the last look, while steps took `computed`. A kernel that does not say
    /// looks like one where nobody waits and nobody is idle.
    fn look(&mut self, computed: Duration) -> Seen {
        let now = Reading::take(&self.files, &self.cores);
        let pairs = now.waited.iter().zip(&self.last.waited);
        let waited = pairs.map(|(now, then)| now.saturating_sub(*then)).max().unwrap_or_default();
        let idle = now.idle.saturating_sub(self.last.idle);
        let passed = now.at - self.last.at;
        self.last = now;
        Seen { waited_share: share(waited, computed), idle_cores: share(idle, passed) }
    }
}

fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { part.as_secs_f64() / whole.as_secs_f64() }
}

impl Reading {
    fn take(files: &[String], cores: &BTreeSet<u32>) -> Self {
        let read = |file: &String| fs::read_to_string(file).unwrap_or_default();
        let waited = files.iter().map(|file| waited(&read(file))).collect();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self { at: Instant::now(), waited, idle: idle(&stat, cores) }
    }
}

/// Time ready to run without a core: the second number of a `schedstat` file, in nanoseconds.
fn waited(schedstat: &str) -> Duration {
    let number = schedstat.split_whitespace().nth(1).and_then(|number| number.parse().ok());
    Duration::from_nanos(number.unwrap_or(0))
}

/// Idle time of all `cores`: the fourth number of their lines in `/proc/stat`.
fn idle(stat: &str, cores: &BTreeSet<u32>) -> Duration {
    let ticks = |line: &str| -> Option<u64> {
        let mut fields = line.strip_prefix("cpu")?.split_whitespace();
        let core: u32 = fields.next()?.parse().ok()?;
        let idle: u64 = fields.nth(3)?.parse().ok()?;
        cores.contains(&core).then_some(idle)
    };
    Duration::from_millis(stat.lines().filter_map(ticks).sum::<u64>() * TICK_MS)
}

/// The cores of a `Cpus_allowed_list` line, such as `0-3,8`.
fn allowed_cores(status: &str) -> BTreeSet<u32> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let ranges = list.unwrap_or_default().trim().split(',').filter_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_time_is_the_second_number() {
        assert_eq!(waited("697725 2712967 2\n"), Duration::from_nanos(2_712_967));
        assert_eq!(waited(""), Duration::ZERO);
    }

    #[test]
    fn idle_time_is_that_of_the_allowed_cores() {
        let stat = "cpu  9 9 9 900 9\ncpu0 1 2 3 400 5\ncpu1 1 2 3 500 5\nintr 7\n";
        assert_eq!(idle(stat, &[1].into()), Duration::from_secs(5));
        assert_eq!(idle(stat, &[0, 1, 2].into()), Duration::from_secs(9));
        assert_eq!(idle("", &[0].into()), Duration::ZERO);
    }

    #[test]
    fn core_lists_are_read() {
        let status = "Name:\tx\nCpus_allowed_list:\t0-2,8\n";
        assert_eq!(allowed_cores(status), [0, 1, 2, 8].into());
        assert_eq!(allowed_cores("nothing"), BTreeSet::new());
    }

    #[test]
    fn this_thread_is_among_the_threads() {
        assert!(!thread_ids().is_empty());
        let seen = Watch::new(&BTreeSet::new()).look(Duration::from_secs(1));
        assert!(seen.waited_share >= 0.0 && seen.idle_cores >= 0.0);
    }
}
