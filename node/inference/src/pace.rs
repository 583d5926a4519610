//! How many threads a step uses. Pure.
//!
//! The threads of a step meet at hundreds of barriers and spin there. When another process takes a
//! core, every thread waits for the one that was put aside: two threads then compute less than a
//! tenth of what one does. So a thread is given up when the threads are seen waiting for a core, and
//! taken back when a core is seen idle.

use std::time::Duration;

/// Computing time between two judgements: the kernel counts idle time in hundredths of a second.
const WINDOW: Duration = Duration::from_millis(250);

/// A thread that waits for a core for more than this share of the time has company there.
const WAITED_SHARE_MAX: f64 = 0.1;

/// A core counts as free for another thread from this share of idle time on.
const IDLE_CORES_MIN: f64 = 0.75;

/// Computing time before a thread that was given up is tried again. It doubles with each trial that
/// fails, up to the longest: a trial can make one step ten times slower.
const HOLD_LEAST: Duration = Duration::from_secs(1);
const HOLD_MOST: Duration = Duration::from_secs(16);

/// What was seen since the last judgement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// Share of the time that the thread worst off was ready to run and had no core.
    pub(crate) waited_share: f64,
    /// Cores that did nothing, on average.
    pub(crate) idle_cores: f64,
}

/// The number of threads, between one and the most.
#[derive(Debug)]
pub(crate) struct Pace {
    most: u32,
    now: u32,
    window: Duration,
    hold: Duration,
    held: Duration,
    is_trial: bool,
}

impl Pace {
    pub(crate) fn new(most: u32) -> Self {
        let (window, held) = (Duration::ZERO, Duration::ZERO);
        Self { most, now: most, window, hold: HOLD_LEAST, held, is_trial: false }
    }

    /// Threads of the next step.
    pub(crate) fn threads(&self) -> u32 {
        self.now
    }

    /// Notes a step that took this long. True: it is time to look and judge.
    pub(crate) fn step(&mut self, took: Duration) -> bool {
        self.window += took;
        self.held += took;
        self.most > 1 && self.window >= WINDOW
    }

    /// Decides on what was seen.
    pub(crate) fn judge(&mut self, seen: Seen) {
        self.window = Duration::ZERO;
        let part = (self.most / 8).max(1);
        if self.now > 1 && seen.waited_share > WAITED_SHARE_MAX {
            self.hold = if self.is_trial { (self.hold * 2).min(HOLD_MOST) } else { HOLD_LEAST };
            self.now = self.now.saturating_sub(part).max(1);
            self.held = Duration::ZERO;
            self.is_trial = false;
        } else if self.now < self.most
            && self.held >= self.hold
            && seen.idle_cores >= IDLE_CORES_MIN
        {
            self.now = (self.now + part).min(self.most);
            self.held = Duration::ZERO;
            self.is_trial = true;
        } else if self.held >= self.hold {
            // It went well for as long as it had been doubted.
            self.is_trial = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Seen = Seen { waited_share: 0.0, idle_cores: 1.0 };
    const BUSY: Seen = Seen { waited_share: 0.0, idle_cores: 0.0 };
    const CROWDED: Seen = Seen { waited_share: 0.4, idle_cores: 0.0 };

    fn after(pace: &mut Pace, took: Duration, seen: Seen) -> u32 {
        let mut left = took;
        while !left.is_zero() {
            if pace.step(WINDOW) {
                pace.judge(seen);
            }
            left = left.saturating_sub(WINDOW);
        }
        pace.threads()
    }

    #[test]
    fn one_thread_is_never_judged() {
        assert!(!Pace::new(1).step(HOLD_MOST));
    }

    #[test]
    fn short_steps_are_judged_together() {
        let mut pace = Pace::new(2);
        assert!(!pace.step(WINDOW / 2));
        assert!(pace.step(WINDOW / 2));
    }

    #[test]
    fn undisturbed_it_keeps_all_threads() {
        assert_eq!(after(&mut Pace::new(2), HOLD_MOST, ALONE), 2);
        assert_eq!(after(&mut Pace::new(2), HOLD_MOST, BUSY), 2);
    }

    #[test]
    fn company_costs_a_thread_but_never_the_last() {
        let mut pace = Pace::new(3);
        assert_eq!(after(&mut pace, WINDOW, CROWDED), 2);
        assert_eq!(after(&mut pace, HOLD_MOST, CROWDED), 1);
    }

    #[test]
    fn many_threads_go_in_larger_parts() {
        assert_eq!(after(&mut Pace::new(32), WINDOW, CROWDED), 28);
    }

    #[test]
    fn a_thread_comes_back_when_a_core_is_idle_and_not_before() {
        let mut pace = Pace::new(2);
        after(&mut pace, WINDOW, CROWDED);
        assert_eq!(after(&mut pace, HOLD_MOST, BUSY), 1);
        assert_eq!(after(&mut pace, WINDOW, ALONE), 2);
    }

    #[test]
    fn a_thread_does_not_come_back_at_once() {
        let mut pace = Pace::new(2);
        after(&mut pace, WINDOW, CROWDED);
        assert_eq!(after(&mut pace, HOLD_LEAST - WINDOW, ALONE), 1);
        assert_eq!(after(&mut pace, WINDOW, ALONE), 2);
    }

    #[test]
    fn trials_that_fail_become_rare() {
        let mut pace = Pace::new(2);
        let mut trials = 0;
        for _ in 0..40 {
            let seen = if pace.threads() == 2 { CROWDED } else { ALONE };
            trials += u32::from(after(&mut pace, HOLD_LEAST, seen) == 2);
        }
        assert!(trials < 8, "{trials}");
    }
}
