//! What Rust's test programs print.
//!
//! On stable they print text only. A test that writes to the process's standard output directly can
//! print anything in between: a result that no line gives is `unfinished`.

use std::collections::BTreeMap;

use gaia_core::build::{TestResult, TestStatus};
use serde::Serialize;

use super::messages::Cut;
use super::text::{plain, shortened};

const TESTS_MAX: usize = 5000;
const SUITES_MAX: usize = 200;
const NAME_BYTES_MAX: usize = 300;
const OUTPUT_BYTES_MAX: usize = 16 << 10;

/// All test programs of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TestRun {
    /// One for each test program, in their order.
    pub suites: Vec<Suite>,
    /// Tests by suite and order.
    pub tests: Vec<TestResult>,
}

/// One test program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Suite {
    /// How many tests it said to have.
    pub announced: usize,
    /// Whether it came to its end, and said that all was well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passed: Option<bool>,
    /// How long it said to have taken, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl TestRun {
    /// Reads what test programs printed. What exceeds the limits is counted in `cut`.
    pub fn parse(output: &str, cut: &mut Cut) -> Self {
        let mut reader =
            Reader { run: Self::default(), state: State::Outside, places: BTreeMap::new(), cut };
        output.lines().for_each(|line| reader.line(line));
        reader.run
    }

    /// How many tests ended in a way.
    pub fn count(&self, status: TestStatus) -> usize {
        self.tests.iter().filter(|test| test.status == status).count()
    }

    /// Whether a test or a test program failed.
    pub fn failed(&self) -> bool {
        self.count(TestStatus::Failed) > 0
            || self.suites.iter().any(|suite| suite.passed == Some(false))
    }
}

enum State {
    /// Between test programs.
    Outside,
    /// Results come; the test at this place has begun to print.
    Running(Option<usize>),
    /// What failed tests printed; of the test at this place.
    Outputs(Option<usize>),
}

struct Reader<'c> {
    run: TestRun,
    state: State,
    /// Places of the current suite's tests by name.
    places: BTreeMap<String, usize>,
    cut: &'c mut Cut,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) {
        if let Some(announced) = announcement(line) {
            return self.begin(announced);
        }
        if let Some(rest) = line.strip_prefix("test result: ") {
            return self.end(rest);
        }
        match self.state {
            State::Outside => {}
            State::Running(_) if line == "failures:" => self.state = State::Outputs(None),
            State::Running(begun) => self.running(line, begun),
            State::Outputs(of) => self.outputs(line, of),
        }
    }

    fn begin(&mut self, announced: usize) {
        self.places.clear();
        self.state =
            if self.run.suites.len() < SUITES_MAX { State::Running(None) } else { State::Outside };
        if self.run.suites.len() < SUITES_MAX {
            self.run.suites.push(Suite { announced, ..Suite::default() });
        }
    }

    fn end(&mut self, rest: &str) {
        if let (Some(suite), false) =
            (self.run.suites.last_mut(), matches!(self.state, State::Outside))
        {
            suite.passed = Some(rest.starts_with("ok."));
            suite.duration_ms = duration_ms(rest);
        }
        self.state = State::Outside;
    }

    fn running(&mut self, line: &str, begun: Option<usize>) {
        if let Some((name, rest)) =
            line.strip_prefix("test ").and_then(|line| line.split_once(" ... "))
        {
            let (status, reason) = status(rest);
            let place = self.add(name, status, reason);
            self.state = State::Running(place.filter(|_| status == TestStatus::Unfinished));
        } else if let Some(place) = begun
            && let (status, reason) = status(line)
            && status != TestStatus::Unfinished
        {
            self.run.tests[place].status = status;
            self.run.tests[place].reason = reason;
            self.state = State::Running(None);
        }
    }

    fn add(&mut self, name: &str, status: TestStatus, reason: Option<String>) -> Option<usize> {
        if self.run.tests.len() >= TESTS_MAX {
            self.cut.tests += 1;
            return None;
        }
        // What the harness appends is no part of the name that it prints elsewhere.
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        let name = shortened(plain(name), NAME_BYTES_MAX);
        let place = self.run.tests.len();
        self.places.insert(name.clone(), place);
        let suite = self.run.suites.len().saturating_sub(1);
        self.run.tests.push(TestResult { suite, name, status, reason, output: None });
        Some(place)
    }

    fn outputs(&mut self, line: &str, of: Option<usize>) {
        if let Some(name) =
            line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.state = State::Outputs(self.places.get(name).copied());
        } else if line == "failures:" {
            // The list of names behind all outputs.
            self.state = State::Outputs(None);
        } else if let Some(place) = of {
            self.append(place, line);
        }
    }

    fn append(&mut self, place: usize, line: &str) {
        let output = self.run.tests[place].output.get_or_insert_default();
        if output.len() + line.len() > OUTPUT_BYTES_MAX {
            self.cut.output_bytes += line.len();
            return;
        }
        output.push_str(&plain(line));
        output.push('\n');
    }
}

fn announcement(line: &str) -> Option<usize> {
    let (count, rest) = line.strip_prefix("running ")?.split_once(' ')?;
    (rest == "test" || rest == "tests").then(|| count.parse().ok())?
}

/// What stands behind `... `, or in a line of its own if the test printed before.
fn status(text: &str) -> (TestStatus, Option<String>) {
    match text.trim_end() {
        "ok" => (TestStatus::Passed, None),
        "FAILED" => (TestStatus::Failed, None),
        "ignored" => (TestStatus::Ignored, None),
        text => other_status(text),
    }
}

fn other_status(text: &str) -> (TestStatus, Option<String>) {
    if let Some(reason) = text.strip_prefix("ignored, ") {
        return (TestStatus::Ignored, Some(shortened(plain(reason), NAME_BYTES_MAX)));
    }
    // With the time that the test took, where that was asked for.
    let timed = |word: &str| {
        text.strip_prefix(word).is_some_and(|rest| rest.starts_with(" <") && rest.ends_with("s>"))
    };
    match text {
        _ if text.starts_with("bench:") => (TestStatus::Measured, None),
        _ if timed("ok") => (TestStatus::Passed, None),
        _ if timed("FAILED") => (TestStatus::Failed, None),
        _ => (TestStatus::Unfinished, None),
    }
}

/// `… finished in 0.05s`
fn duration_ms(rest: &str) -> Option<u64> {
    let seconds = rest.rsplit_once("finished in ")?.1.trim_end().strip_suffix('s')?;
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let part: u64 = format!("{part:0<3}").get(..3)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part)
}

#[cfg(test)]
#[path = "tests_output_tests.rs"]
mod tests;
