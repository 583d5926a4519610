//! What the tests of the use cases are made of.

use std::sync::Arc;

use super::{Coder, Edits};
use crate::Node;
use crate::build::{BuildReport, Diagnostic, Level, TestResult, TestStatus, Verdict};
use crate::fakes::{FakeBuilder, FakeClock, error_at, report_of};

/// A coder without a memory and without a model of its own.
pub fn coder(node: Node, builder: FakeBuilder) -> Coder {
    let (builder, clock) = (Arc::new(builder), Arc::new(FakeClock::default()));
    Coder { node, builder, memory: None, clock, model: None, edits: Edits::Auto }
}

pub fn report(verdict: Verdict) -> BuildReport {
    BuildReport { verdict, ..report_of(vec![]) }
}

pub fn finding(level: Level, code: &str) -> Diagnostic {
    let message = format!("{code} happened");
    let rendered = format!("error[{code}]: {message}\n");
    Diagnostic { level, rendered, ..error_at(code, &message, ("src/main.rs", 2)) }
}

pub fn test(name: &str, status: TestStatus) -> TestResult {
    TestResult { suite: 0, name: name.into(), status, reason: None, output: None }
}
