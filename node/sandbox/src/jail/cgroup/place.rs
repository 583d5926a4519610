//! Where each controller stands for this process: read from `/proc`, pure.

use std::path::{Path, PathBuf};

/// What is limited or counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// Memory of all processes together.
    Memory,
    /// Processes and threads.
    Pids,
    /// Weight of cores.
    Cpu,
    /// Time on cores.
    CpuAccount,
}

impl Controller {
    /// As the kernel names it. v2 counts time in every group.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
            Self::CpuAccount => "cpuacct",
        }
    }
}

/// This process's own group in each hierarchy, under which jobs get theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// v1: controllers of a hierarchy, and our group in it.
    pub v1: Vec<(Vec<String>, PathBuf)>,
    /// v2: our group.
    pub v2: Option<PathBuf>,
}

impl Places {
    /// From `/proc/self/cgroup` and `/proc/self/mountinfo`.
    pub fn parse(cgroup: &str, mountinfo: &str) -> Self {
        let mounts: Vec<_> = mountinfo.lines().filter_map(Mount::parse).collect();
        let mut places = Self::default();
        for (controllers, path) in cgroup.lines().filter_map(membership) {
            if controllers.is_empty() {
                let mount = mounts.iter().find(|mount| mount.kind == "cgroup2");
                places.v2 = mount.map(|mount| mount.path(path));
                continue;
            }
            let holds = |mount: &&Mount<'_>| mount.kind == "cgroup" && mount.holds(controllers);
            if let Some(mount) = mounts.iter().find(holds) {
                let controllers = controllers.split(',').map(str::to_owned).collect();
                places.v1.push((controllers, mount.path(path)));
            }
        }
        places
    }

    /// Our group in the v1 hierarchy of `controller`.
    pub fn v1(&self, controller: Controller) -> Option<&Path> {
        let holds = |names: &[String]| names.iter().any(|name| name == controller.name());
        self.v1.iter().find(|(names, _)| holds(names)).map(|(_, path)| path.as_path())
    }
}

/// `4:memory:/group` → controllers and group.
fn membership(line: &str) -> Option<(&str, &str)> {
    let (_, line) = line.split_once(':')?;
    line.split_once(':')
}

struct Mount<'a> {
    kind: &'a str,
    /// The group that the mount shows at its top.
    root: &'a str,
    point: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    /// `36 35 0:31 /root /point rw,.. [fields] - cgroup cgroup rw,memory`
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let mut after = after.split(' ');
        let kind = after.next().filter(|kind| kind.starts_with("cgroup"))?;
        Some(Self { kind, root: before.next()?, point: before.next()?, options: after.nth(1)? })
    }

    fn holds(&self, controllers: &str) -> bool {
        let has = |name: &str| self.options.split(',').any(|option| option == name);
        controllers.split(',').all(has)
    }

    /// A group outside what the mount shows is as good as its top.
    fn path(&self, group: &str) -> PathBuf {
        let below = Path::new(group).strip_prefix(self.root).unwrap_or(Path::new(""));
        let mut path = PathBuf::from(self.point);
        path.extend(below);
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
30 24 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 30 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 30 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
36 30 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    #[test]
    fn nothing_mounted_is_no_place() {
        assert_eq!(Places::parse("0::/\n4:memory:/x\n", ""), Places::default());
        assert_eq!(Places::parse("", HYBRID), Places::default());
        assert_eq!(Places::parse("nonsense\n", "more - nonsense\n - \n"), Places::default());
    }

    #[test]
    fn a_hybrid_is_read_from_both() {
        let places = Places::parse("4:memory:/a/b\n1:cpu,cpuacct:/\n0::/s\n", HYBRID);
        let memory = Path::new("/sys/fs/cgroup/memory/a/b");
        assert_eq!(places.v1(Controller::Memory), Some(memory));
        let cpu = Path::new("/sys/fs/cgroup/cpu,cpuacct");
        assert_eq!(places.v1(Controller::Cpu), Some(cpu));
        assert_eq!(places.v1(Controller::CpuAccount), Some(cpu));
        assert_eq!(places.v1(Controller::Pids), None);
        assert_eq!(places.v2.as_deref(), Some(Path::new("/sys/fs/cgroup/unified/s")));
    }

    #[test]
    fn pure_v2_is_one_place() {
        let mounts = "36 30 0:33 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let places = Places::parse("0::/system.slice/gaia.service\n", mounts);
        let ours = Path::new("/sys/fs/cgroup/system.slice/gaia.service");
        assert_eq!(places.v2.as_deref(), Some(ours));
        assert_eq!(places.v1(Controller::Memory), None);
    }

    #[test]
    fn a_container_sees_its_group_at_the_top() {
        let mounts = "33 30 0:30 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let place = |group: &str| Places::parse(&format!("4:memory:{group}\n"), mounts);
        let inside = place("/docker/x/job");
        let path = Path::new("/sys/fs/cgroup/memory/job");
        assert_eq!(inside.v1(Controller::Memory), Some(path));
        let outside = place("/elsewhere");
        let path = Path::new("/sys/fs/cgroup/memory");
        assert_eq!(outside.v1(Controller::Memory), Some(path));
    }
}
