//! One job from project to answer: the rooms of this crate put together.
//!
//! ```text
//! Builder::run ── on the caller's thread
//!   1  admit    what this node can't do, or has not got, is refused by name before anything runs
//!   2  compile  cargo, in a jail of its own; programs and formatted files are brought out
//!   3  execute  for `run`: the program, in another jail with its own clock
//!   4  answer   how the processes ended decides the verdict; what was printed says why
//! ```
//!
//! A program runs in a jail that never saw the compiler: it finds the project's files and nothing that
//! build scripts or macros have left. One for wasm32-wasip1 runs in WasmEdge, in that jail ([`wasm`]).

mod admit;
mod answer;
mod cargo;
mod compile;
mod crates;
mod execute;
mod job;
mod toolchain;
mod wasm;

use std::sync::Arc;
use std::time::Instant;

pub use answer::{Answer, Program};
pub use crates::Crates;
pub use job::{Features, Job, JobLimits, Profile, Step, Target, Task};
pub use toolchain::{Toolchain, ToolchainError};
pub use wasm::WasmRunner;

use crate::jail::{Cancel, Jail, StartError};
use crate::report::{ErrorCode, ExplainError, explain};

/// Compiles projects. One for the node; `run` may be called from as many threads as jobs shall run at
/// once.
#[derive(Clone, Debug)]
pub struct Builder {
    jail: Jail,
    toolchain: Toolchain,
    crates: Arc<Crates>,
    /// Or why there is none.
    wasm: Result<WasmRunner, String>,
}

impl Builder {
    /// Puts the parts together.
    pub fn new(jail: Jail, toolchain: Toolchain, crates: Crates) -> Self {
        let wasm = Err("its operator has named no program for that".to_owned());
        Self { jail, toolchain, crates: Arc::new(crates), wasm }
    }

    /// The same with what runs programs for WebAssembly, or why it does not work.
    #[must_use]
    pub fn with_wasm(self, wasm: Result<WasmRunner, String>) -> Self {
        Self { wasm, ..self }
    }

    /// The crates that projects may depend on.
    pub fn crates(&self) -> &Crates {
        &self.crates
    }

    /// The compiler's own explanation of an error; blocks for some milliseconds.
    ///
    /// # Errors
    /// It is no error's number, the compiler has no explanation of it, or can't be asked.
    pub fn explain(&self, code: &str) -> Result<String, ExplainError> {
        explain(&self.toolchain.rustc(), &ErrorCode::parse(code)?)
    }

    /// Does a job and blocks until it has ended; `tell` hears of each step as it begins.
    ///
    /// # Errors
    /// The sandbox itself failed: nothing is known of the project.
    pub fn run(
        &self,
        job: &Job,
        cancel: &Cancel,
        tell: &dyn Fn(Step),
    ) -> Result<Answer, StartError> {
        let begun = Instant::now();
        let refusals = admit::refusals(self, job);
        if !refusals.is_empty() {
            return Ok(Answer::refused(job.detail, refusals));
        }
        tell(Step::Compiling);
        let compiled = compile::compile(self, job, cancel)?;
        let program = match job.task {
            Task::Run if compiled.is_good() => execute::choose(&compiled, job),
            _ => Ok(None),
        };
        let executed = match program {
            Err(reason) => return Ok(compiled.refused(job, reason)),
            Ok(None) => None,
            Ok(Some(program)) => {
                tell(Step::Running);
                Some(execute::execute(self, job, (&program, cancel))?)
            }
        };
        let mut answer = answer::answer(self, job, (compiled, executed));
        answer.take_time(begun.elapsed());
        Ok(answer)
    }
}
