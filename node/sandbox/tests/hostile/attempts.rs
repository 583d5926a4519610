//! Things that are simply refused.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use gaia_sandbox::jail::Ending;

use crate::harness::{Bench, assert_refused, attack, lines};

#[test]
fn no_network_of_any_kind() {
    let bench = Bench::new();
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = tcp.local_addr().expect("bound").port().to_string();
    let name = format!("gaia-hostile-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _unix = UnixListener::bind_addr(&address).expect("a socket");
    assert_refused(&bench.attack(&["network", &port, &name]), 11);
}

#[test]
fn no_file_of_the_host() {
    let bench = Bench::new();
    let secret = std::env::temp_dir().join(format!("gaia-secret-{}", std::process::id()));
    std::fs::write(&secret, "secret").expect("writable");
    let ours = std::env::current_exe().expect("a path");
    let environ = format!("/proc/{}/environ", std::process::id());
    let paths = [
        "/etc/shadow",
        "/etc/hostname",
        "/etc/resolv.conf",
        "/root/.bashrc",
        "/home",
        "/var/log",
        "/run/systemd",
        "/sys/kernel",
        "/boot",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/vda",
        "/dev/sda",
        "/dev/tty",
        "/dev/ptmx",
        "/dev/fuse",
        "/dev/kvm",
        "/proc/kcore",
        "/proc/1/mem",
        "/proc/1/environ",
        &environ,
        &secret.to_string_lossy(),
        &ours.to_string_lossy(),
    ];
    let outcome = bench.attack(&[&["read"], &paths[..]].concat());
    std::fs::remove_file(&secret).expect("ours");
    assert_refused(&outcome, paths.len());
}

#[test]
fn no_write_outside() {
    let paths = [
        "/usr/x",
        "/usr/bin/env",
        "/etc/x",
        "/etc/passwd",
        "/x",
        "/bin/x",
        "/dev/x",
        "/gaia-jail",
        "/attack",
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/proc/self/oom_score_adj",
        "/proc/self/uid_map",
        "/proc/1/oom_score_adj",
        "/sys/kernel/x",
    ];
    let outcome = Bench::new().attack(&[&["write"], &paths[..]].concat());
    assert_refused(&outcome, paths.len());
}

#[test]
fn the_environment_is_what_was_given() {
    let bench = Bench::new();
    let mut command = attack(&["environment"]);
    command.env.push(("GIVEN".into(), "this".into()));
    assert_eq!(lines(&bench.run(&command)), ["GIVEN=this"]);
}

#[test]
fn only_the_standard_streams_are_open() {
    let outcome = Bench::new().attack(&["list", "/proc/self/fd"]);
    // 3 is the listing itself.
    assert_eq!(lines(&outcome), ["0 1 2 3"]);
}

#[test]
fn the_root_folder_is_short() {
    let outcome = Bench::new().attack(&["list", "/", "/dev", "/dev/shm", "/tmp", "/job"]);
    let lines = lines(&outcome);
    for name in ["home", "root", "sys", "var", "run", "boot", "work", "mnt"] {
        assert!(!lines[0].split(' ').any(|entry| entry == name), "{lines:?}");
    }
    assert_eq!(lines[1], "fd full null random shm stderr stdin stdout urandom zero");
    assert_eq!(lines[2..], ["", "", ""]);
}

#[test]
fn no_dangerous_system_call() {
    assert_refused(&Bench::new().attack(&["calls"]), 41);
}

/// Its calls have other numbers, which the filter does not know.
#[test]
fn the_door_for_32_bit_programs_is_deadly() {
    let outcome = Bench::new().attack(&["compat"]);
    assert_eq!(outcome.ending, Ending::Signalled(31), "SIGSYS");
    assert!(outcome.stdout.bytes.is_empty());
}

#[test]
fn no_namespace() {
    assert_refused(&Bench::new().attack(&["namespaces"]), 16);
}

#[test]
fn pid_1_of_the_jail_is_out_of_reach() {
    let outcome = Bench::new().attack(&["signals"]);
    assert_eq!(outcome.ending, Ending::Exited(0));
    assert_refused(&outcome, 6);
}
