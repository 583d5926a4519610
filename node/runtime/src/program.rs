//! A program from a stranger, interpreted once in the foreground, within limits.
//!
//! It imports WASI alone. Time, memory and output are its process's to limit: who started it ends it.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::app::{App, LoadOptions};
use crate::command::{inherited, on_own_stack};
use crate::error::AppError;
use crate::ffi::{Exit, HostModule, Instance, InstancePlan};

/// Linear memory: all that 32 bits can address, for its process's limit is the one that counts.
const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// A program to run.
#[derive(Clone, Debug)]
pub struct Program {
    /// The wasm file.
    pub path: PathBuf,
    /// Its arguments, without the program's name.
    pub arguments: Vec<String>,
    /// What it sees as its file system, and can't change; `None`: nothing.
    pub folder: Option<PathBuf>,
    /// WebAssembly instructions that it may run.
    pub instructions_max: u64,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgramEnd {
    /// By itself, with this code.
    Exited(u32),
    /// By a trap, in WasmEdge's words.
    Trapped(String),
    /// It has run all the instructions that it may.
    InstructionLimit,
    /// It never began: why.
    Refused(String),
}

/// Runs a program with this process's standard streams to its end. It sees its arguments, and no
/// environment, no network, and no file but those of its folder.
#[must_use]
pub fn run_program(program: &Program) -> ProgramEnd {
    match start(program) {
        Ok(Exit::Code(code)) => ProgramEnd::Exited(code),
        Ok(Exit::Trap(message) | Exit::Panic(message)) => ProgramEnd::Trapped(message),
        Ok(Exit::InstructionLimit) => ProgramEnd::InstructionLimit,
        Ok(Exit::Stopped | Exit::EndedByHost) => ProgramEnd::Trapped("it was stopped".into()),
        Err(reason) => ProgramEnd::Refused(reason),
    }
}

fn start(program: &Program) -> Result<Exit, String> {
    let app = App::load(&LoadOptions {
        path: &program.path,
        // Compiling what counts its instructions takes seconds, more than most programs run.
        cache_dir: None,
        metered: true,
        memory_bytes_max: MEMORY_BYTES_MAX,
    });
    let app = app.map_err(reason)?;
    let stdio = inherited()?;
    let mut arguments = vec![app.name()];
    arguments.extend(program.arguments.iter().cloned());
    let (folder, instructions) = (program.folder.clone(), program.instructions_max);
    on_own_stack(move || {
        let hosts: &[HostModule<()>] = &[];
        let plan = InstancePlan {
            module: &app.module,
            hosts,
            state: (),
            stdio,
            arguments: &arguments,
            folder: folder.as_deref(),
            instructions_max: Some(instructions),
            stop: Arc::default(),
        };
        Ok(Instance::new(plan).map_err(|failure| failure.to_string())?.run())
    })
}

/// In words for the program's author, who knows nothing of apps.
fn reason(error: AppError) -> String {
    match error {
        AppError::ForeignImport { import, .. } => format!(
            "it imports {import}; here are the functions of WASI preview1 alone, without sockets"
        ),
        AppError::NoStart { .. } => "it exports no _start: it has no main function".into(),
        AppError::Invalid { message, .. } => format!("it is no WebAssembly module: {message}"),
        other => other.to_string(),
    }
}
