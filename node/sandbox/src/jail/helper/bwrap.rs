//! Bubblewrap's arguments: the namespaces and the file system as the job sees them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

use super::{Attempt, launch, stage};
use crate::jail::command::Access;
use crate::jail::wire::{Launch, sealed};
use crate::jail::{policy, seccomp};

/// Starts bubblewrap, which starts the helper's part inside with `spec` and `status`.
///
/// # Errors
/// Which step failed.
pub fn start(
    launch: &Launch,
    spec: BorrowedFd<'_>,
    stdin: BorrowedFd<'_>,
    status: &File,
) -> Result<Child, String> {
    let filters = seccomp::programs().attempt("compile the filter of system calls")?;
    let filters: Vec<OwnedFd> = filters
        .iter()
        .map(|program| sealed(program))
        .collect::<Result<_, _>>()
        .attempt("pass the filter of system calls on")?;
    let passed = filters.iter().map(AsFd::as_fd).chain([spec, status.as_fd()]);
    passed.into_iter().try_for_each(keep_open).attempt("pass descriptors on")?;
    let mut arguments = Arguments::default();
    arguments.namespaces();
    arguments.file_system(launch);
    filters.iter().for_each(|filter| {
        arguments.add(["--add-seccomp-fd", &filter.as_raw_fd().to_string()]);
    });
    let [spec, status] = [spec.as_raw_fd(), status.as_raw_fd()].map(|fd| fd.to_string());
    arguments.add(["--", policy::HELPER, "enter", &spec, &status]);
    let stdin = stdin.try_clone_to_owned().attempt("pass the input on")?;
    let mut command = launch::bare(&launch.bwrap);
    command.args(arguments.0).stdin(Stdio::from(stdin));
    command.spawn().attempt(&format!("start {}", launch.bwrap.display()))
}

fn keep_open(fd: BorrowedFd<'_>) -> rustix::io::Result<()> {
    fcntl_setfd(fd, FdFlags::empty())
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn add<'a>(&mut self, arguments: impl IntoIterator<Item = &'a str>) {
        self.0.extend(arguments.into_iter().map(OsString::from));
    }

    fn mount(&mut self, how: &str, from: &Path, to: &Path) {
        self.0.extend([how.into(), from.as_os_str().to_owned(), to.as_os_str().to_owned()]);
    }

    fn namespaces(&mut self) {
        self.add([
            "--unshare-user",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
            "--unshare-cgroup",
            "--disable-userns",
            "--die-with-parent",
            "--new-session",
            "--cap-drop",
            "ALL",
            "--hostname",
            "job",
        ]);
        let uid = policy::UID_INSIDE.to_string();
        self.add(["--uid", &uid, "--gid", &uid]);
    }

    fn file_system(&mut self, launch: &Launch) {
        policy::SYSTEM.iter().for_each(|path| self.system(path));
        self.mount("--ro-bind", &stage::etc(""), Path::new("/etc"));
        self.add(["--proc", "/proc"]);
        self.devices();
        for (name, path) in policy::WRITABLE {
            self.mount("--bind", &stage::work(name), Path::new(path));
        }
        self.mount("--ro-bind", &stage::helper(), Path::new(policy::HELPER));
        for (index, bind) in launch.binds.iter().enumerate() {
            match bind.access {
                Access::ReadOnly => self.mount("--ro-bind", &stage::bind(index), &bind.target),
                Access::Overlay => self.mount("--bind", &stage::over(index), &bind.target),
            }
        }
        self.add(["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]);
    }

    /// A link where the host has one (`/bin` → `usr/bin`).
    fn system(&mut self, path: &str) {
        let path = Path::new(path);
        if let Ok(target) = fs::read_link(path) {
            self.mount("--symlink", &target, path);
        } else if path.is_dir() {
            self.mount("--ro-bind", path, path);
        }
    }

    fn devices(&mut self) {
        self.add(["--size", "65536", "--tmpfs", "/dev"]);
        for name in policy::DEVICES {
            let device = Path::new("/dev").join(name);
            self.mount("--dev-bind", &device, &device);
        }
        self.add(["--symlink", "/proc/self/fd", "/dev/fd"]);
        for (number, name) in ["stdin", "stdout", "stderr"].iter().enumerate() {
            self.add(["--symlink", &format!("/proc/self/fd/{number}"), &format!("/dev/{name}")]);
        }
        self.add(["--dir", "/dev/shm"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jail::command::Bind;

    fn arguments(binds: Vec<Bind>) -> Vec<String> {
        let launch = Launch {
            bwrap: "/usr/bin/bwrap".into(),
            helper: "/x/gaia-jail".into(),
            uid_first: None,
            binds,
            disk_bytes: 1,
            disk_files: 1,
        };
        let mut arguments = Arguments::default();
        arguments.namespaces();
        arguments.file_system(&launch);
        arguments.0.into_iter().map(|text| text.into_string().expect("plain")).collect()
    }

    #[test]
    fn nothing_of_the_host_is_writable_but_the_stage() {
        let all = arguments(vec![Bind::read_only("/host", "/a"), Bind::overlay("/host", "/b")]);
        let from = |how: &str| {
            let pairs = all.windows(2).filter(|pair| pair[0] == how);
            pairs.map(|pair| pair[1].clone()).collect::<Vec<_>>()
        };
        assert!(from("--bind").iter().all(|path| path.starts_with("/tmp/")), "{all:?}");
        assert!(from("--dev-bind").iter().all(|path| path.starts_with("/dev/")), "{all:?}");
        assert!(!all.contains(&"/host".to_owned()), "only from the stage: {all:?}");
    }

    #[test]
    fn every_namespace_is_new_and_the_last_of_its_kind() {
        let all = arguments(vec![]);
        for name in ["user", "pid", "net", "ipc", "uts", "cgroup"] {
            assert!(all.contains(&format!("--unshare-{name}")), "{name}");
        }
        for flag in ["--disable-userns", "--die-with-parent", "--new-session"] {
            assert!(all.contains(&flag.to_owned()), "{flag}");
        }
    }

    #[test]
    fn the_root_is_closed_after_everything_is_in_it() {
        let all = arguments(vec![Bind::read_only("/host", "/a")]);
        let end = ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"];
        assert_eq!(all[all.len() - end.len()..], end);
    }
}
