//! Counts durations in buckets, one set per label.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds in seconds: from a token of a small model to a long answer on a busy node.
const BOUNDS_S: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0];

/// Histograms of one name, told apart by one label.
pub struct Histograms {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    by_label: Mutex<BTreeMap<String, Buckets>>,
}

#[derive(Default)]
struct Buckets {
    counts: [u64; BOUNDS_S.len()],
    count: u64,
    sum_s: f64,
}

impl Histograms {
    /// No durations yet.
    pub fn new(name: &'static str, help: &'static str, label: &'static str) -> Self {
        Self { name, help, label, by_label: Mutex::default() }
    }

    /// Makes the label's histogram appear although it is empty.
    pub fn announce(&self, label: &str) {
        self.change(label, |_| {});
    }

    /// Counts one duration.
    pub fn observe(&self, label: &str, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.change(label, |buckets| {
            let fitting = BOUNDS_S.iter().position(|bound| seconds <= *bound);
            if let Some(index) = fitting {
                buckets.counts[index] += 1;
            }
            buckets.count += 1;
            buckets.sum_s += seconds;
        });
    }

    /// Appends the text form.
    pub fn write(&self, text: &mut String) {
        let (name, label) = (self.name, self.label);
        let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} histogram", self.help);
        let by_label = self.by_label.lock().unwrap_or_else(PoisonError::into_inner);
        for (value, buckets) in &*by_label {
            let mut below = 0;
            for (bound, count) in BOUNDS_S.iter().zip(buckets.counts) {
                below += count;
                let _ = writeln!(text, "{name}_bucket{{{label}={value:?},le=\"{bound}\"}} {below}");
            }
            let Buckets { count, sum_s, .. } = buckets;
            let _ = writeln!(text, "{name}_bucket{{{label}={value:?},le=\"+Inf\"}} {count}");
            let _ = writeln!(text, "{name}_sum{{{label}={value:?}}} {sum_s}");
            let _ = writeln!(text, "{name}_count{{{label}={value:?}}} {count}");
        }
    }

    fn change(&self, label: &str, change: impl FnOnce(&mut Buckets)) {
        let mut by_label = self.by_label.lock().unwrap_or_else(PoisonError::into_inner);
        change(by_label.entry(label.to_owned()).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_all_that_is_below_them() {
        let histograms = Histograms::new("h", "Help.", "model");
        histograms.observe("m", Duration::from_millis(20));
        histograms.observe("m", Duration::from_secs(1));
        histograms.observe("m", Duration::from_secs(1000));
        let mut text = String::new();
        histograms.write(&mut text);
        assert!(text.starts_with("# HELP h Help.\n# TYPE h histogram\n"), "{text}");
        for line in [
            "h_bucket{model=\"m\",le=\"0.01\"} 0\n",
            "h_bucket{model=\"m\",le=\"0.025\"} 1\n",
            "h_bucket{model=\"m\",le=\"1\"} 2\n",
            "h_bucket{model=\"m\",le=\"300\"} 2\n",
            "h_bucket{model=\"m\",le=\"+Inf\"} 3\n",
            "h_sum{model=\"m\"} 1001.02\n",
            "h_count{model=\"m\"} 3\n",
        ] {
            assert!(text.contains(line), "{line} is not in {text}");
        }
    }
}
