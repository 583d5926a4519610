//! The program of a `run`, in a jail of its own.

use super::answer::{Program, ending, notes};
use super::compile::{Compiled, file, limits};
use super::job::{Job, Target};
use super::{Builder, cargo, wasm};
use crate::catalog::layout::{JOB, PROJECT};
use crate::jail::{Cancel, Command, File, Limits, Outcome, StartError};
use crate::report::Ending;

/// Where the program lies in the job's folder.
const PROGRAM: &str = "program";

/// The program to run; none where the project has none.
///
/// # Errors
/// There are several, or it was too large to be brought out: the reason, for the job's author.
pub fn choose(compiled: &Compiled, job: &Job) -> Result<Option<Program>, String> {
    if let Some(name) = cargo::program(job) {
        let named = compiled.programs.iter().find(|program| file_name(&program.name) == name);
        return named.cloned().map(Some).ok_or_else(|| {
            format!("there is no program {name:?} to run; {}", compiled.notes.join("; "))
        });
    }
    match compiled.programs.as_slice() {
        [program] => Ok(Some(program.clone())),
        [] => Err(match compiled.notes.is_empty() {
            true => "the project has no program to run: it is a library; check, build or test it"
                .to_owned(),
            false => compiled.notes.join("; "),
        }),
        several => {
            let names: Vec<_> = several.iter().map(|program| file_name(&program.name)).collect();
            Err(format!("there are several programs: name one in `bin`: {}", names.join(", ")))
        }
    }
}

/// Without its folder, and without the ending that WebAssembly has.
fn file_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".wasm").unwrap_or(name)
}

/// A program that has run.
pub struct Executed {
    /// What the jail saw.
    pub outcome: Outcome,
    /// How it ended.
    pub ending: Ending,
    /// What it ran into.
    pub notes: Vec<String>,
    /// Why it did not begin.
    pub reasons: Vec<String>,
}

impl Executed {
    /// As the jail saw it.
    pub fn of(outcome: Outcome) -> Self {
        let (ending, notes) = (ending(&outcome.ending), notes(&outcome, "the program"));
        Self { outcome, ending, notes, reasons: vec![] }
    }
}

/// Runs a program among the project's files.
pub fn execute(
    builder: &Builder,
    job: &Job,
    (program, cancel): (&Program, &Cancel),
) -> Result<Executed, StartError> {
    let program = program.bytes.clone();
    let mut command = match (job.target, &builder.wasm) {
        (Target::Wasm, Ok(runner)) => runner.job(job, program),
        _ => native(job, program),
    };
    let project = job.project.files();
    command.files.extend(
        project.map(|(path, bytes)| file(&format!("{PROJECT}/{}", path.as_str()), bytes.to_vec())),
    );
    command.directory = format!("{JOB}/{PROJECT}").into();
    command.stdin.clone_from(&job.stdin);
    command.limits = Limits { time: job.limits.run_time, ..limits(job.limits) };
    let outcome = builder.jail.run(&command, cancel)?;
    Ok(match job.target {
        Target::Native => Executed::of(outcome),
        Target::Wasm => wasm::executed(outcome, job),
    })
}

fn native(job: &Job, content: Vec<u8>) -> Command {
    let mut command = Command::new([format!("{JOB}/{PROGRAM}")]);
    command.argv.extend(job.args.iter().cloned());
    command.env = environment();
    command.files = vec![File { path: PROGRAM.into(), content, executable: true }];
    command
}

fn environment() -> Vec<(String, String)> {
    [("PATH", "/usr/bin:/bin"), ("HOME", JOB), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}
