//! Programs for wasm32-wasip1: WasmEdge runs them, inside the jail.
//!
//! The launcher is the node's own worker, which knows WasmEdge; this crate does not. It is bound into
//! the jail with its loader and its libraries, away from where they lie outside, and writes down in a
//! file beside the project how the program ended. A program is interpreted: compiling one that counts its
//! instructions takes longer than most run. One that escapes from WasmEdge is in the jail.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use super::compile::file;
use super::execute::Executed;
use super::job::Job;
use crate::catalog::layout::{JOB, PROJECT};
use crate::jail::{self, Bind, Cancel, Collect, Command, Jail, Outcome, policy};
use crate::report::Ending;

/// Where the launcher and its libraries stand in the jail.
const PLACE: &str = "/wasm";
const LAUNCHER: &str = "/wasm/bin/launcher";
/// Where the program and its end lie in the job's folder.
const PROGRAM: &str = "program.wasm";
const END: &str = "end.json";
/// An end is a word, a number or one of WasmEdge's messages.
const END_BYTES_MAX: u64 = 4 << 10;
/// Of a message of WasmEdge's, in characters.
const MESSAGE_CHARS_MAX: usize = 500;
/// Each is a bind.
const FOLDERS_MAX: usize = 16;
/// `(module (func (export "_start")))`
const NOTHING: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\
    \x07\x0a\x01\x06_start\0\0\x0a\x04\x01\x02\0\x0b";

/// Runs programs for WebAssembly.
#[derive(Clone, Debug)]
pub struct WasmRunner {
    launcher: PathBuf,
    /// In the jail.
    loader: PathBuf,
    /// Folders of libraries outside; in the jail they have numbers.
    folders: Vec<PathBuf>,
}

/// What the launcher says of itself.
#[derive(Deserialize)]
struct Libraries {
    loader: PathBuf,
    folders: Vec<PathBuf>,
}

/// How a program ended, in the launcher's words.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Exited(u32),
    Trapped(String),
    InstructionLimit,
    Refused(String),
}

impl WasmRunner {
    /// Asks the launcher what it needs, and tries it in the jail.
    ///
    /// # Errors
    /// It does not work there: why, for the operator.
    pub fn find(launcher: &Path, jail: &Jail) -> Result<Self, String> {
        let asked = std::process::Command::new(launcher)
            .arg("libraries")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{} can't be started: {error}", launcher.display()))?;
        let libraries: Libraries = serde_json::from_slice(&asked.stdout)
            .map_err(|_| format!("{} does not tell its libraries", launcher.display()))?;
        let runner = Self::of(launcher, libraries)?;
        runner.attempt(jail)?;
        Ok(runner)
    }

    fn of(launcher: &Path, libraries: Libraries) -> Result<Self, String> {
        let own =
            |folder: &PathBuf| !policy::SYSTEM.iter().any(|system| folder.starts_with(system));
        let folders: Vec<_> = libraries.folders.into_iter().filter(own).collect();
        if folders.len() > FOLDERS_MAX {
            return Err(format!("its libraries lie in more than {FOLDERS_MAX} folders"));
        }
        let at = folders.iter().position(|folder| libraries.loader.parent() == Some(folder));
        let loader = match (at, libraries.loader.file_name()) {
            (Some(number), Some(name)) => inside(number).join(name),
            _ => libraries.loader,
        };
        Ok(Self { launcher: launcher.to_owned(), loader, folders })
    }

    /// A module that does nothing, so that what is missing is told when the node starts.
    fn attempt(&self, jail: &Jail) -> Result<(), String> {
        let mut command = self.command(NOTHING.to_vec());
        let words = ["--instructions", "1000", "--"];
        command.argv.extend(words.map(str::to_owned));
        let outcome = jail.run(&command, &Cancel::never()).map_err(|error| error.to_string())?;
        match end(&outcome) {
            Some(End::Exited(0)) => Ok(()),
            other => Err(format!(
                "in the jail it ended with {:?} and {other:?}: {}",
                outcome.ending,
                String::from_utf8_lossy(&outcome.stderr.bytes)
            )),
        }
    }

    /// The launcher with its first arguments and a program.
    fn command(&self, program: Vec<u8>) -> Command {
        let folders: Vec<_> = (0..self.folders.len()).map(inside).collect();
        let path: Vec<_> = folders.iter().map(|folder| folder.to_string_lossy()).collect();
        let (program_path, end) = (format!("{JOB}/{PROGRAM}"), format!("{JOB}/{END}"));
        let mut command = Command::new([self.loader.to_string_lossy()]);
        command.argv.extend(["--library-path".to_owned(), path.join(":")]);
        command
            .argv
            .extend([LAUNCHER, "run-wasm", &program_path, "--end", &end].map(str::to_owned));
        // Its own log would stand in the program's output.
        command.env = vec![("GAIA_LOG".to_owned(), "off".to_owned())];
        command.files = vec![file(PROGRAM, program)];
        command.binds.push(Bind::read_only(&self.launcher, LAUNCHER));
        let both = self.folders.iter().zip(folders);
        command.binds.extend(both.map(|(folder, inside)| Bind::read_only(folder, inside)));
        command.collect = vec![Collect { path: END.into(), bytes_max: END_BYTES_MAX }];
        command
    }

    /// A program of a job.
    pub(super) fn job(&self, job: &Job, program: Vec<u8>) -> Command {
        let mut command = self.command(program);
        let mut add = |words: &[&str]| {
            command.argv.extend(words.iter().map(|word| (*word).to_owned()));
        };
        add(&["--folder", &format!("{JOB}/{PROJECT}")]);
        add(&["--instructions", &job.limits.instructions.to_string()]);
        add(&["--"]);
        command.argv.extend(job.args.iter().cloned());
        command
    }
}

fn inside(number: usize) -> PathBuf {
    Path::new(PLACE).join("libraries").join(number.to_string())
}

/// What the launcher wrote down, if it came to that. A program can't reach the file.
fn end(outcome: &Outcome) -> Option<End> {
    let content = outcome.collected.first()?.content.as_ref().ok()?;
    serde_json::from_slice(content).ok()
}

/// How the program itself ended.
pub(super) fn executed(outcome: Outcome, job: &Job) -> Executed {
    let mut executed = Executed::of(outcome);
    if executed.outcome.ending != jail::Ending::Exited(0) {
        return executed;
    }
    let (ending, note) = at_its_end(end(&executed.outcome), job);
    if ending == Ending::Refused {
        executed.reasons.extend(note);
    } else {
        executed.notes.extend(note);
    }
    executed.ending = ending;
    executed
}

fn at_its_end(end: Option<End>, job: &Job) -> (Ending, Option<String>) {
    match end {
        Some(End::Exited(code)) => (Ending::Exited(code.cast_signed()), None),
        Some(End::Trapped(message)) => {
            (Ending::Signalled(0), Some(format!("the program trapped: {}", short(&message))))
        }
        Some(End::InstructionLimit) => {
            let most = job.limits.instructions;
            let note = format!("the program has run the {most} instructions that it may");
            (Ending::Timeout, Some(note))
        }
        Some(End::Refused(reason)) => {
            (Ending::Refused, Some(format!("the program can't be run here: {}", short(&reason))))
        }
        None => (Ending::Signalled(0), Some("the program's end was not written down".to_owned())),
    }
}

fn short(message: &str) -> String {
    message.chars().filter(|letter| !letter.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Task;
    use crate::jail::{Collected, Ending as JailEnding};
    use crate::project::{Limits, Project};
    use crate::report::{Stage, Verdict, judge};

    fn job() -> Job {
        let flat = "[filename: Cargo.toml]\n[package]\nname = \"x\"\n";
        Job::new(Project::from_flat(flat, &Limits::default()).expect("accepted"), Task::Run)
    }

    fn verdict(ending: JailEnding, end: &str) -> (Verdict, String) {
        let outcome = Outcome {
            ending,
            notes: jail::Notes::default(),
            stdout: jail::Output::default(),
            stderr: jail::Output::default(),
            wall_ms: 0,
            cpu_ms: 0,
            memory_peak_bytes: None,
            collected: vec![Collected { path: END.into(), content: Ok(end.into()) }],
        };
        let executed = executed(outcome, &job());
        let words = [executed.notes, executed.reasons].concat().join("; ");
        (judge(executed.ending, Stage::Execute, None), words)
    }

    #[test]
    fn each_end_has_its_verdict() {
        let of = |end| verdict(JailEnding::Exited(0), end);
        assert_eq!(of(r#"{"exited":0}"#), (Verdict::Ok, String::new()));
        assert_eq!(of(r#"{"exited":4294967295}"#), (Verdict::RuntimeFailure, String::new()));
        let (trapped, words) = of(r#"{"trapped":"unreachable\n"}"#);
        assert_eq!(trapped, Verdict::RuntimeFailure);
        assert_eq!(words, "the program trapped: unreachable");
        let (stopped, words) = of(r#""instruction_limit""#);
        assert_eq!(stopped, Verdict::Timeout);
        assert!(words.contains("instructions"), "{words}");
        assert_eq!(of(r#"{"refused":"no"}"#).0, Verdict::Refused);
    }

    #[test]
    fn an_end_that_is_not_there_is_no_success() {
        for end in ["", "{}", "nonsense", r#"{"exited":-1}"#] {
            assert_eq!(verdict(JailEnding::Exited(0), end).0, Verdict::RuntimeFailure, "{end}");
        }
    }

    #[test]
    fn what_the_jail_did_wins() {
        let good = r#"{"exited":0}"#;
        assert_eq!(verdict(JailEnding::TimedOut, good).0, Verdict::Timeout);
        assert_eq!(verdict(JailEnding::Signalled(9), good).0, Verdict::RuntimeFailure);
        assert_eq!(verdict(JailEnding::OutOfMemory, good).0, Verdict::OutOfMemory);
        assert_eq!(verdict(JailEnding::Exited(1), good).0, Verdict::RuntimeFailure);
    }

    #[test]
    fn folders_of_the_system_are_there_already() {
        let libraries = Libraries {
            loader: "/opt/x/lib/ld-linux.so".into(),
            folders: vec!["/usr/lib".into(), "/opt/x/lib".into()],
        };
        let runner = WasmRunner::of(Path::new("/opt/x/worker"), libraries).expect("few");
        assert_eq!(runner.folders, [PathBuf::from("/opt/x/lib")]);
        assert_eq!(runner.loader, PathBuf::from("/wasm/libraries/0/ld-linux.so"));
        let command = runner.job(&job(), vec![]);
        assert!(command.argv.ends_with(&["--".to_owned()]), "{:?}", command.argv);
        assert!(command.validate().is_ok());
    }
}
