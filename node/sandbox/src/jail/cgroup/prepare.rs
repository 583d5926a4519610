//! Once, before the first job: readies our v2 group for children and removes what a node that was
//! killed has left.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::num::NonZero;
use std::path::Path;

use super::place::Places;
use crate::jail::policy;

/// The beginning of the name of every job's group; the node's process id follows.
pub const PREFIX: &str = "gaia-jail-";
/// Where the node's own processes go: in v2 a group with limited children has no processes itself.
const OWN: &str = "gaia-node";
/// The kernel takes no more.
const WEIGHT_MAX: u32 = 10_000;
const WANTED: [&str; 3] = ["memory", "pids", "cpu"];

/// Lets children of our v2 group have limits. What can't be had is found missing by the jobs' own
/// groups, which say so.
pub fn prepare(places: &mut Places) {
    let Some(ours) = places.v2.clone() else { return };
    // A process that was moved here by an earlier call: its group's parent is the one to use.
    if ours.file_name().is_some_and(|name| name == OWN) {
        places.v2 = ours.parent().map(Path::to_owned);
        return;
    }
    let offered = fs::read_to_string(ours.join("cgroup.controllers")).unwrap_or_default();
    let wanted: Vec<_> = offered.split_whitespace().filter(|name| WANTED.contains(name)).collect();
    if wanted.is_empty() {
        return;
    }
    if let Err(error) = enable(&ours, &wanted)
        && error.kind() == io::ErrorKind::ResourceBusy
        && move_ourselves(&ours).is_ok()
    {
        // Refused again: the jobs' groups will lack their files and say so.
        let _ = enable(&ours, &wanted);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        weigh_ourselves(&ours.join(OWN), cores);
    }
}

fn enable(group: &Path, controllers: &[&str]) -> io::Result<()> {
    let line: Vec<_> = controllers.iter().map(|name| format!("+{name}")).collect();
    fs::write(group.join("cgroup.subtree_control"), line.join(" "))
}

/// Only a group that holds nobody but us and our children is ours to rearrange.
fn move_ourselves(group: &Path) -> io::Result<()> {
    let members = fs::read_to_string(group.join("cgroup.procs"))?;
    let members: Vec<u32> = members.lines().filter_map(|line| line.parse().ok()).collect();
    if !members.iter().all(|pid| is_ours(*pid)) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let own = group.join(OWN);
    fs::create_dir_all(&own)?;
    members.iter().try_for_each(|pid| fs::write(own.join("cgroup.procs"), pid.to_string()))
}

/// A group's weight is divided among the cores it works on, so ours is that of a process on each.
/// Without it a job would be dearer than a serving thread where there are many cores.
fn weigh_ourselves(own: &Path, cores: usize) {
    let cores = u32::try_from(cores).unwrap_or(u32::MAX);
    let weight = policy::CPU_WEIGHT[0].saturating_mul(cores).min(WEIGHT_MAX);
    // Without the controller there is no such file, and the jobs' groups say so.
    let _ = OpenOptions::new()
        .write(true)
        .open(own.join("cpu.weight"))
        .and_then(|mut file| file.write_all(weight.to_string().as_bytes()));
}

fn is_ours(pid: u32) -> bool {
    let mut pid = pid;
    // Deeper than any family of ours.
    for _ in 0..16 {
        if pid == std::process::id() {
            return true;
        }
        let Some(parent) = parent(pid).filter(|parent| *parent > 1) else { return false };
        pid = parent;
    }
    false
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Removes the groups of nodes that are gone. A group that still has processes stays: the kernel
/// doesn't let go of it.
pub fn sweep(places: &Places) {
    let v1 = places.v1.iter().map(|(_, path)| path);
    for parent in v1.chain(&places.v2) {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        for name in names.filter(|name| is_orphan(name)) {
            let _ = fs::remove_dir(parent.join(name));
        }
    }
}

fn is_orphan(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else { return false };
    let pid: Option<u32> = rest.split('-').next().and_then(|pid| pid.parse().ok());
    pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_of_dead_nodes_are_orphans() {
        let ours = format!("{PREFIX}{}-1", std::process::id());
        assert!(!is_orphan(&ours));
        assert!(!is_orphan("system.slice"));
        assert!(!is_orphan("gaia-jail-"));
        assert!(!is_orphan("gaia-jail-x-1"));
        assert!(is_orphan("gaia-jail-4294967295-1"));
    }

    #[test]
    fn our_group_weighs_as_a_process_on_each_core() {
        let own = std::env::temp_dir().join(format!("gaia-cgroup-own-{}", std::process::id()));
        fs::create_dir_all(&own).expect("a folder");
        let file = own.join("cpu.weight");
        weigh_ourselves(&own, 2);
        assert!(!file.exists(), "no controller");
        for (cores, weight) in [(16, "1600"), (1000, "10000")] {
            fs::write(&file, "").expect("writable");
            weigh_ourselves(&own, cores);
            assert_eq!(fs::read_to_string(&file).expect("readable"), weight);
        }
        fs::remove_dir_all(own).expect("removable");
    }

    #[test]
    fn a_family_is_known_by_its_parents() {
        assert!(is_ours(std::process::id()));
        assert!(!is_ours(1));
        assert!(!is_ours(u32::MAX));
    }
}
