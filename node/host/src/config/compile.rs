//! `[compile]`: whether strangers' Rust projects are compiled here, and how much each may take.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gaia_sandbox::builder::JobLimits;
use gaia_sandbox::jail::{Layer, Settings, policy};

use super::paths::Places;
use super::reader::Reader;

/// `[compile]`: the compile sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Layers of defence that it may do without.
    pub accept: Vec<Layer>,
    /// The Rust toolchain; without it, that of the first `rustc`.
    pub toolchain: Option<PathBuf>,
    /// The program `gaia-jail`; without it, the one beside this program.
    pub helper: Option<PathBuf>,
    /// Bubblewrap.
    pub bwrap: PathBuf,
    /// The first of the four million users that jobs run as.
    pub uid_first: u32,
    /// The fetched crates.
    pub crates: PathBuf,
    /// Who may compile when.
    pub queue: QueueConfig,
    /// The most that a job may ask for; with less, or nothing, it gets less.
    pub limits: JobLimits,
    /// Time of the program of a `run` that asks for none.
    pub run_time: Duration,
    /// Time from the request to the answer where somebody waits for it.
    pub answer_time: Duration,
    /// Jobs that are asked for later.
    pub jobs: JobsConfig,
}

/// Who may compile when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Jobs at once.
    pub at_once: usize,
    /// Jobs that wait; one more is answered 429.
    pub waiting_max: usize,
    /// Of these, jobs of one key.
    pub waiting_per_key_max: usize,
}

/// Jobs whose answers are kept until they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobsConfig {
    /// Jobs at most; one more is answered 429, unless one that has ended can be forgotten.
    pub kept_max: usize,
    /// Bytes of all kept answers; the oldest is forgotten.
    pub bytes_max: usize,
    /// An answer is kept so long.
    pub keep: Duration,
}

impl CompileConfig {
    /// The defaults, with crates in the node's home.
    #[must_use]
    pub fn in_home(home: &Path) -> Self {
        let settings = Settings::new("");
        let limits = JobLimits { program_bytes: 32 << 20, ..JobLimits::default() };
        Self {
            enabled: true,
            accept: vec![],
            toolchain: None,
            helper: None,
            bwrap: settings.bwrap,
            uid_first: settings.uid_first,
            crates: home.join("crates"),
            queue: QueueConfig { at_once: 2, waiting_max: 32, waiting_per_key_max: 16 },
            limits: JobLimits { run_time: Duration::from_secs(60), ..limits },
            run_time: limits.run_time,
            answer_time: Duration::from_secs(180),
            jobs: JobsConfig {
                kept_max: 200,
                bytes_max: 256 << 20,
                keep: Duration::from_secs(3600),
            },
        }
    }

    pub(super) fn read(mut table: Reader<'_>, places: &Places) -> Self {
        let default = Self::in_home(&places.node_home);
        let path = |path: Option<PathBuf>| path.map(|path| places.resolve(&path));
        let read = Self {
            enabled: table.value("enabled", default.enabled),
            accept: table.value("accept", default.accept),
            toolchain: path(table.optional("toolchain")),
            helper: path(table.optional("helper")),
            bwrap: places.resolve(&table.value("bwrap", default.bwrap)),
            uid_first: table.within("uid_first", default.uid_first, 100_000..=4_200_000_000),
            crates: default.crates,
            queue: default.queue.read(&mut table),
            limits: read_limits(&mut table, default.limits),
            run_time: time(&mut table, "run_time_ms", default.run_time),
            answer_time: time(&mut table, "answer_time_ms_max", default.answer_time),
            jobs: default.jobs.read(&mut table),
        };
        if read.run_time > read.limits.run_time {
            table.wrong("run_time_ms", "must not be above run_time_ms_max");
        }
        table.finish();
        read
    }

    /// What the jail is made of; `helper` is used where the config names none.
    #[must_use]
    pub fn settings(&self, helper: PathBuf) -> Settings {
        Settings {
            helper: self.helper.clone().unwrap_or(helper),
            bwrap: self.bwrap.clone(),
            uid_first: self.uid_first,
            accepted: self.accept.clone(),
        }
    }
}

impl QueueConfig {
    fn read(self, table: &mut Reader<'_>) -> Self {
        let per_key = self.waiting_per_key_max;
        Self {
            at_once: table.within("at_once", self.at_once, 1..=256),
            waiting_max: table.within("waiting_max", self.waiting_max, 0..=10_000),
            waiting_per_key_max: table.within("waiting_per_key_max", per_key, 0..=10_000),
        }
    }
}

impl JobsConfig {
    fn read(self, table: &mut Reader<'_>) -> Self {
        let keep_s = table.within("jobs_keep_s", self.keep.as_secs(), 1..=604_800);
        Self {
            kept_max: table.within("jobs_max", self.kept_max, 0..=100_000),
            bytes_max: table.within("jobs_bytes_max", self.bytes_max, 1024..=1 << 40),
            keep: Duration::from_secs(keep_s),
        }
    }
}

fn read_limits(table: &mut Reader<'_>, default: JobLimits) -> JobLimits {
    let memory = 64 << 20..=1 << 40;
    JobLimits {
        compile_time: time(table, "compile_time_ms_max", default.compile_time),
        run_time: time(table, "run_time_ms_max", default.run_time),
        silence: time(table, "silence_ms_max", default.silence),
        memory_bytes: table.within("memory_bytes_max", default.memory_bytes, memory),
        output_bytes: table.within(
            "output_bytes_max",
            policy::LIMITS.output_bytes,
            1024..=16 << 20,
        ),
        program_bytes: table.within("program_bytes_max", default.program_bytes, 1024..=256 << 20),
        instructions: table.within("instructions_max", default.instructions, 1000..=1 << 53),
    }
}

fn time(table: &mut Reader<'_>, key: &str, default: Duration) -> Duration {
    let default_ms = u64::try_from(default.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(table.time(key, default_ms))
}
