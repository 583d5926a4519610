//! What a repair is asked for, tells on its way, and ends with.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::build::{BuildReport, Files};

/// What counts as repaired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// It compiles.
    Check,
    /// It compiles, and its tests pass where it has any.
    #[default]
    Test,
}

/// How much a repair may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Rounds of the model at most; compiling the compiler's own suggestions does not count.
    pub attempts: u32,
    /// Tokens that the model writes at most, all candidates together.
    pub tokens: u32,
    /// From the request to the answer.
    pub time: Duration,
    /// Candidates that the model writes in one round.
    pub candidates: u32,
}

impl Default for Budget {
    fn default() -> Self {
        let time = Duration::from_secs(300);
        Self { attempts: 4, tokens: 16_384, time, candidates: 2 }
    }
}

/// How a model is asked to write a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edits {
    /// By the size of the model, and by what failed before.
    #[default]
    Auto,
    /// The items that the errors are in, anew: what small models can do.
    Regions,
    /// Search and replace blocks, or small files as a whole.
    Blocks,
}

/// A project that does not do what it should.
#[derive(Clone, Debug, Default)]
pub struct Repair {
    /// The project.
    pub files: Files,
    /// What it is meant to do, in its author's words.
    pub description: Option<String>,
    /// When it is repaired.
    pub goal: Goal,
    /// The model that helps; none: the coder's.
    pub model: Option<String>,
    /// Whether a model may help at all.
    pub without_model: bool,
    /// Whether its tests are as new as its code: what they expect may then be wrong, too.
    pub drafted: bool,
    /// How much it may take.
    pub budget: Budget,
    /// Whether what helped is remembered.
    pub learn: bool,
}

/// Who proposed a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nobody: the project as it came.
    Given,
    /// The compiler, by its suggestions.
    Suggestions,
    /// A remembered fix.
    Memory,
    /// A model.
    Model,
}

/// One state of the project that was compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// Counted from 1.
    pub attempt: u32,
    /// Who proposed it.
    pub stage: Stage,
    /// Whether it reached the goal.
    pub success: bool,
    /// Whether it was kept: it is better than what there was before, or as good and further.
    pub kept: bool,
    /// Errors of the compiler.
    pub errors: usize,
    /// Tests that failed.
    pub tests_failed: usize,
    /// What became of it, in a sentence: why it was refused, or what the compiler said first.
    pub output: String,
}

/// What was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// Times that the project was compiled.
    pub builds: u32,
    /// Tokens that the model read.
    pub prompt_tokens: u64,
    /// Tokens that the model wrote.
    pub completion_tokens: u64,
    /// From the request to the answer.
    pub total_ms: u64,
}

/// How a repair ended. The files are the best state that was reached, and never worse than what came.
#[derive(Clone, Debug, Serialize)]
pub struct Repaired {
    /// Whether the goal was reached.
    pub success: bool,
    /// What became of it, in a sentence.
    pub message: String,
    /// All files of the project.
    pub files: Files,
    /// The change against what came, as a unified diff; empty if nothing changed.
    pub diff: String,
    /// Everything that was compiled, in its order.
    pub attempts: Vec<Attempt>,
    /// The report of the last state: what is left to do, if anything.
    pub report: BuildReport,
    /// What was spent.
    pub spent: Spent,
    /// The stage that reached the goal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Stage>,
    /// The model that was asked, if one was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// What a long use case tells on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Progress {
    /// A model writes.
    Writing {
        /// Which round it is, counted from 1.
        round: u32,
    },
    /// The compiler works.
    Compiling {
        /// Who proposed what it looks at.
        stage: Stage,
    },
    /// A state was compiled.
    Tried(Attempt),
}

/// Hears of progress; must not block.
pub type Tell<'a> = &'a (dyn Fn(Progress) + Send + Sync);
