//! The attack program, the jail, and the look for what was left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use gaia_sandbox::jail::{Bind, Cancel, Command, Ending, Jail, Layer, Limits, Outcome, Settings};

/// Users of these tests' jobs; of no other job on this machine.
pub const UID_FIRST: u32 = 1_800_000_000;
const UIDS: std::ops::Range<u32> = UID_FIRST..1_804_194_304;

/// The right to run jobs, and what stood before.
pub struct Bench {
    _turn: MutexGuard<'static, ()>,
    pub jail: Jail,
    mounts: String,
    files: Vec<PathBuf>,
}

impl Bench {
    pub fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let jail = Jail::new(settings()).expect("the programs are there");
        Self { _turn: turn, jail, mounts: mounts(), files: files() }
    }

    /// Runs a command, looks for what it left, and runs another.
    pub fn run(&self, command: &Command) -> Outcome {
        let outcome = self.jail.run(command, &Cancel::never()).expect("the sandbox works");
        self.assert_clean();
        let next = self.jail.run(&attack(&["echo"]), &Cancel::never()).expect("and again");
        assert_eq!(next.ending, Ending::Exited(0), "the next job is not affected");
        outcome
    }

    /// Runs an attack with the trial's limits.
    pub fn attack(&self, arguments: &[&str]) -> Outcome {
        self.run(&attack(arguments))
    }

    pub fn assert_clean(&self) {
        assert_eq!(processes(), Vec::<String>::new(), "processes of jobs");
        assert_eq!(cgroups(), Vec::<PathBuf>::new(), "cgroups of jobs");
        assert_eq!(mounts(), self.mounts, "mounts");
        assert_eq!(files(), self.files, "files");
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// As root nothing is done without. Nobody else can be sure of cgroups.
pub fn settings() -> Settings {
    let accepted =
        if is_root() { vec![] } else { vec![Layer::Memory, Layer::Processes, Layer::CpuWeight] };
    Settings { uid_first: UID_FIRST, accepted, ..Settings::new(helper()) }
}

/// Beside the tests where they were copied for another user, else where cargo built it.
fn helper() -> PathBuf {
    let beside = beside("gaia-jail");
    if beside.exists() { beside } else { env!("CARGO_BIN_EXE_gaia-jail").into() }
}

fn beside(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a path");
    tests.with_file_name(name)
}

/// An attack with limits that are soon reached.
pub fn attack(arguments: &[&str]) -> Command {
    let mut command = Command::new(["/attack"].iter().chain(arguments).copied());
    command.binds.push(Bind::read_only(attack_program(), "/attack"));
    command.limits = LIMITS;
    command
}

pub const LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    silence: Duration::from_secs(60),
    memory_bytes: 64 << 20,
    disk_bytes: 32 << 20,
    disk_files: 20_000,
    file_bytes: 32 << 20,
    processes: 64,
    open_files: 256,
    output_bytes: 64 << 10,
    output_bytes_max: 16 << 20,
};

/// Compiled once; a copy for another user lies beside the tests.
pub fn attack_program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM
        .get_or_init(|| {
            let beside = beside("attack");
            if beside.exists() { beside } else { compile() }
        })
        .clone()
}

fn compile() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/programs/attack.rs");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("attack");
    let compiled = Program::new("rustc")
        .args(["--edition=2024", "-Copt-level=1", "-o"])
        .args([&program, &source])
        .status()
        .expect("rustc is there");
    assert!(compiled.success(), "the attack program compiles");
    program
}

/// Lines of the output.
pub fn lines(outcome: &Outcome) -> Vec<String> {
    let text = String::from_utf8_lossy(&outcome.stdout.bytes);
    text.lines().map(str::to_owned).collect()
}

/// Every attempt was refused, and there were as many as there should be.
pub fn assert_refused(outcome: &Outcome, count: usize) {
    let lines = lines(outcome);
    let through: Vec<_> = lines.iter().filter(|line| !line.contains(" refused ")).collect();
    assert!(through.is_empty(), "went through: {through:#?}");
    assert_eq!(lines.len(), count, "{:?} {lines:#?}", outcome.ending);
    assert_eq!(outcome.ending, Ending::Exited(0));
}

/// Processes of a job's user, or in the jail as ours.
pub fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("mounted").flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter_map(|path| is_of_job(&path)).collect()
}

fn is_of_job(process: &Path) -> Option<String> {
    let status = fs::read_to_string(process.join("status")).ok()?;
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let uid: u32 = uid.split_whitespace().next()?.parse().ok()?;
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    let jailed = command.starts_with("/attack");
    let ours = uid == rustix::process::getuid().as_raw() && !is_root();
    (UIDS.contains(&uid) || (ours && jailed)).then(|| format!("{uid} {command}"))
}

pub fn cgroups() -> Vec<PathBuf> {
    let prefix = format!("gaia-jail-{}-", std::process::id());
    let mut found = vec![];
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(entry.path());
            }
            folders.push(entry.path());
        }
    }
    found
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("mounted")
}

/// What carries our name in the folders that everyone can write to.
fn files() -> Vec<PathBuf> {
    let entries = ["/tmp", "/dev/shm", "/var/tmp"].into_iter().flat_map(fs::read_dir).flatten();
    let names = entries.flatten().map(|entry| entry.path());
    let mut found: Vec<_> = names.filter(|path| is_of_jail(path)).collect();
    found.sort();
    found
}

fn is_of_jail(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["job", "work", "bind", "helper", "etc", "trial"].contains(&name.as_ref())
}
