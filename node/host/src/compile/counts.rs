//! What the compile service counts, for `/metrics`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gaia_sandbox::builder::{Answer, Task};
use serde_json::Value;

use super::queue::Queue;
use crate::http::{Histograms, metric_head};

/// The ends of jobs, and how long they took.
pub struct Counts {
    ends: Mutex<BTreeMap<String, u64>>,
    waits: Histograms,
    jobs: Histograms,
}

impl Counts {
    /// Nothing has happened.
    pub fn new() -> Self {
        Self {
            ends: Mutex::default(),
            waits: Histograms::new(
                "gaia_compile_wait_seconds",
                "From a job's request to its turn.",
                "command",
            ),
            jobs: Histograms::new(
                "gaia_compile_job_seconds",
                "From a job's turn to its end.",
                "command",
            ),
        }
    }

    /// Counts a job's turn, for which it has waited.
    pub fn begin(&self, task: Task, waited: Duration) {
        self.waits.observe(&word(task), waited);
    }

    /// Counts the end of a job that had a turn; without an answer the sandbox has failed.
    pub fn end(&self, task: Task, took: Duration, answer: Option<&Answer>) {
        self.jobs.observe(&word(task), took);
        let verdict = answer.map(|answer| word(answer.report.verdict));
        self.count(verdict.unwrap_or_else(|| "sandbox_failed".into()));
    }

    /// Counts a job that found no place.
    pub fn refuse(&self) {
        self.count("overloaded".into());
    }

    fn count(&self, end: String) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        *ends.entry(end).or_default() += 1;
    }

    /// Appends the text form.
    pub fn write(&self, text: &mut String, queue: &Queue) {
        for (name, help, value) in [
            ("gaia_compile_jobs_waiting", "Compile jobs that wait for a turn.", queue.waiting()),
            ("gaia_compile_jobs_running", "Compile jobs that have a turn.", queue.running()),
        ] {
            metric_head(text, name, "gauge", help);
            let _ = writeln!(text, "{name} {value}");
        }
        let name = "gaia_compile_jobs_total";
        metric_head(text, name, "counter", "Compile jobs that ended, by verdict.");
        for (end, count) in &*self.ends.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "{name}{{verdict={end:?}}} {count}");
        }
        self.waits.write(text);
        self.jobs.write(text);
    }
}

/// As answers and requests write it.
fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => "other".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use gaia_sandbox::report::Detail;

    use super::*;
    use crate::config::QueueConfig;

    #[test]
    fn each_end_is_counted_once() {
        let counts = Counts::new();
        let refused = Answer::refused(Detail::Summary, vec![]);
        counts.begin(Task::Check, Duration::from_millis(20));
        counts.end(Task::Check, Duration::from_secs(1), Some(&refused));
        counts.end(Task::Run, Duration::from_secs(2), None);
        counts.refuse();
        let queue = Queue::new(QueueConfig { at_once: 2, waiting_max: 1, waiting_per_key_max: 1 });
        let mut text = String::new();
        counts.write(&mut text, &queue);
        for line in [
            "gaia_compile_jobs_waiting 0",
            "gaia_compile_jobs_running 0",
            "gaia_compile_jobs_total{verdict=\"refused\"} 1",
            "gaia_compile_jobs_total{verdict=\"sandbox_failed\"} 1",
            "gaia_compile_jobs_total{verdict=\"overloaded\"} 1",
            "gaia_compile_wait_seconds_count{command=\"check\"} 1",
            "gaia_compile_job_seconds_sum{command=\"run\"} 2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}
