//! `[coder]`: repairing, generating and explaining Rust, and what is learned by it.

use std::time::Duration;

use gaia_core::coder::{Budget, Edits};

use super::reader::Reader;

/// What a job may take: a small model on two cores writes a small project, and mends it, in some minutes.
const JOB_TIME: Duration = Duration::from_secs(1200);

/// Characters of a memory's name: it is part of a collection's.
const COLLECTION_CHARS_MAX: usize = 32;

/// `[coder]`: what repairs and generated projects may take, and what is remembered of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoderConfig {
    /// The chat model that writes code; without it, what needs none still works.
    pub model: Option<String>,
    /// Whether fixes are remembered.
    pub memory: bool,
    /// The memory's name: nodes that share a Qdrant server have one each.
    pub collection: String,
    /// Fixes that are remembered at most.
    pub fixes_max: usize,
    /// Names of keys whose fixes help everyone at once; those of admin keys always do.
    pub trusted_keys: Vec<String>,
    /// How the model is asked to write changes.
    pub edits: Edits,
    /// The most that a request may ask for, and what it gets if it asks for nothing.
    pub budget: Budget,
    /// The time of one for whose answer nobody waits.
    pub job_time: Duration,
}

impl Default for CoderConfig {
    fn default() -> Self {
        Self {
            model: None,
            memory: true,
            collection: "coder".into(),
            fixes_max: 10_000,
            trusted_keys: vec![],
            edits: Edits::default(),
            budget: Budget::default(),
            job_time: JOB_TIME,
        }
    }
}

impl CoderConfig {
    /// What a job may take: as much as others, and more time.
    #[must_use]
    pub fn job_budget(&self) -> Budget {
        Budget { time: self.job_time.max(self.budget.time), ..self.budget }
    }

    pub(super) fn read(mut table: Reader<'_>) -> Self {
        let default = Self::default();
        let read = Self {
            model: table.optional("model"),
            memory: table.value("memory", default.memory),
            collection: table.value("collection", default.collection),
            fixes_max: table.within("fixes_max", default.fixes_max, 100..=100_000),
            trusted_keys: table.value("trusted_keys", default.trusted_keys),
            edits: table.value("edits", default.edits),
            budget: read_budget(&mut table, default.budget),
            job_time: Duration::from_secs(table.within(
                "job_time_s",
                default.job_time.as_secs(),
                1..=7200,
            )),
        };
        if !is_name(&read.collection) {
            let right = format!("write 1 to {COLLECTION_CHARS_MAX} letters a-z and digits");
            table.wrong("collection", &right);
        }
        table.finish();
        read
    }
}

fn read_budget(table: &mut Reader<'_>, default: Budget) -> Budget {
    Budget {
        attempts: table.within("attempts", default.attempts, 1..=32),
        tokens: table.within("tokens", default.tokens, 256..=1_000_000),
        time: Duration::from_secs(table.within("time_s", default.time.as_secs(), 1..=3600)),
        candidates: table.within("candidates", default.candidates, 1..=8),
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=COLLECTION_CHARS_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}
