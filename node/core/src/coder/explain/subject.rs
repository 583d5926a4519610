//! What is to be explained, and what the compiler says of it.

use std::collections::BTreeMap;

use super::Explain;
use crate::build::{BuildJob, BuildReport, Command, Diagnostic, Files, Verdict};
use crate::coder::{Coder, CoderError};

/// Numbers of errors that are looked up for one request.
const CODES_MAX: usize = 5;

/// Messages of the compiler that are shown to a model.
const MESSAGES_MAX: usize = 4;

/// Bytes of what the compiler said that are shown to a model.
const SAID_BYTES_MAX: usize = 6 << 10;

/// What an explanation is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Subject {
    /// Nothing but the question.
    #[default]
    None,
    /// An error's number, or what the compiler said in its own words.
    Said(Asked),
    /// A project that is compiled first.
    Project(Files),
}

/// What a person has of an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// An error's number or a lint's name, if it is known apart from the text.
    pub code: Option<String>,
    /// The message, as the compiler prints it; may be empty where there is a number.
    pub text: String,
}

/// What is known for sure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Numbers of errors, each once.
    pub codes: Vec<String>,
    /// The compiler's own explanations.
    pub explanations: BTreeMap<String, String>,
    /// A line a message.
    pub lines: Vec<String>,
    /// As the compiler printed it.
    pub said: String,
    /// What a search is made of: the first message.
    pub headline: String,
    /// What the reader should know.
    pub note: Option<String>,
}

/// Asks the compiler.
pub(super) async fn look(coder: &Coder, request: &Explain) -> Result<Known, CoderError> {
    match &request.subject {
        Subject::None => Ok(Known::default()),
        Subject::Said(asked) => Ok(look_up(coder, asked).await),
        Subject::Project(files) => compile(coder, files).await,
    }
}

async fn look_up(coder: &Coder, asked: &Asked) -> Known {
    let mut codes: Vec<_> = asked.code.clone().into_iter().collect();
    codes.extend(numbers(&asked.text).map(str::to_owned));
    let codes = once(codes);
    let mut explanations = BTreeMap::new();
    let mut note = (codes.is_empty() && !asked.text.is_empty())
        .then(|| "there is no error's number in it, such as E0502".to_owned());
    for code in &codes {
        match coder.builder.explain(code).await {
            Ok(Some(text)) => drop(explanations.insert(code.clone(), text)),
            Ok(None) => note = Some(format!("the compiler has no explanation of {code}")),
            // The knowledge base and a model may still know.
            Err(error) => note = Some(error.to_string()),
        }
    }
    let headline = headline(&asked.text).to_owned();
    Known { codes, explanations, lines: vec![], said: cut(&asked.text), headline, note }
}

async fn compile(coder: &Coder, files: &Files) -> Result<Known, CoderError> {
    let job = BuildJob {
        files: files.clone(),
        command: Command::Check,
        stdin: String::new(),
        explain: true,
    };
    let report = coder.builder.run(job).await?;
    let shown = shown(&report);
    let codes = once(shown.iter().filter_map(|found| found.code.clone()).collect());
    let said: String = shown.iter().map(|found| found.rendered.as_str()).collect();
    let headline = shown.first().map(|found| found.message.clone()).unwrap_or_default();
    let note = match report.verdict {
        Verdict::Ok => Some("the project compiles".to_owned()),
        Verdict::CompileError => None,
        _ => Some(format!("the project was not compiled: {}", report.notes.join("; "))),
    };
    let lines = shown.iter().map(|found| line(found)).collect();
    let BuildReport { explanations, .. } = report;
    Ok(Known { codes, explanations, lines, said: cut(&said), headline, note })
}

/// The errors, or the warnings where there is none.
fn shown(report: &BuildReport) -> Vec<&Diagnostic> {
    let errors: Vec<_> = report.errors().take(MESSAGES_MAX).collect();
    if !errors.is_empty() {
        return errors;
    }
    let worth = report.diagnostics.iter().filter(|found| !found.is_trailer());
    worth.take(MESSAGES_MAX).collect()
}

fn line(found: &Diagnostic) -> String {
    let place = found.primary().map(|span| format!("{}:{}: ", span.file, span.line_start));
    let code = found.code.as_ref().map(|code| format!("[{code}]")).unwrap_or_default();
    let (place, level) = (place.unwrap_or_default(), found.level.as_str());
    format!("{place}{level}{code}: {}", found.message)
}

fn once(codes: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = vec![];
    for code in codes {
        if kept.len() < CODES_MAX && !kept.contains(&code) {
            kept.push(code);
        }
    }
    kept
}

/// The line that says what is wrong: the first that begins as the compiler's messages do.
fn headline(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim);
    let says = |line: &&str| line.starts_with("error") || line.starts_with("warning");
    lines
        .find(says)
        .or_else(|| text.lines().map(str::trim).find(|line| !line.is_empty()))
        .unwrap_or_default()
}

fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(SAID_BYTES_MAX);
    text[..end].to_owned()
}

/// Numbers of errors in a text: an `E` and four digits that stand by themselves.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = text.as_bytes();
    text.match_indices('E').filter_map(move |(start, _)| {
        let digits = bytes.get(start + 1..start + 5)?;
        let alone = start == 0 || !is_part(&bytes[start - 1]);
        let ends = bytes.get(start + 5).is_none_or(|byte| !is_part(byte));
        let is_number = alone && ends && digits.iter().all(u8::is_ascii_digit);
        is_number.then(|| &text[start..start + 5])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_stand_alone_are_found() {
        let found = |text| numbers(text).collect::<Vec<_>>();
        assert_eq!(found("error[E0502]: x\nE0499, E0502"), ["E0502", "E0499", "E0502"]);
        for text in
            ["", "E", "E050", "E05022", "aE0502", "_E0502", "E0502x", "e0502", "E050é", "EEEE"]
        {
            assert!(found(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_headline_is_the_first_message() {
        assert_eq!(headline("  Compiling x\nerror[E0502]: a\n --> b"), "error[E0502]: a");
        assert_eq!(headline("\n what is a borrow\n"), "what is a borrow");
        assert_eq!(headline(""), "");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "é".repeat(SAID_BYTES_MAX);
        assert_eq!(cut(&text).len(), SAID_BYTES_MAX);
        assert_eq!(cut(&format!("a{text}")).len(), SAID_BYTES_MAX - 1);
    }
}
