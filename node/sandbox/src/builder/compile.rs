//! cargo in its jail, and what is brought out of it.

use std::collections::BTreeMap;

use super::answer::{Answer, Program, notes};
use super::job::{Job, JobLimits, Profile, Target, Task};
use super::{Builder, cargo};
use crate::catalog::layout::{CRATES, JOB, PROJECT, TARGET};
use crate::catalog::{Index, JobLayout};
use crate::jail::{
    Bind, Cancel, Collect, Command, Ending, File, Limits, Outcome, StartError, policy,
};
use crate::report::{Facts, MessageReader, Messages, Places};

/// Where the toolchain is bound.
const RUST: &str = "/rust";
/// The script that makes links and starts cargo, in the job's folder.
const SCRIPT: &str = "start.sh";
/// What stands between cargo and rustdoc, in the job's folder.
const RUSTDOC: &str = "rustdoc.sh";
/// Where the script puts programs for the node to find, under numbers, and their names.
const OUT: &str = "out";
/// Programs that are brought out at most: each may be as large as the limit says.
pub const PROGRAMS_MAX: usize = 4;
/// Names of programs together.
const NAMES_BYTES_MAX: u64 = 16 << 10;
/// cargo's messages name every file of every crate: more than a person reads.
const MESSAGES_BYTES: usize = 8 << 20;
/// Formatting makes a file longer, seldom by much.
const FORMATTED_BYTES_MAX: u64 = 4 << 20;

/// What cargo has left.
pub struct Compiled {
    pub ending: Ending,
    pub facts: Facts,
    pub notes: Vec<String>,
    pub programs: Vec<Program>,
    /// Sources that `fmt` has changed.
    pub formatted: BTreeMap<String, String>,
    pub cpu_ms: u64,
    pub memory_peak_bytes: Option<u64>,
}

impl Compiled {
    pub fn is_good(&self) -> bool {
        self.ending == Ending::Exited(0)
    }

    /// The answer where the program can't be run.
    pub fn refused(self, job: &Job, reason: String) -> Answer {
        Answer::refused(job.detail, vec![reason])
    }
}

/// Compiles a project.
pub fn compile(builder: &Builder, job: &Job, cancel: &Cancel) -> Result<Compiled, StartError> {
    let (command, notes) = command(builder, job);
    let outcome = builder.jail.run(&command, cancel)?;
    Ok(compiled(outcome, job, notes))
}

fn command(builder: &Builder, job: &Job) -> (Command, Vec<String>) {
    let index = builder.crates.index();
    let nothing = Index::default();
    let prebuilt = match (job.profile, job.target) {
        (Profile::Debug, Target::Native) => builder.crates.prebuilt(),
        _ => None,
    };
    let layout = JobLayout::of(&job.project, index.unwrap_or(&nothing), prebuilt);
    let (files, notes) = project_files(job, index.unwrap_or(&nothing));
    let mut command = Command::new(["/bin/sh".to_owned(), format!("{JOB}/{SCRIPT}")]);
    command.argv.extend(cargo::arguments(job));
    command.env = environment();
    command.files = files;
    command.files.push(file(SCRIPT, script(&layout, job).into_bytes()));
    if job.rustdoc_json {
        command.files.push(rustdoc());
        command.env.push(("RUSTDOC".to_owned(), format!("{JOB}/{RUSTDOC}")));
    }
    command.binds.push(Bind::read_only(builder.toolchain.root(), RUST));
    command.binds.extend(builder.crates.folder().map(|folder| Bind::read_only(folder, CRATES)));
    command.limits = Limits { output_bytes: MESSAGES_BYTES, ..limits(job.limits) };
    command.limits.time = job.limits.compile_time;
    command.collect = collect(job);
    (command, notes)
}

/// The job's wishes over the policy's limits.
pub fn limits(wishes: JobLimits) -> Limits {
    Limits {
        silence: wishes.silence,
        memory_bytes: wishes.memory_bytes,
        output_bytes: wishes.output_bytes,
        ..policy::LIMITS
    }
}

fn environment() -> Vec<(String, String)> {
    let own = JobLayout::environment().into_iter().map(|(name, value)| (name.to_owned(), value));
    let path = ("PATH".to_owned(), format!("{RUST}/bin:/usr/bin:/bin"));
    own.chain([path]).collect()
}

pub fn file(path: &str, content: Vec<u8>) -> File {
    File { path: path.into(), content, executable: false }
}

/// The project below its folder; without a lock file that names what is not here.
fn project_files(job: &Job, index: &Index) -> (Vec<File>, Vec<String>) {
    let lock = job.project.file("Cargo.lock").and_then(|lock| std::str::from_utf8(lock).ok());
    let follows = lock.is_some_and(|lock| index.satisfies_lock(lock));
    let kept = |path: &str| path != "Cargo.lock" || follows;
    let files = job.project.files().filter(|(path, _)| kept(path.as_str()));
    let files = files
        .map(|(path, bytes)| file(&format!("{PROJECT}/{}", path.as_str()), bytes.to_vec()))
        .collect();
    let mut notes = vec![];
    if job.project.contains("Cargo.lock") && !follows {
        notes.push(
            "Cargo.lock was left out: it names versions that are not available here".to_owned(),
        );
    }
    (files, notes)
}

/// Makes the links, runs cargo, and puts what is to be brought out where the node can find it: what a
/// project calls its programs is not known before.
fn script(layout: &JobLayout, job: &Job) -> String {
    let (links, files, wanted) = (layout.script(), cargo::results(job), wanted(job));
    format!(
        "{links}cd {JOB}/{PROJECT}\nset +e\n\"$@\"\nstatus=$?\nmkdir {JOB}/{OUT}\nnumber=0\n\
         for file in {JOB}/{TARGET}/{files}; do\n\
         case $file in *.so | *.d) continue ;; esac\n\
         if {wanted} && [ $number -lt {PROGRAMS_MAX} ]; then\n\
         number=$((number + 1))\nln \"$file\" {JOB}/{OUT}/$number\n\
         printf '%s\\n' \"${{file#{JOB}/{TARGET}/}}\" >>{JOB}/{OUT}/names\nfi\ndone\nexit $status\n"
    )
}

fn wanted(job: &Job) -> &'static str {
    match job.task {
        Task::Doc => "[ -f \"$file\" ]",
        _ => "[ -f \"$file\" ] && [ -x \"$file\" ]",
    }
}

/// The compiler's unstable features are on for rustdoc alone: crates would look for them, and be
/// compiled anew.
fn rustdoc() -> File {
    let content = format!(
        "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec {RUST}/bin/rustdoc -Zunstable-options --output-format json \"$@\"\n"
    );
    File { path: RUSTDOC.into(), content: content.into_bytes(), executable: true }
}

fn collect(job: &Job) -> Vec<Collect> {
    match job.task {
        Task::Fmt => sources(job)
            .map(|path| Collect {
                path: format!("{PROJECT}/{path}").into(),
                bytes_max: FORMATTED_BYTES_MAX,
            })
            .collect(),
        Task::Run => programs(job),
        Task::Build if job.programs => programs(job),
        Task::Doc if job.rustdoc_json => programs(job),
        _ => vec![],
    }
}

fn sources(job: &Job) -> impl Iterator<Item = &str> {
    let paths = job.project.files().map(|(path, _)| path.as_str());
    paths.filter(|path| path.ends_with(".rs"))
}

fn programs(job: &Job) -> Vec<Collect> {
    let names = Collect { path: format!("{OUT}/names").into(), bytes_max: NAMES_BYTES_MAX };
    let programs = (1..=PROGRAMS_MAX).map(|number| Collect {
        path: format!("{OUT}/{number}").into(),
        bytes_max: job.limits.program_bytes,
    });
    [names].into_iter().chain(programs).collect()
}

fn compiled(outcome: Outcome, job: &Job, notes_before: Vec<String>) -> Compiled {
    let mut notes = notes_before;
    notes.extend(self::notes(&outcome, "cargo"));
    let (programs, formatted) = match job.task {
        Task::Fmt => (vec![], formatted(&outcome, job)),
        _ => (brought(&outcome, &mut notes), BTreeMap::new()),
    };
    let mut facts = Facts {
        messages: messages(&outcome, job.task),
        stderr: String::from_utf8_lossy(&outcome.stderr.bytes).into_owned(),
        ..Facts::default()
    };
    facts.messages.cut.output_bytes += count(outcome.stdout.cut_bytes + outcome.stderr.cut_bytes);
    facts.timings.cargo_ms = outcome.wall_ms;
    Compiled {
        ending: outcome.ending,
        facts,
        notes,
        programs,
        formatted,
        cpu_ms: outcome.cpu_ms,
        memory_peak_bytes: outcome.memory_peak_bytes,
    }
}

pub fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn messages(outcome: &Outcome, task: Task) -> Messages {
    match task {
        Task::Fmt => Messages::default(),
        _ => MessageReader::read(Places::default(), &outcome.stdout.bytes),
    }
}

/// Programs under their names. Those are foreign: a job can write what it wants there.
fn brought(outcome: &Outcome, notes: &mut Vec<String>) -> Vec<Program> {
    let mut collected = outcome.collected.iter();
    let names = collected.next().and_then(|names| names.content.as_ref().ok());
    let names = names.map(|names| String::from_utf8_lossy(names).into_owned()).unwrap_or_default();
    let mut programs = vec![];
    for (name, found) in names.lines().zip(collected) {
        let name: String = name.chars().filter(|letter| !letter.is_control()).take(200).collect();
        match &found.content {
            Ok(bytes) => programs.push(Program { name, bytes: bytes.clone() }),
            Err(error) => notes.push(format!("{name} was not brought out: {error}")),
        }
    }
    programs
}

fn formatted(outcome: &Outcome, job: &Job) -> BTreeMap<String, String> {
    let both = sources(job).zip(&outcome.collected);
    let changed = both.filter_map(|(path, found)| {
        let bytes = found.content.as_ref().ok()?;
        let changed = job.project.file(path) != Some(bytes.as_slice());
        changed.then(|| Some((path.to_owned(), String::from_utf8(bytes.clone()).ok()?)))?
    });
    changed.collect()
}
