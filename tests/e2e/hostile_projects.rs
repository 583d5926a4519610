//! Hostile projects over HTTP: each ends with its verdict, the next job is as ever, nothing is left.

use std::fs;
use std::path::PathBuf;

use gaia_tests::{Node, NodeOptions};
use serde_json::{Value, json};

const MANIFEST: &str = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
/// Users of these jobs alone, so that what is left of them is found.
const UIDS: std::ops::Range<u32> = 1_700_000_000..1_704_194_304;

/// What stood before, and the node.
struct Bench {
    node: Node,
    mounts: Vec<String>,
    descriptors: usize,
}

impl Bench {
    fn new() -> Self {
        let limits =
            format!("[compile]\nuid_first = {}\nmemory_bytes_max = 671088640\n", UIDS.start);
        let node = Node::start(&NodeOptions { more: limits, ..Default::default() });
        let bench = Self { mounts: mounts(&node), descriptors: 0, node };
        bench.hello();
        Self { descriptors: descriptors(&bench.node), ..bench }
    }

    fn ask(&self, request: &Value) -> Value {
        let answer = self.node.client().post("/v1/compile", request);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    fn hello(&self) {
        let answer = self.ask(&json!({"code": "fn main() {}"}));
        assert_eq!(answer["verdict"], "ok", "{answer:#}");
    }

    /// Does a hostile job; its verdict and notes are among those expected.
    fn attack(&self, files: &Value, more: Value, expected: &[&str]) -> Value {
        let mut request = json!({"files": files, "command": "build", "detail": "summary"});
        let Value::Object(more) = more else { panic!("fields") };
        request.as_object_mut().expect("fields").extend(more);
        let answer = self.ask(&request);
        let verdict = answer["verdict"].as_str().expect("a verdict");
        assert!(expected.contains(&verdict), "{files:#}\n{answer:#}");
        self.assert_clean();
        self.hello();
        answer
    }

    fn assert_clean(&self) {
        assert_eq!(processes(), Vec::<String>::new(), "processes of jobs");
        assert_eq!(cgroups(self.node.pid()), Vec::<PathBuf>::new(), "cgroups of jobs");
        assert_eq!(mounts(&self.node), self.mounts, "mounts");
        // Connections come and go.
        let now = descriptors(&self.node);
        assert!(now <= self.descriptors + 4, "{now} descriptors, {} before", self.descriptors);
    }
}

/// What stands where jails have their stage; others on this machine mount elsewhere.
fn mounts(node: &Node) -> Vec<String> {
    let all = fs::read_to_string(format!("/proc/{}/mountinfo", node.pid())).expect("it runs");
    let folders = ["work", "etc", "bind", "over", "helper"].map(|name| format!("/tmp/{name}"));
    let place = |line: &str| line.split(' ').nth(4).unwrap_or_default().to_owned();
    let is_stage = |place: &str| {
        place == "/tmp" || folders.iter().any(|folder| place.starts_with(folder.as_str()))
    };
    all.lines().filter(|line| is_stage(&place(line))).map(str::to_owned).collect()
}

fn descriptors(node: &Node) -> usize {
    fs::read_dir(format!("/proc/{}/fd", node.pid())).expect("it runs").count()
}

fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("mounted").flatten();
    let is_of_job = |path: PathBuf| {
        let status = fs::read_to_string(path.join("status")).ok()?;
        let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
        let uid: u32 = uid.split_whitespace().next()?.parse().ok()?;
        UIDS.contains(&uid).then_some(status)
    };
    entries.filter_map(|entry| is_of_job(entry.path())).collect()
}

fn cgroups(pid: u32) -> Vec<PathBuf> {
    let prefix = format!("gaia-jail-{pid}-");
    let (mut found, mut folders) = (vec![], vec![PathBuf::from("/sys/fs/cgroup")]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(entry.path());
            }
            folders.push(entry.path());
        }
    }
    found
}

/// A project whose build script is the attacker. What it should not reach makes it fail.
fn build_script(body: &str) -> Value {
    let script = format!("use std::process::Command;\nfn main() {{\n{body}\n}}\n");
    json!({"Cargo.toml": MANIFEST, "src/lib.rs": "", "build.rs": script})
}

#[test]
fn build_scripts_reach_nothing_of_the_host() {
    let bench = Bench::new();
    let address = bench.node.url().replace("http://", "");
    let network = format!(
        "for to in [\"{address}\", \"1.1.1.1:80\"] {{ assert!(std::net::TcpStream::connect(to).is_err()); }}\n\
         assert!(std::net::UdpSocket::bind(\"0.0.0.0:0\").is_err());"
    );
    bench.attack(&build_script(&network), json!({}), &["ok"]);
    let read = "for path in [\"/etc/shadow\", \"/root\", \"/home\", \"/proc/1/environ\", \"/dev/vda\"] {\n\
        assert!(std::fs::read(path).is_err() && std::fs::read_dir(path).is_err(), \"{path}\"); }\n\
        for (name, _) in std::env::vars() { assert!(!name.contains(\"GAIA\"), \"{name}\"); }";
    bench.attack(&build_script(read), json!({}), &["ok"]);
    let write = "for path in [\"/usr/x\", \"/etc/x\", \"/rust/x\", \"/crates/x\", \"/gaia-jail\", \
        \"/proc/sys/kernel/core_pattern\", \"/x\"] {\nassert!(std::fs::write(path, \"x\").is_err(), \"{path}\"); }";
    bench.attack(&build_script(write), json!({}), &["ok"]);
}

/// ptrace, mount, unshare, io_uring_setup, bpf, keyctl, setuid, perf_event_open, userfaultfd.
#[test]
fn build_scripts_get_no_dangerous_system_call() {
    let script = "extern \"C\" { fn syscall(number: i64, ...) -> i64; }\nfn main() {\n\
        let name = c\"tmpfs\".as_ptr() as usize;\n\
        for (number, first) in [(101, 0), (165, name), (272, 0x2000_0000), (425, 8), (321, 0), (250, 0), \
        (105, 0), (298, name), (323, 1)] {\n\
        let done = unsafe { syscall(number, first, name, name, 0usize, 0usize, 0usize) };\n\
        assert_eq!(done, -1, \"call {number}\"); } }\n";
    let files = json!({"Cargo.toml": MANIFEST, "src/lib.rs": "", "build.rs": script});
    Bench::new().attack(&files, json!({}), &["ok"]);
}

#[test]
fn build_scripts_that_take_everything_meet_the_limits() {
    let bench = Bench::new();
    let memory = "let mut all = vec![]; loop { all.push(vec![1u8; 1 << 20]); }";
    bench.attack(&build_script(memory), json!({}), &["out_of_memory"]);
    let print = "loop { eprintln!(\"{}\", \"x\".repeat(1 << 16)); println!(\"{}\", \"x\".repeat(1 << 16)); }";
    bench.attack(&build_script(print), json!({}), &["output_limit", "out_of_memory", "timeout"]);
    let sleep = "std::thread::sleep(std::time::Duration::from_secs(1000));";
    bench.attack(&build_script(sleep), json!({"compile_time_ms": 3000}), &["timeout"]);
    // Without the script's pipe, for whose holders cargo waits.
    let forks = "let quiet = std::process::Stdio::null;\n\
        while let Ok(_) = Command::new(\"/bin/sleep\").arg(\"1000\").stdout(quiet()).stderr(quiet()).spawn() {}";
    // No compiler may have room to start after that.
    let answer = bench.attack(&build_script(forks), json!({}), &["compile_error", "ok"]);
    assert!(answer["notes"].to_string().contains("processes"), "{answer:#}");
    let daemon = "Command::new(\"/usr/bin/setsid\").args([\"/bin/sh\", \"-c\", \
        \"trap '' TERM HUP; sleep 1000 & sleep 1000\"]).stdin(std::process::Stdio::null())\n\
        .stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();";
    bench.attack(&build_script(daemon), json!({}), &["ok"]);
}

#[test]
fn macros_and_sources_are_held_too() {
    let bench = Bench::new();
    let member = "[package]\nname = \"m\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\nproc-macro = true\n";
    let attacker = "#[proc_macro] pub fn go(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n\
        assert!(std::fs::read(\"/etc/shadow\").is_err());\n\
        assert!(std::net::TcpStream::connect(\"1.1.1.1:80\").is_err());\n\
        loop { std::thread::yield_now() } }\n";
    let files = json!({
        "Cargo.toml": format!("{MANIFEST}[dependencies]\nm = {{ path = \"m\" }}\n"),
        "src/lib.rs": "m::go!();", "m/Cargo.toml": member, "m/src/lib.rs": attacker,
    });
    bench.attack(&files, json!({"compile_time_ms": 6000}), &["timeout"]);
    let source = |text: &str| json!({"Cargo.toml": MANIFEST, "src/lib.rs": text});
    for text in [
        "pub const S: &str = include_str!(\"/etc/shadow\");",
        "#[path = \"/etc/shadow\"] mod m;",
        "include!(\"../../../../proc/1/environ\");",
        "pub const X: u64 = { let mut i = 0u64; while i < u64::MAX { i += 1; } i };",
    ] {
        bench.attack(&source(text), json!({"compile_time_ms": 20_000}), &["compile_error"]);
    }
    let bomb = "macro_rules! m { ($($t:tt)*) => { m!($($t)* $($t)*) } }\nm!(a b c d e f g h);";
    let ends = ["compile_error", "out_of_memory", "timeout"];
    bench.attack(&source(bomb), json!({"compile_time_ms": 10_000}), &ends);
}

#[test]
fn what_would_change_cargo_is_refused() {
    let bench = Bench::new();
    let with = |manifest: &str, path: &str, text: &str| {
        let mut files = json!({"Cargo.toml": format!("{MANIFEST}{manifest}"), "src/lib.rs": ""});
        files[path] = json!(text);
        files
    };
    let large = format!("# {}\n", "x".repeat(1 << 20));
    let mut many = json!({"Cargo.toml": MANIFEST, "src/lib.rs": ""});
    (0..10_000).for_each(|number| many[format!("f{number}")] = json!(""));
    for files in [
        with("", ".cargo/config.toml", "[build]\nrustc-wrapper = \"/bin/sh\"\n"),
        with("", "rust-toolchain.toml", "[toolchain]\nchannel = \"nightly\"\n"),
        with("[patch.crates-io]\nserde = { path = \"/x\" }\n", "a", ""),
        with("[dependencies]\nx = { git = \"https://example.org/x\" }\n", "a", ""),
        with("[dependencies]\nx = { path = \"../x\" }\n", "a", ""),
        with("", "/etc/x", ""),
        with("", "a/../../x", ""),
        with("", "a\u{202e}b", ""),
        with(&large, "a", ""),
        with("[package", "a", ""),
        many,
    ] {
        let request = json!({"files": files, "command": "build", "detail": "summary"});
        let answer = bench.ask(&request);
        assert_eq!(answer["verdict"], "refused", "{answer:#}");
        assert!(answer["reasons"][0].as_str().is_some_and(|reason| !reason.is_empty()));
    }
    bench.assert_clean();
}
