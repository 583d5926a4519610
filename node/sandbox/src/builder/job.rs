//! What a caller asks for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::jail::policy;
use crate::project::Project;
use crate::report::Detail;

/// A project and what to do with it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its files.
    pub project: Project,
    /// What to do.
    pub task: Task,
    /// For debugging or for speed.
    pub profile: Profile,
    /// What the program will run on.
    pub target: Target,
    /// Which parts of it are on.
    pub features: Features,
    /// Of several programs or packages, the one to run.
    pub bin: Option<String>,
    /// Arguments of the program, or of the tests.
    pub args: Vec<String>,
    /// What the program reads from its standard input.
    pub stdin: Vec<u8>,
    /// How much is told.
    pub detail: Detail,
    /// Whether the compiler's own explanations of its errors are told.
    pub explain: bool,
    /// Whether programs are given out.
    pub programs: bool,
    /// Whether `doc` makes rustdoc's JSON, which is given out, in place of pages.
    pub rustdoc_json: bool,
    /// How much it may take.
    pub limits: JobLimits,
}

impl Job {
    /// A job with everything at its default.
    pub fn new(project: Project, task: Task) -> Self {
        Self {
            project,
            task,
            profile: Profile::Debug,
            target: Target::Native,
            features: Features::default(),
            bin: None,
            args: vec![],
            stdin: vec![],
            detail: Detail::default(),
            explain: false,
            programs: false,
            rustdoc_json: false,
            limits: JobLimits::default(),
        }
    }
}

/// What to do with a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Look for errors.
    Check,
    /// Make programs.
    Build,
    /// Run its tests.
    Test,
    /// Make a program and run it.
    Run,
    /// Look for errors and bad habits.
    Clippy,
    /// Lay the sources out.
    Fmt,
    /// Make its documentation, to see whether that is in order.
    Doc,
}

impl Task {
    /// All of them, as requests write them.
    pub const WORDS: [&str; 7] = ["check", "build", "test", "run", "clippy", "fmt", "doc"];

    /// The task of a word.
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "check" => Self::Check,
            "build" => Self::Build,
            "test" => Self::Test,
            "run" => Self::Run,
            "clippy" => Self::Clippy,
            "fmt" => Self::Fmt,
            "doc" => Self::Doc,
            _ => return None,
        })
    }
}

/// How cargo optimizes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Quick to compile; common crates are compiled already.
    #[default]
    Debug,
    /// Quick to run.
    Release,
}

/// What a program will run on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// This machine.
    #[default]
    Native,
    /// WebAssembly with WASI.
    Wasm,
}

impl Target {
    /// cargo's name of it; the machine's own needs none.
    pub fn triple(self) -> Option<&'static str> {
        match self {
            Self::Native => None,
            Self::Wasm => Some("wasm32-wasip1"),
        }
    }
}

/// Which features of the project are on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// By name.
    pub names: Vec<String>,
    /// Those that are on unless told otherwise.
    pub default: bool,
    /// All there are.
    pub all: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { names: vec![], default: true, all: false }
    }
}

/// How much a job may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobLimits {
    /// In cargo, tests included.
    pub compile_time: Duration,
    /// In the program of a `run`.
    pub run_time: Duration,
    /// Without a word and without work on a core, in either.
    pub silence: Duration,
    /// Memory, files included.
    pub memory_bytes: u64,
    /// Bytes kept of each output.
    pub output_bytes: usize,
    /// Bytes of a program or a document that is given out; a larger one stays where it is.
    pub program_bytes: u64,
    /// WebAssembly instructions of a program for wasm32-wasip1.
    pub instructions: u64,
}

impl Default for JobLimits {
    /// The jail's policy; a program that runs for more than ten seconds is an exception that says so.
    fn default() -> Self {
        Self {
            compile_time: policy::LIMITS.time,
            run_time: Duration::from_secs(10),
            silence: policy::LIMITS.silence,
            memory_bytes: policy::LIMITS.memory_bytes,
            output_bytes: policy::LIMITS.output_bytes,
            program_bytes: 64 << 20,
            // About a minute of WasmEdge's interpreter.
            instructions: 5_000_000_000,
        }
    }
}

/// What a job has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// In cargo.
    Compiling,
    /// In the program.
    Running,
}
