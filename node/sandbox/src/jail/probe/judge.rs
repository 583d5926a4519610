//! From evidence to a verdict on each layer. Pure.

use super::{Evidence, LIMITS};
use crate::jail::error::StartError;
use crate::jail::layer::{Layer, State};
use crate::jail::outcome::Ending;
use crate::jail::policy;
use crate::jail::trials::NAMESPACES;

const NAMESPACES_FIX: &str = "allow user namespaces: `sysctl user.max_user_namespaces`, \
     `kernel.unprivileged_userns_clone`, AppArmor's `userns` rule for bwrap";

/// What the trials say about one layer.
pub fn judge(layer: Layer, evidence: &Evidence) -> State {
    match layer {
        Layer::Uid => uid(evidence),
        Layer::Namespaces => namespaces(evidence),
        Layer::ReadOnly => read_only(evidence),
        Layer::Disk => disk(evidence),
        Layer::Network => network(evidence),
        Layer::Capabilities => capabilities(evidence),
        Layer::Seccomp => seccomp(evidence),
        Layer::Landlock => landlock(evidence),
        Layer::Memory => memory(evidence),
        Layer::Processes => processes(evidence),
        Layer::CpuWeight => cpu_weight(evidence),
        Layer::Rlimits => rlimits(evidence),
        Layer::Kill => kill(evidence),
    }
}

/// The verdict on every layer when there is nothing to judge.
pub fn nothing_runs(error: &StartError) -> State {
    missing(format!("no job can be run: {error}").trim(), NAMESPACES_FIX)
}

fn missing(why: impl Into<String>, fix: impl Into<String>) -> State {
    State::Missing { why: why.into(), fix: fix.into() }
}

fn degraded(why: impl Into<String>, fix: impl Into<String>) -> State {
    State::Degraded { why: why.into(), fix: fix.into() }
}

/// Enforced, or missing with the reason.
fn held(holds: bool, why: impl Into<String>, fix: &str) -> State {
    if holds { State::Enforced } else { missing(why, fix) }
}

fn uid(evidence: &Evidence) -> State {
    if evidence.uid.is_some() {
        return State::Enforced;
    }
    degraded(
        "jobs run as the node's own user, without rights of its own",
        "start the node as root: then each job gets a user that nobody else has",
    )
}

fn namespaces(evidence: &Evidence) -> State {
    let own = |name: &&str| {
        let inside = evidence.look.namespaces.get(*name);
        inside.is_some() && inside != evidence.host_namespaces.get(*name)
    };
    let shared: Vec<_> = NAMESPACES.into_iter().filter(|name| !own(name)).collect();
    held(shared.is_empty(), format!("shared with the host: {}", shared.join(", ")), NAMESPACES_FIX)
}

fn read_only(evidence: &Evidence) -> State {
    let seen = [evidence.look.writable.clone(), evidence.look.host_paths.clone()].concat();
    held(
        seen.is_empty(),
        format!("writable, or of the host: {}", seen.join(", ")),
        "use bubblewrap 0.8 or newer, unpatched",
    )
}

fn disk(evidence: &Evidence) -> State {
    let files = LIMITS.disk_files..=LIMITS.disk_files + 1 + policy::WRITABLE.len() as u64;
    let sized = evidence
        .look
        .disk
        .is_some_and(|(bytes, inodes)| bytes == LIMITS.disk_bytes && files.contains(&inodes));
    held(
        sized && evidence.look.disk_stops,
        format!("the job's disk has another size: {:?}", evidence.look.disk),
        "use a kernel with sized tmpfs, Linux 5.2 or newer",
    )
}

fn network(evidence: &Evidence) -> State {
    let alone = evidence.look.interfaces.iter().all(|name| name == "lo");
    let own = evidence.look.namespaces.get("net") != evidence.host_namespaces.get("net");
    held(
        alone && own,
        format!("interfaces in the job: {}", evidence.look.interfaces.join(", ")),
        NAMESPACES_FIX,
    )
}

fn capabilities(evidence: &Evidence) -> State {
    let status = |name: &str| evidence.look.status.get(name).map_or("", String::as_str);
    let none = |name: &&str| !status(name).is_empty() && status(name).chars().all(|c| c == '0');
    let left: Vec<_> =
        ["CapEff", "CapPrm", "CapInh", "CapAmb"].into_iter().filter(|name| !none(name)).collect();
    held(
        left.is_empty() && status("NoNewPrivs") == "1",
        format!("NoNewPrivs {}, not empty: {}", status("NoNewPrivs"), left.join(", ")),
        "use bubblewrap 0.8 or newer, not setuid",
    )
}

fn seccomp(evidence: &Evidence) -> State {
    let filtered = evidence.look.status.get("Seccomp").is_some_and(|mode| mode == "2");
    held(
        filtered && evidence.look.socket == Some(libc::EPERM),
        "a job made a network socket",
        "use a kernel with CONFIG_SECCOMP_FILTER",
    )
}

fn landlock(evidence: &Evidence) -> State {
    let fix = "use Linux 6.12 or newer, booted with `landlock` in `lsm=`";
    match (evidence.look.landlock == Some(libc::EACCES), evidence.landlock_whole) {
        (true, true) => State::Enforced,
        (true, false) => degraded("the kernel knows only older rules", fix),
        (false, _) => missing("a job wrote where only Landlock forbids it", fix),
    }
}

fn memory(evidence: &Evidence) -> State {
    let lacking = reason(evidence, Layer::Memory);
    match (&evidence.memory, lacking) {
        (Ending::OutOfMemory, None) => State::Enforced,
        (Ending::Exited(0) | Ending::OutOfMemory, lacking) => {
            missing("a job took more memory than its limit", lacking.unwrap_or(CGROUP_FIX))
        }
        (_, Some(lacking)) => missing("the limit holds for each process alone", lacking),
        (ending, None) => missing(format!("the trial of memory ended {ending:?}"), CGROUP_FIX),
    }
}

const CGROUP_FIX: &str = "give the node's user cgroups: start as root, or with Delegate=yes";

fn processes(evidence: &Evidence) -> State {
    if evidence.processes.notes.process_limit_hits > 0 {
        return State::Enforced;
    }
    let fix = reason(evidence, Layer::Processes).unwrap_or(CGROUP_FIX);
    match evidence.processes.ending {
        Ending::Exited(3) => {
            missing("no cgroup counts processes; RLIMIT_NPROC does, for the job's user", fix)
        }
        _ => missing("a job started more processes than its limit", fix),
    }
}

fn cpu_weight(evidence: &Evidence) -> State {
    match reason(evidence, Layer::CpuWeight) {
        None => State::Enforced,
        Some(fix) => missing(format!("jobs have only their niceness of {}", policy::NICE), fix),
    }
}

fn rlimits(evidence: &Evidence) -> State {
    let look = &evidence.look;
    let limits = [
        look.core_bytes == Some(0),
        look.file_bytes == Some(LIMITS.file_bytes),
        look.open_files == Some(LIMITS.open_files),
    ];
    held(
        limits.into_iter().all(|holds| holds),
        "a process has other limits than it was given",
        "raise the hard limits (`ulimit -H`) that the node itself has",
    )
}

fn kill(evidence: &Evidence) -> State {
    held(!evidence.daemon_left, "a process outlived its job", NAMESPACES_FIX)
}

/// Why a group could not be had.
fn reason(evidence: &Evidence, layer: Layer) -> Option<&str> {
    let line = evidence.missing.iter().find(|(lacking, _)| *lacking == layer);
    line.map(|(_, reason)| reason.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::jail::layer::Layer;
    use crate::jail::outcome::{Notes, Outcome, Output};
    use crate::jail::trials::Findings;

    fn nothing_held() -> Evidence {
        let host: BTreeMap<_, _> =
            NAMESPACES.iter().map(|name| ((*name).to_owned(), format!("{name}:[1]"))).collect();
        let look = Findings {
            namespaces: host.clone(),
            interfaces: vec!["lo".into(), "eth0".into()],
            host_paths: vec!["/root".into()],
            ..Findings::default()
        };
        Evidence {
            look,
            host_namespaces: host,
            missing: vec![(Layer::CpuWeight, "no cgroup".into())],
            landlock_whole: false,
            uid: None,
            memory: Ending::Exited(0),
            processes: outcome(Ending::Exited(0), 0),
            daemon_left: true,
        }
    }

    fn outcome(ending: Ending, process_limit_hits: u64) -> Outcome {
        Outcome {
            ending,
            notes: Notes { process_limit_hits, ..Notes::default() },
            stdout: Output::default(),
            stderr: Output::default(),
            wall_ms: 0,
            cpu_ms: 0,
            memory_peak_bytes: None,
            collected: vec![],
        }
    }

    #[test]
    fn where_nothing_holds_nothing_is_enforced() {
        let evidence = nothing_held();
        for layer in Layer::ALL {
            let state = judge(layer, &evidence);
            match layer {
                Layer::Uid => assert!(matches!(state, State::Degraded { .. })),
                _ => assert!(matches!(state, State::Missing { .. }), "{layer}: {state:?}"),
            }
        }
    }

    #[test]
    fn one_shared_namespace_is_named() {
        let mut evidence = nothing_held();
        for name in NAMESPACES.into_iter().filter(|name| *name != "ipc") {
            evidence.look.namespaces.insert(name.into(), "other".into());
        }
        let State::Missing { why, .. } = judge(Layer::Namespaces, &evidence) else {
            panic!("ipc is shared")
        };
        assert_eq!(why, "shared with the host: ipc");
    }

    #[test]
    fn an_old_landlock_is_degraded() {
        let mut evidence = nothing_held();
        evidence.look.landlock = Some(libc::EACCES);
        assert!(matches!(judge(Layer::Landlock, &evidence), State::Degraded { .. }));
        evidence.landlock_whole = true;
        assert_eq!(judge(Layer::Landlock, &evidence), State::Enforced);
    }

    #[test]
    fn limits_of_processes_alone_are_no_cgroup() {
        let mut evidence = nothing_held();
        evidence.processes = outcome(Ending::Exited(3), 0);
        assert!(matches!(judge(Layer::Processes, &evidence), State::Missing { .. }));
        evidence.processes = outcome(Ending::Exited(3), 1);
        assert_eq!(judge(Layer::Processes, &evidence), State::Enforced);
    }
}
