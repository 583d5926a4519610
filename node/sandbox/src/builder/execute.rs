//! The program of a `run`, in a jail of its own.

use super::answer::Program;
use super::compile::{Compiled, file, limits};
use super::job::Job;
use super::{Builder, cargo};
use crate::catalog::layout::{JOB, PROJECT};
use crate::jail::{Cancel, Command, File, Limits, Outcome, StartError};

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

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Runs a program among the project's files.
pub fn execute(
    builder: &Builder,
    job: &Job,
    (program, cancel): (&Program, &Cancel),
) -> Result<Outcome, StartError> {
    let mut command = Command::new([format!("{JOB}/{PROGRAM}")]);
    command.argv.extend(job.args.iter().cloned());
    command.env = environment();
    command.directory = format!("{JOB}/{PROJECT}").into();
    command.files = job
        .project
        .files()
        .map(|(path, bytes)| file(&format!("{PROJECT}/{}", path.as_str()), bytes.to_vec()))
        .collect();
    let content = program.bytes.clone();
    command.files.push(File { path: PROGRAM.into(), content, executable: true });
    command.stdin.clone_from(&job.stdin);
    command.limits = Limits { time: job.limits.run_time, ..limits(job.limits) };
    builder.jail.run(&command, cancel)
}

fn environment() -> Vec<(String, String)> {
    [("PATH", "/usr/bin:/bin"), ("HOME", JOB), ("LANG", "C.UTF-8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}
