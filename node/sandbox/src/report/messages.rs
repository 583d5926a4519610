//! cargo's standard output with `--message-format=json`: messages, one a line, and whatever else
//! programs print there.

use gaia_core::build::Diagnostic;
use serde::Serialize;

use super::artifact::{Artifact, Compiled};
use super::diagnostic::diagnostic;
use super::place::Places;
use super::wire;

/// rustc's messages have the text of their lines in them; a large one has some hundred kilobytes.
const LINE_BYTES_MAX: usize = 1 << 20;
const DIAGNOSTICS_MAX: usize = 500;
const ARTIFACTS_MAX: usize = 200;
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What was left out, and how much of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Messages of the compiler above the limit.
    pub diagnostics: usize,
    /// Results above the limit.
    pub artifacts: usize,
    /// Lines that were too long to be a message.
    pub long_lines: usize,
    /// Bytes of other output above the limit.
    pub output_bytes: usize,
    /// Results of tests above the limit.
    pub tests: usize,
}

/// All that cargo said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// The compiler's messages in their order, each once.
    pub diagnostics: Vec<Diagnostic>,
    /// The project's results.
    pub artifacts: Vec<Artifact>,
    /// How much was compiled.
    pub crates: Compiled,
    /// Whether everything was built; none if cargo ended before.
    pub built: Option<bool>,
    /// Lines that are no messages: what tests or the program printed.
    pub output: String,
    /// What was left out.
    pub cut: Cut,
}

/// Takes output as it comes, and keeps no more than one line of it.
#[derive(Debug, Clone)]
pub struct MessageReader {
    places: Places,
    line: Vec<u8>,
    /// The line is too long, and its rest is dropped.
    skipping: bool,
    messages: Messages,
}

impl MessageReader {
    /// A reader for a job with these folders.
    pub fn new(places: Places) -> Self {
        Self { places, line: vec![], skipping: false, messages: Messages::default() }
    }

    /// Reads everything at once.
    pub fn read(places: Places, output: &[u8]) -> Messages {
        let mut reader = Self::new(places);
        reader.push(output);
        reader.finish()
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.extend(part);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// What is known so far, as for a report of progress.
    pub fn so_far(&self) -> &Messages {
        &self.messages
    }

    /// Takes the last line, if it has no end, and gives everything.
    pub fn finish(mut self) -> Messages {
        if !self.line.is_empty() || self.skipping {
            self.end_line();
        }
        self.messages
    }

    fn extend(&mut self, part: &[u8]) {
        if self.skipping || self.line.len() + part.len() > LINE_BYTES_MAX {
            self.skipping = true;
            self.messages.cut.output_bytes += self.line.len() + part.len();
            self.line.clear();
        } else {
            self.line.extend_from_slice(part);
        }
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.skipping) {
            self.messages.cut.long_lines += 1;
            return;
        }
        let line = std::mem::take(&mut self.line);
        match message(&line) {
            Some(message) => self.take(message),
            None => self.messages.take_output(&line),
        }
        self.line = line;
        self.line.clear();
    }

    fn take(&mut self, message: wire::Message) {
        match message {
            wire::Message::CompilerMessage(message) => {
                let found = diagnostic(message, &self.places);
                self.messages.take_diagnostic(found);
            }
            wire::Message::CompilerArtifact(artifact) => {
                self.messages.crates.count(artifact.fresh);
                self.messages.take_artifact(Artifact::of(&artifact, &self.places));
            }
            wire::Message::BuildFinished { success } => self.messages.built = Some(success),
            wire::Message::Other => {}
        }
    }
}

/// Only lines that begin like cargo's are tried: programs print JSON too.
fn message(line: &[u8]) -> Option<wire::Message> {
    line.starts_with(b"{\"reason\":").then(|| serde_json::from_slice(line).ok())?
}

impl Messages {
    /// A library and its tests are compiled from the same code, and say the same twice.
    fn take_diagnostic(&mut self, diagnostic: Diagnostic) {
        let same =
            |own: &Diagnostic| own.rendered == diagnostic.rendered && own.spans == diagnostic.spans;
        if !diagnostic.spans.is_empty() && self.diagnostics.iter().any(same) {
            return;
        }
        if self.diagnostics.len() >= DIAGNOSTICS_MAX {
            self.cut.diagnostics += 1;
        } else {
            self.diagnostics.push(diagnostic);
        }
    }

    fn take_artifact(&mut self, artifact: Option<Artifact>) {
        let Some(artifact) = artifact else { return };
        if self.artifacts.len() >= ARTIFACTS_MAX {
            self.cut.artifacts += 1;
        } else {
            self.artifacts.push(artifact);
        }
    }

    fn take_output(&mut self, line: &[u8]) {
        if self.output.len() + line.len() > OUTPUT_BYTES_MAX {
            self.cut.output_bytes += line.len();
        } else {
            self.output.push_str(&String::from_utf8_lossy(line));
        }
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
