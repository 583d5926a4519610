//! The command of the jail's own trials: does in the jail what a hostile job would try, and says
//! what came of it. What it finds is read by `jail::probe`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit, setsid};

use crate::jail::trials::{Findings, NAMESPACES, Trial};

/// Longer than any trial may take.
const SLEEP: Duration = Duration::from_secs(60);
const THREADS: usize = 64;

pub fn main(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    match arguments.next().as_deref().and_then(Trial::parse) {
        Some(Trial::Look) => look(),
        Some(Trial::Memory) => eat_memory(),
        Some(Trial::Processes) => start_threads(),
        Some(Trial::Daemon) => leave_daemon(arguments.next()),
        Some(Trial::Sleep) => sleep_apart(),
        None => ExitCode::from(2),
    }
}

fn look() -> ExitCode {
    let findings = Findings {
        namespaces: namespaces(),
        status: status(),
        interfaces: interfaces(),
        host_paths: host_paths(),
        writable: writable(),
        disk: disk(),
        disk_stops: fs::write("/job/large", vec![0; 4 << 20]).is_err_and(is_no_space),
        socket: UdpSocket::bind("127.0.0.1:0").err().and_then(|error| error.raw_os_error()),
        landlock: fs::write("/tmp/trial", "").err().and_then(|error| error.raw_os_error()),
        core_bytes: getrlimit(Resource::Core).maximum,
        file_bytes: getrlimit(Resource::Fsize).maximum,
        open_files: getrlimit(Resource::Nofile).maximum,
    };
    let text = serde_json::to_vec(&findings).unwrap_or_default();
    let told = std::io::stdout().write_all(&text);
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_no_space(error: std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::StorageFull
}

fn namespaces() -> BTreeMap<String, String> {
    let read = |name: &&str| {
        let link = fs::read_link(format!("/proc/self/ns/{name}")).ok()?;
        Some(((*name).to_owned(), link.to_string_lossy().into_owned()))
    };
    NAMESPACES.iter().filter_map(read).collect()
}

fn status() -> BTreeMap<String, String> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn interfaces() -> Vec<String> {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

fn host_paths() -> Vec<String> {
    let paths = ["/root", "/home", "/sys", "/etc/shadow", "/var", "/run", "/boot", "/dev/kmsg"];
    paths.into_iter().filter(|path| fs::exists(path).unwrap_or(true)).map(str::to_owned).collect()
}

/// Places that another layer than the mounts may keep too: the mounts' own flag counts.
fn writable() -> Vec<String> {
    let open = |path: &&str| {
        let read_only = statvfs(*path)
            .is_ok_and(|now| now.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
        !read_only || fs::write(format!("{path}/trial"), "").is_ok()
    };
    ["/", "/usr", "/etc", "/dev"].into_iter().filter(open).map(str::to_owned).collect()
}

fn disk() -> Option<(u64, u64)> {
    statvfs("/job").ok().map(|now| (now.f_blocks * now.f_frsize, now.f_files))
}

fn eat_memory() -> ExitCode {
    let mut all = vec![];
    for _ in 0..256 {
        let mut block: Vec<u8> = vec![];
        if block.try_reserve_exact(1 << 20).is_err() {
            return ExitCode::from(3);
        }
        block.resize(1 << 20, 1);
        all.push(std::hint::black_box(block));
    }
    ExitCode::SUCCESS
}

fn start_threads() -> ExitCode {
    let start = |_| std::thread::Builder::new().spawn(|| std::thread::sleep(SLEEP));
    let refused = (0..THREADS).map(start).any(|thread| thread.is_err());
    if refused { ExitCode::from(3) } else { ExitCode::SUCCESS }
}

/// Ends at once and leaves a process behind, in a session of its own and without our streams.
fn leave_daemon(mark: Option<String>) -> ExitCode {
    let Ok(program) = std::env::current_exe() else { return ExitCode::FAILURE };
    let started = Command::new(program)
        .args(["probe", Trial::Sleep.name(), &mark.unwrap_or_default()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    if started.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn sleep_apart() -> ExitCode {
    let _ = setsid();
    std::thread::sleep(SLEEP);
    ExitCode::SUCCESS
}
