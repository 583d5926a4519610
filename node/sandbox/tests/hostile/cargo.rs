//! A real cargo with the machine's toolchain, whose build script is the attacker.

use std::process::Command as Program;

use gaia_sandbox::jail::{Bind, Collect, Command, Ending, File};

use crate::harness::{Bench, LIMITS};

const MANIFEST: &str = "\
[package]\nname = \"hostile\"\nversion = \"0.1.0\"\nedition = \"2024\"\nbuild = \"build.rs\"\n";

/// What a build script would try, as warnings that cargo shows.
const BUILD: &str = r#"
use std::{fs, io::Write, net::TcpStream, process::{Command, Stdio}};
fn say(name: &str, done: bool) {
    let _ = writeln!(std::io::stdout(), "cargo::warning={name} {}", if done { "DONE" } else { "refused" });
}
fn main() {
    say("network", TcpStream::connect("1.1.1.1:80").is_ok());
    say("root", fs::read_dir("/root").is_ok());
    say("shadow", fs::read("/etc/shadow").is_ok());
    say("toolchain", fs::write("/rust/bin/rustc", "x").is_ok());
    say("library", fs::write("/rust/lib/x", "x").is_ok());
    say("mount", Command::new("mount").args(["-t", "tmpfs", "x", "/job"]).output().is_ok_and(|o| o.status.success()));
    say("unshare", Command::new("unshare").args(["-Ur", "true"]).output().is_ok_and(|o| o.status.success()));
    say("daemon", Command::new("setsid").args(["-f", "sleep", "1000"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().is_err());
}
"#;

fn file(path: &str, content: &str) -> File {
    File { path: path.into(), content: content.into(), executable: false }
}

fn cargo(arguments: &[&str]) -> Command {
    let sysroot = Program::new("rustc").args(["--print", "sysroot"]).output().expect("rustc");
    let sysroot = String::from_utf8(sysroot.stdout).expect("a path");
    let mut command = Command::new(["cargo"].iter().chain(arguments).copied());
    command.binds.push(Bind::read_only(sysroot.trim(), "/rust"));
    let env = [("PATH", "/rust/bin:/usr/bin:/bin"), ("HOME", "/tmp"), ("CARGO_HOME", "/tmp/cargo")];
    command.env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    command.limits = gaia_sandbox::jail::policy::LIMITS;
    command.limits.output_bytes = LIMITS.output_bytes;
    command.files = vec![file("Cargo.toml", MANIFEST), file("src/main.rs", "fn main() {}")];
    command
}

#[test]
fn a_hostile_build_script_reaches_nothing() {
    let bench = Bench::new();
    let mut command = cargo(&["build", "--offline"]);
    command.files.push(file("build.rs", BUILD));
    let program = "target/debug/hostile".into();
    command.collect = vec![Collect { path: program, bytes_max: 64 << 20 }];
    let outcome = bench.run(&command);
    let text = String::from_utf8_lossy(&outcome.stderr.bytes);
    assert_eq!(outcome.ending, Ending::Exited(0), "{text}");
    assert_eq!(text.matches(" refused").count(), 8, "{text}");
    assert!(!text.contains("DONE"), "{text}");
    let built = outcome.collected[0].content.as_ref().expect("it was built");
    assert_eq!(&built[..4], b"\x7fELF");
}

#[test]
fn a_build_script_that_eats_memory_ends_its_job() {
    let bench = Bench::new();
    let mut command = cargo(&["check", "--offline"]);
    let eater = "fn main() { let mut all = vec![]; loop { all.push(vec![1u8; 1 << 20]); } }";
    command.files.push(file("build.rs", eater));
    command.limits.memory_bytes = 512 << 20;
    let outcome = bench.run(&command);
    assert_eq!(outcome.ending, Ending::OutOfMemory);
}
