//! One attack, named by the first argument. Each attempt is a line: `NAME refused ERROR`, or
//! `NAME DONE` when it went through. Compiled by the machine's rustc, without a crate.

mod ffi;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::process::exit;
use std::time::Duration;

use ffi::call;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = &arguments[1.min(arguments.len())..];
    match arguments.first().map_or("", String::as_str) {
        "network" => network(rest),
        "read" => rest.iter().for_each(|path| report(path, read(path))),
        "write" => rest.iter().for_each(|path| report(path, write(path))),
        "list" => rest.iter().for_each(|path| list(path)),
        "calls" => calls(),
        "namespaces" => namespaces(),
        "signals" => signals(),
        "fork" => fork_bomb(),
        "memory" => eat_memory(),
        "families" => eat_memory_together(),
        "fill" => fill(&rest[0]),
        "files" => files(rest[0].parse().unwrap_or(0)),
        "print" => print_for_ever(),
        "tick" => tick(),
        "work" => work(),
        "sleep" => sleep(),
        "stubborn" => stubborn(),
        "stop" => report("stop", ffi::send(0, 19)),
        "daemon" => daemon(),
        "links" => links(),
        "environment" => environment(),
        "echo" => echo(),
        "exit" => exit(rest[0].parse().unwrap_or(0)),
        "abort" => std::process::abort(),
        "compat" => say(&format!("process {} DONE", ffi::compat())),
        "crash" => ffi::crash(),
        "massacre" => report("kill all", ffi::send(-1, 9)),
        "grow" => grow(),
        _ => exit(2),
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn report<T>(name: &str, result: Result<T, i32>) {
    match result {
        Ok(_) => say(&format!("{name} DONE")),
        Err(error) => say(&format!("{name} refused {error}")),
    }
}

fn code(error: std::io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

fn read(path: &str) -> Result<usize, i32> {
    File::open(path).and_then(|mut file| file.read(&mut [0; 64])).map_err(code)
}

fn write(path: &str) -> Result<(), i32> {
    let mut file = OpenOptions::new().write(true).create(true).open(path).map_err(code)?;
    file.write_all(b"1").map_err(code)
}

fn list(path: &str) {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    say(&names.join(" "));
}

/// The host's loopback port and abstract socket are given.
fn network(rest: &[String]) {
    let address = format!("127.0.0.1:{}", rest[0]);
    report("loopback", TcpStream::connect(&address).map_err(code));
    report("internet", TcpStream::connect("1.1.1.1:80").map_err(code));
    report("listen", TcpListener::bind("127.0.0.1:0").map_err(code));
    report("udp", UdpSocket::bind("0.0.0.0:0").map_err(code));
    // inet6, netlink, packet, alg, vsock, bluetooth
    for family in [10, 16, 17, 38, 40, 31] {
        report(&format!("family {family}"), call(41, [family, 3, 0, 0, 0, 0]));
    }
    use std::os::linux::net::SocketAddrExt;
    let name = std::os::unix::net::SocketAddr::from_abstract_name(&rest[1]);
    let connected = name.and_then(|name| std::os::unix::net::UnixStream::connect_addr(&name));
    report("abstract", connected.map_err(code));
}

/// By their numbers on x86-64, with arguments that do harm where the call is there.
fn calls() {
    let path = c"/job".as_ptr() as usize;
    let tmpfs = c"tmpfs".as_ptr() as usize;
    let parent = std::os::unix::process::parent_id() as usize;
    let block = [0u8; 256];
    let zeros = block.as_ptr() as usize;
    let attempts: [(&str, i64, [usize; 6]); 41] = [
        ("ptrace traceme", 101, [0, 0, 0, 0, 0, 0]),
        ("ptrace attach", 101, [16, parent, 0, 0, 0, 0]),
        ("process_vm_readv", 310, [parent, zeros, 1, zeros, 1, 0]),
        ("process_vm_writev", 311, [parent, zeros, 1, zeros, 1, 0]),
        ("pidfd_getfd", 438, [0, 0, 0, 0, 0, 0]),
        ("kcmp", 312, [1, parent, 0, 0, 0, 0]),
        ("mount", 165, [tmpfs, path, tmpfs, 0, 0, 0]),
        ("umount", 166, [path, 2, 0, 0, 0, 0]),
        ("pivot_root", 155, [path, path, 0, 0, 0, 0]),
        ("chroot", 161, [path, 0, 0, 0, 0, 0]),
        ("fsopen", 430, [tmpfs, 0, 0, 0, 0, 0]),
        ("open_tree", 428, [usize::MAX - 99, path, 1, 0, 0, 0]),
        ("move_mount", 429, [0, path, 0, path, 0, 0]),
        ("mount_setattr", 442, [usize::MAX - 99, path, 0, zeros, 32, 0]),
        ("setns", 308, [0, 0, 0, 0, 0, 0]),
        ("io_uring_setup", 425, [8, zeros, 0, 0, 0, 0]),
        ("io_uring_enter", 426, [0, 1, 0, 0, 0, 0]),
        ("io_uring_register", 427, [0, 0, 0, 0, 0, 0]),
        ("bpf", 321, [0, zeros, 72, 0, 0, 0]),
        ("keyctl", 250, [0, usize::MAX - 2, 1, 0, 0, 0]),
        ("add_key", 248, [tmpfs, tmpfs, zeros, 1, usize::MAX - 2, 0]),
        ("request_key", 249, [tmpfs, tmpfs, 0, 0, 0, 0]),
        ("userfaultfd", 323, [1, 0, 0, 0, 0, 0]),
        ("perf_event_open", 298, [zeros, 0, usize::MAX, usize::MAX, 0, 0]),
        ("kexec_load", 246, [0, 0, 0, 0, 0, 0]),
        ("init_module", 175, [zeros, 256, path, 0, 0, 0]),
        ("finit_module", 313, [0, path, 0, 0, 0, 0]),
        ("delete_module", 176, [path, 0, 0, 0, 0, 0]),
        ("name_to_handle_at", 303, [usize::MAX - 99, path, zeros, zeros, 0, 0]),
        ("open_by_handle_at", 304, [0, zeros, 0, 0, 0, 0]),
        ("personality", 135, [0x0040000, 0, 0, 0, 0, 0]),
        ("swapon", 167, [path, 0, 0, 0, 0, 0]),
        ("reboot", 169, [0, 0, 0, 0, 0, 0]),
        ("iopl", 172, [3, 0, 0, 0, 0, 0]),
        ("syslog", 103, [10, 0, 0, 0, 0, 0]),
        ("sethostname", 170, [path, 4, 0, 0, 0, 0]),
        ("settimeofday", 164, [zeros, 0, 0, 0, 0, 0]),
        ("setuid", 105, [0, 0, 0, 0, 0, 0]),
        ("block device", 133, [c"/job/device".as_ptr() as usize, 0o060666, 0xfe00, 0, 0, 0]),
        ("terminal input", 16, [0, 0x5412, zeros, 0, 0, 0]),
        ("x32 getpid", 0x4000_0000 | 39, [0, 0, 0, 0, 0, 0]),
    ];
    for (name, number, arguments) in attempts {
        report(name, call(number, arguments));
    }
}

/// Each flag through `unshare` and `clone`, all through `clone3`.
fn namespaces() {
    let flags: [usize; 7] = [
        0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
    ];
    for flag in flags {
        report(&format!("unshare {flag:x}"), call(272, [flag, 0, 0, 0, 0, 0]));
        let child = call(56, [flag | 17, 0, 0, 0, 0, 0]);
        if child == Ok(0) {
            exit(0);
        }
        report(&format!("clone {flag:x}"), child);
    }
    report("unshare time", call(272, [0x80, 0, 0, 0, 0, 0]));
    let arguments = [0x1000_0000u64, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0];
    let child = call(435, [arguments.as_ptr() as usize, 88, 0, 0, 0, 0]);
    if child == Ok(0) {
        exit(0);
    }
    report("clone3", child);
}

/// bubblewrap's process is of the same user, and outside what Landlock lets signals reach.
fn signals() {
    report("kill 1", ffi::send(1, 9));
    report("kill -1 0", ffi::send(1, 0));
    for path in ["/proc/1/mem", "/proc/1/environ", "/proc/1/root/usr", "/proc/1/cwd/usr"] {
        report(path, read(path));
    }
}

fn fork_bomb() {
    loop {
        ffi::split();
    }
}

fn eat_memory() {
    let mut all: Vec<Vec<u8>> = vec![];
    loop {
        all.push(vec![1; 1 << 20]);
    }
}

/// Each below the limit, together above.
fn eat_memory_together() {
    for _ in 0..8 {
        if ffi::split() == 0 {
            let block = vec![1u8; 16 << 20];
            std::thread::sleep(Duration::from_secs(100));
            drop(block);
        }
    }
    std::thread::sleep(Duration::from_secs(100));
}

fn fill(folder: &str) {
    let block = vec![1; 1 << 20];
    let mut bytes = 0;
    for number in 0.. {
        let Ok(mut file) = File::create(format!("{folder}/{number}")) else { break };
        match file.write(&block) {
            Ok(count) if count > 0 => bytes += count,
            Err(error) if bytes > 0 => {
                say(&format!("full at {bytes} refused {}", code(error)));
                break;
            }
            _ => break,
        }
    }
}

fn files(count: usize) {
    let made = (0..count).take_while(|number| File::create(format!("/job/f{number}")).is_ok());
    say(&format!("{} files", made.count()));
}

fn print_for_ever() {
    let line = [b'x'; 4096];
    loop {
        let _ = std::io::stdout().write_all(&line);
        let _ = std::io::stderr().write_all(&line);
    }
}

fn tick() {
    for _ in 0..15 {
        say("still here");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// As a compiler does with a large crate: much to do and nothing to say.
fn work() {
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(2500) {
        std::hint::black_box(begun);
    }
    say("done");
}

fn sleep() {
    say("sleeping");
    std::thread::sleep(Duration::from_secs(100));
}

fn stubborn() {
    ffi::ignore_signals();
    ffi::session();
    sleep();
}

/// Twice forked, in a session of its own, without our streams, deaf.
fn daemon() {
    for _ in 0..4 {
        if ffi::split() != 0 {
            continue;
        }
        ffi::session();
        if ffi::split() != 0 {
            exit(0);
        }
        ffi::ignore_signals();
        ffi::close_streams();
        loop {
            std::thread::sleep(Duration::from_secs(100));
        }
    }
    say("left");
}

fn links() {
    report("shadow", symlink("/etc/shadow", "/job/shadow").map_err(code));
    report("folder", symlink("/", "/job/folder").map_err(code));
    report("magic", symlink("/proc/self/environ", "/job/magic").map_err(code));
    report("hard", fs::hard_link("/usr/bin/env", "/job/hard").map_err(code));
    report("good", fs::write("/job/good", "good").map_err(code));
    let pipe = c"/job/pipe".as_ptr() as usize;
    report("pipe", call(133, [pipe, 0o010666, 0, 0, 0, 0]));
}

fn environment() {
    for (name, value) in std::env::vars() {
        say(&format!("{name}={value}"));
    }
}

fn echo() {
    let mut text = vec![];
    let _ = std::io::stdin().read_to_end(&mut text);
    let _ = std::io::stdout().write_all(&text);
}

fn grow() {
    let Ok(mut file) = File::create("/job/grown") else { exit(3) };
    let block = vec![1; 1 << 20];
    while file.write_all(&block).is_ok() {}
    exit(4);
}
