//! One job's groups, from their making to their removal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::place::{Controller, Places};
use super::prepare::PREFIX;
use crate::jail::command::Limits;
use crate::jail::layer::Layer;
use crate::jail::policy;

/// The launcher, bubblewrap and the job's pid 1.
const OWN_PROCESSES: u32 = 3;
/// A dead process leaves its group within milliseconds, unless it hangs in the kernel.
const REMOVE_TRIES: u32 = 1000;
const REMOVE_PAUSE: Duration = Duration::from_millis(5);

/// The groups of one job. Dropping removes them, with all that is still in them.
#[derive(Debug, Default)]
pub struct Group {
    /// Every folder that was made.
    folders: Vec<PathBuf>,
    memory: Option<(Version, PathBuf)>,
    pids: Option<PathBuf>,
    /// The file of the weight, with our own value and the job's.
    weight: Option<(PathBuf, [u32; 2])>,
    cpu_time: Option<(Version, PathBuf)>,
    v2: Option<PathBuf>,
}

/// What a job has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on cores; `None` where nothing counts.
    pub cpu_ms: Option<u64>,
    /// The most memory at once; `None` where nothing counts.
    pub memory_peak_bytes: Option<u64>,
    /// Refused processes.
    pub process_limit_hits: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Group {
    /// Makes a group wherever `places` has a controller, with the limits of a job. The layers that
    /// could not be had come back with the reason.
    pub fn create(places: &Places, limits: &Limits) -> (Self, Vec<(Layer, String)>) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let mut group = Self::default();
        if let Some(parent) = &places.v2 {
            group.v2 = group.make(&parent.join(&name)).ok();
        }
        let mut missing = vec![];
        let mut note = |layer, result: io::Result<()>| {
            if let Err(error) = result {
                missing.push((layer, reason(&error)));
            }
        };
        note(Layer::Memory, group.limit_memory(places.v1(Controller::Memory), &name, limits));
        note(Layer::Processes, group.limit_pids(places.v1(Controller::Pids), &name, limits));
        note(Layer::CpuWeight, group.weigh(places.v1(Controller::Cpu), &name));
        group.count_time(places.v1(Controller::CpuAccount), &name);
        (group, missing)
    }

    fn limit_memory(&mut self, v1: Option<&Path>, name: &str, limits: &Limits) -> io::Result<()> {
        let bytes = limits.memory_bytes.to_string();
        let Some(parent) = v1 else {
            let folder = self.v2_with("memory.max")?;
            fs::write(folder.join("memory.max"), bytes)?;
            write_if_there(&folder.join("memory.swap.max"), "0")?;
            self.memory = Some((Version::V2, folder));
            return Ok(());
        };
        let folder = self.make(&parent.join(name))?;
        write_if_there(&folder.join("memory.swappiness"), "0")?;
        fs::write(folder.join("memory.limit_in_bytes"), &bytes)?;
        // Memory and swap together: no more than memory alone, so no swap.
        write_if_there(&folder.join("memory.memsw.limit_in_bytes"), &bytes)?;
        self.memory = Some((Version::V1, folder));
        Ok(())
    }

    fn limit_pids(&mut self, v1: Option<&Path>, name: &str, limits: &Limits) -> io::Result<()> {
        let folder = match v1 {
            Some(parent) => self.make(&parent.join(name))?,
            None => self.v2_with("pids.max")?,
        };
        let most = limits.processes.saturating_add(OWN_PROCESSES);
        fs::write(folder.join("pids.max"), most.to_string())?;
        self.pids = Some(folder);
        Ok(())
    }

    /// Setting up is our own work and has the weight of it, so that a job starts soon on a busy
    /// machine. Written once, so that a file that refuses is known before.
    fn weigh(&mut self, v1: Option<&Path>, name: &str) -> io::Result<()> {
        let (file, weights) = match v1 {
            Some(parent) => (self.make(&parent.join(name))?.join("cpu.shares"), policy::CPU_SHARES),
            None => (self.v2_with("cpu.weight")?.join("cpu.weight"), policy::CPU_WEIGHT),
        };
        fs::write(&file, weights[0].to_string())?;
        self.weight = Some((file, weights));
        Ok(())
    }

    /// From here on the job has the weight of a job.
    pub fn lower_weight(&self) {
        self.set_weight(1);
    }

    /// Dying takes time on a core too, and is our own work again.
    pub fn raise_weight(&self) {
        self.set_weight(0);
    }

    fn set_weight(&self, index: usize) {
        if let Some((file, weights)) = &self.weight {
            // It took a value before.
            let _ = fs::write(file, weights[index].to_string());
        }
    }

    /// No layer: without it the launcher's own count serves.
    fn count_time(&mut self, v1: Option<&Path>, name: &str) {
        if let Some(folder) = v1.and_then(|parent| self.make(&parent.join(name)).ok()) {
            self.cpu_time = Some((Version::V1, folder));
        } else if let Ok(folder) = self.v2_with("cpu.stat") {
            self.cpu_time = Some((Version::V2, folder));
        }
    }

    /// Hierarchies with two controllers have one folder.
    fn make(&mut self, folder: &Path) -> io::Result<PathBuf> {
        if !self.folders.iter().any(|made| made == folder) {
            fs::create_dir(folder)?;
            self.folders.push(folder.to_owned());
        }
        Ok(folder.to_owned())
    }

    fn v2_with(&self, file: &str) -> io::Result<PathBuf> {
        let folder = self.v2.clone().filter(|folder| folder.join(file).exists());
        folder.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Moves a process, with all that it will start, into every group.
    ///
    /// # Errors
    /// The kernel refuses, or the process is gone.
    pub fn adopt(&self, pid: u32) -> io::Result<()> {
        let mut doors = self.folders.iter().map(|folder| folder.join("cgroup.procs"));
        doors.try_for_each(|door| fs::write(door, pid.to_string()))
    }

    /// Does one of the groups limit memory?
    pub fn limits_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// How many processes the kernel has killed for lack of memory.
    pub fn oom_kills(&self) -> u64 {
        let Some((version, folder)) = &self.memory else { return 0 };
        let file = match version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        field(&folder.join(file), "oom_kill").unwrap_or(0)
    }

    /// What was used so far.
    pub fn usage(&self) -> Usage {
        Usage {
            cpu_ms: self.cpu_ms(),
            memory_peak_bytes: self.memory.as_ref().and_then(|(version, folder)| {
                number(&folder.join(match version {
                    Version::V1 => "memory.max_usage_in_bytes",
                    Version::V2 => "memory.peak",
                }))
            }),
            process_limit_hits: self.process_limit_hits(),
        }
    }

    /// Time on cores so far; `None` where nothing counts.
    pub fn cpu_ms(&self) -> Option<u64> {
        self.cpu_time.as_ref().and_then(|(version, folder)| cpu_ms(*version, folder))
    }

    fn process_limit_hits(&self) -> u64 {
        let events = self.pids.as_ref().map(|folder| folder.join("pids.events"));
        events.and_then(|events| field(&events, "max")).unwrap_or(0)
    }

    /// Kills what is in the groups, but for the launcher, which sees the others dead.
    pub fn kill_all_but(&self, launcher: u32) {
        let launcher = i32::try_from(launcher).ok().and_then(Pid::from_raw);
        self.folders.iter().for_each(|folder| kill_members(folder, launcher));
    }

    /// Kills everything in the groups, at once where the kernel can.
    pub fn kill(&self) {
        if let Some(folder) = &self.v2 {
            let _ = fs::write(folder.join("cgroup.kill"), "1");
        }
        self.folders.iter().for_each(|folder| kill_members(folder, None));
    }

    /// Waits until the groups are empty, killing what is left, and removes them. `false` if a
    /// process could not be killed in time: it hangs in the kernel, still within its limits.
    pub fn remove(&mut self) -> bool {
        for _ in 0..REMOVE_TRIES {
            self.folders.retain(|folder| {
                let gone = fs::remove_dir(folder);
                gone.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
            });
            if self.folders.is_empty() {
                return true;
            }
            self.kill();
            sleep(REMOVE_PAUSE);
        }
        false
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A process is killed through a handle, taken before it is seen in the group once more: its number
/// can't have become someone else's.
fn kill_members(folder: &Path, but: Option<Pid>) {
    for pid in members(folder).into_iter().filter(|pid| Some(*pid) != but) {
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        if members(folder).contains(&pid) {
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

fn members(folder: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?)).collect()
}

fn write_if_there(file: &Path, text: &str) -> io::Result<()> {
    if file.exists() { fs::write(file, text) } else { Ok(()) }
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value?.trim().parse().ok()
}

fn cpu_ms(version: Version, folder: &Path) -> Option<u64> {
    match version {
        Version::V1 => number(&folder.join("cpuacct.usage")).map(|ns| ns / 1_000_000),
        Version::V2 => field(&folder.join("cpu.stat"), "usage_usec").map(|us| us / 1000),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "no cgroup with this controller for this process: mount one, or \
             run as a systemd service with Delegate=yes"
                .into()
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => format!(
            "this user may not make cgroups ({error}): start as root, or as a systemd service with \
             Delegate=yes"
        ),
        _ => format!("the kernel refused the cgroup: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_place_means_every_layer_is_named() {
        let (group, missing) = Group::create(&Places::default(), &policy::LIMITS);
        let layers: Vec<_> = missing.iter().map(|(layer, _)| *layer).collect();
        assert_eq!(layers, [Layer::Memory, Layer::Processes, Layer::CpuWeight]);
        assert!(missing.iter().all(|(_, reason)| reason.contains("Delegate=yes")));
        assert!(group.folders.is_empty());
        assert_eq!(group.usage(), Usage::default());
    }

    #[test]
    fn a_folder_without_the_controllers_files_is_no_layer() {
        let parent = scratch("v2-empty");
        let places = Places { v1: vec![], v2: Some(parent.clone()) };
        let (group, missing) = Group::create(&places, &policy::LIMITS);
        assert_eq!(missing.len(), 3);
        assert_eq!(group.folders.len(), 1, "it still serves to kill");
        drop(group);
        assert_eq!(fs::read_dir(&parent).expect("a folder").count(), 0, "removed on drop");
        fs::remove_dir_all(parent).expect("removable");
    }

    /// Files as the kernel makes them in a group of v2 that has its controllers.
    #[test]
    fn a_group_of_v2_gets_its_limits() {
        let folder = scratch("v2");
        let files = ["memory.max", "memory.swap.max", "pids.max", "cpu.weight", "cpu.stat"];
        files.iter().for_each(|file| fs::write(folder.join(file), "max").expect("writable"));
        let mut group = Group::default();
        group.v2 = Some(folder.clone());
        group.limit_memory(None, "", &policy::LIMITS).expect("limited");
        group.limit_pids(None, "", &policy::LIMITS).expect("limited");
        group.weigh(None, "").expect("weighed");
        group.count_time(None, "");
        let read = |file: &str| fs::read_to_string(folder.join(file)).expect("readable");
        assert_eq!(read("memory.max"), policy::LIMITS.memory_bytes.to_string());
        assert_eq!(read("memory.swap.max"), "0");
        assert_eq!(read("pids.max"), (policy::LIMITS.processes + OWN_PROCESSES).to_string());
        assert_eq!(read("cpu.weight"), "100");
        group.lower_weight();
        assert_eq!(read("cpu.weight"), "25");
        fs::write(folder.join("cpu.stat"), "usage_usec 2500\nuser_usec 1\n").expect("writable");
        fs::write(folder.join("memory.peak"), "4096\n").expect("writable");
        fs::write(folder.join("memory.events"), "oom 2\noom_kill 1\n").expect("writable");
        fs::write(folder.join("pids.events"), "max 5\n").expect("writable");
        let usage = Usage { cpu_ms: Some(2), memory_peak_bytes: Some(4096), process_limit_hits: 5 };
        assert_eq!(group.usage(), usage);
        assert_eq!(group.oom_kills(), 1);
        fs::remove_dir_all(folder).expect("removable");
    }

    #[test]
    fn fields_and_numbers_are_read_and_nonsense_is_not() {
        let folder = scratch("fields");
        let file = folder.join("memory.events");
        fs::write(&file, "low 0\noom 7\noom_kill 3\n").expect("writable");
        assert_eq!(field(&file, "oom_kill"), Some(3));
        assert_eq!(field(&file, "oom"), Some(7));
        assert_eq!(field(&file, "max"), None);
        assert_eq!(number(&file), None);
        assert_eq!(number(&folder.join("none")), None);
        fs::remove_dir_all(folder).expect("removable");
    }

    fn scratch(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("gaia-cgroup-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }
}
