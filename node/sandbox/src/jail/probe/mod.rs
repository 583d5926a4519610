//! Tries every layer with short jobs that do what a hostile one would, and reports which held.
//!
//! Nothing is concluded from version numbers or settings: a layer is enforced if a trial ran into it.

mod judge;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::cancel::Cancel;
use super::command::{Command, Limits};
use super::error::StartError;
use super::layer::{Layer, LayerReport, Report};
use super::outcome::{Ending, Outcome};
use super::policy;
use super::run::{Jail, Ran};
use super::trials::{Findings, NAMESPACES, Trial};
use super::wire::Landlock;

/// Small enough that a trial runs into each at once.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(20),
    silence: Duration::from_secs(20),
    memory_bytes: 64 << 20,
    disk_bytes: 1 << 20,
    disk_files: 100,
    file_bytes: 16 << 20,
    processes: 16,
    open_files: 64,
    ..policy::LIMITS
};

/// Everything that the trials brought to light.
struct Evidence {
    look: Findings,
    host_namespaces: BTreeMap<String, String>,
    missing: Vec<(Layer, String)>,
    landlock_whole: bool,
    uid: Option<u32>,
    memory: Ending,
    processes: Outcome,
    daemon_left: bool,
}

/// Where no job can be run at all, every layer is missing, for that reason.
pub fn probe(jail: &Jail) -> Report {
    let jail = jail.lenient();
    let evidence = look(&jail, Landlock::Probed)
        .or_else(|error| without_landlock(&jail, error))
        .and_then(|looked| gather(&jail, looked));
    let state = |layer| match &evidence {
        Ok(evidence) => judge::judge(layer, evidence),
        Err(error) => judge::nothing_runs(error),
    };
    let report = |layer| LayerReport { layer, state: state(layer) };
    Report { layers: Layer::ALL.into_iter().map(report).collect() }
}

/// A kernel without Landlock fails the trial that requires it; the rest is still to be seen.
fn without_landlock(jail: &Jail, error: StartError) -> Result<Ran, StartError> {
    match error {
        StartError::Layer { layer: Layer::Landlock, .. } => look(jail, Landlock::Accepted),
        error => Err(error),
    }
}

fn look(jail: &Jail, landlock: Landlock) -> Result<Ran, StartError> {
    jail.run_with(&trial(Trial::Look, ""), &Cancel::never(), landlock)
}

fn gather(jail: &Jail, looked: Ran) -> Result<Evidence, StartError> {
    let run = |command: Command| {
        jail.run_with(&command, &Cancel::never(), Landlock::Accepted).map(|ran| ran.outcome)
    };
    let outcome = &looked.outcome;
    let look = serde_json::from_slice(&outcome.stdout.bytes).map_err(|_| {
        let stderr = String::from_utf8_lossy(&outcome.stderr.bytes);
        StartError::Setup(format!("the trial ended {:?}: {stderr}", outcome.ending))
    })?;
    Ok(Evidence {
        look,
        host_namespaces: host_namespaces(),
        missing: looked.missing,
        landlock_whole: looked.landlock_whole,
        uid: looked.uid,
        memory: run(trial(Trial::Memory, ""))?.ending,
        processes: run(trial(Trial::Processes, ""))?,
        daemon_left: leaves_daemon(&run)?,
    })
}

fn trial(trial: Trial, mark: &str) -> Command {
    let mut command = Command::new([policy::HELPER, "probe", trial.name(), mark]);
    command.limits = LIMITS;
    command
}

fn host_namespaces() -> BTreeMap<String, String> {
    let link = |name: &&str| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
        Some(((*name).to_owned(), link.to_string_lossy().into_owned()))
    };
    NAMESPACES.iter().filter_map(link).collect()
}

/// By its command line, which no other process on this machine has.
fn leaves_daemon(
    run: &impl Fn(Command) -> Result<Outcome, StartError>,
) -> Result<bool, StartError> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mark = format!("gaia-trial-{}-{number}", std::process::id());
    let ending = run(trial(Trial::Daemon, &mark))?.ending;
    if ending != Ending::Exited(0) {
        return Ok(true);
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    Ok(lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(&mark)))
}
