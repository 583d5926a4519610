//! Programs for wasm32-wasip1: built by real cargo, run by real WasmEdge, both in the real jail.

use gaia_tests::{Node, NodeOptions};
use serde_json::{Value, json};

const MANIFEST: &str = "[package]\nname = \"p\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const HELLO: &str = "fn main() { println!(\"hello\") }";
const IMPORT: &str = "#[link(wasm_import_module = \"wasi_snapshot_preview1\")]\n";

/// Little memory and few instructions, so that who wants more meets the limits soon.
fn node() -> Node {
    let limits = "[compile]\nmemory_bytes_max = 805306368\ninstructions_max = 60000000\n";
    Node::start(&NodeOptions { more: limits.to_owned(), ..Default::default() })
}

fn run(node: &Node, source: &str, more: Value) -> Value {
    let files = json!({"Cargo.toml": MANIFEST, "src/main.rs": source, "data/a.txt": "text"});
    let mut request = json!({"files": files, "command": "run", "target": "wasm32-wasip1"});
    let Value::Object(more) = more else { panic!("fields") };
    request.as_object_mut().expect("fields").extend(more);
    let answer = node.client().post("/v1/compile", &request);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn note(answer: &Value) -> String {
    let words = |key: &str| answer[key].to_string();
    format!("{} {}", words("notes"), words("reasons"))
}

#[test]
fn a_program_reads_its_input_arguments_and_files() {
    let node = node();
    let main = "use std::io::Read; fn main() { let mut s = String::new(); \
        std::io::stdin().read_to_string(&mut s).unwrap(); \
        let args: Vec<_> = std::env::args().skip(1).collect(); \
        println!(\"{s} {args:?} {:?} {}\", std::fs::read_to_string(\"data/a.txt\"), std::env::vars().count()); \
        std::process::exit(-7) }";
    let answer = run(&node, main, json!({"stdin": "in", "args": ["--end", "x"]}));
    assert_eq!(answer["verdict"], "runtime_failure", "{answer:#}");
    assert_eq!(answer["stdout"], "in [\"--end\", \"x\"] Ok(\"text\") 0\n");
    assert_eq!(answer["exit_code"], -7);
    assert_eq!(run(&node, HELLO, json!({}))["verdict"], "ok");
}

#[test]
fn the_program_is_given_out() {
    let node = node();
    let answer = run(&node, HELLO, json!({"command": "build", "programs": true}));
    assert_eq!(answer["programs"][0]["name"], "wasm32-wasip1/debug/p.wasm", "{answer:#}");
    let content = answer["programs"][0]["content_base64"].as_str().expect("its bytes");
    assert!(content.starts_with("AGFzbQ"), "a module begins so");
}

#[test]
fn each_hostile_program_ends_with_its_verdict() {
    let node = node();
    let memory = "fn main() { let mut all = vec![]; loop { let mut one: Vec<u8> = Vec::with_capacity(1 << 26); \
        let p = one.as_mut_ptr(); let mut at = 0; while at < 1 << 26 { unsafe { p.add(at).write_volatile(1) } at += 4096; } all.push(one) } }";
    let recursion = "fn f(n: u64) -> u64 { let a = [n; 64]; std::hint::black_box(&a); \
        if n == 0 { 0 } else { f(n + 1) + a[3] } } fn main() { println!(\"{}\", f(1)) }";
    let output = "use std::io::Write; use std::os::fd::FromRawFd; fn main() { \
        let mut out = unsafe { std::fs::File::from_raw_fd(1) }; let b = vec![0u8; 1 << 20]; \
        loop { out.write_all(&b).unwrap() } }";
    let sleep = "fn main() { std::thread::sleep(std::time::Duration::from_secs(100)) }";
    let endless = "fn main() { loop { std::hint::black_box(1); } }";
    let panic = "fn main() { panic!(\"no\") }";
    for (source, more, verdict, words) in [
        (memory, json!({"run_time_ms": 30_000}), "out_of_memory", ""),
        (recursion, json!({}), "runtime_failure", "trapped"),
        (output, json!({}), "output_limit", ""),
        (sleep, json!({"run_time_ms": 1500}), "timeout", ""),
        (endless, json!({"run_time_ms": 30_000}), "timeout", "instructions"),
        (panic, json!({}), "runtime_failure", "trapped"),
    ] {
        let more_of_it = json!({"detail": "summary"});
        let Value::Object(mut fields) = more else { panic!("fields") };
        fields.extend(more_of_it.as_object().cloned().expect("fields"));
        let answer = run(&node, source, Value::Object(fields));
        assert_eq!(answer["verdict"], verdict, "{source}: {answer:#}");
        assert!(note(&answer).contains(words), "{source}: {answer:#}");
        assert_eq!(run(&node, HELLO, json!({}))["verdict"], "ok", "after {source}");
    }
}

#[test]
fn nothing_but_the_projects_files_is_there_and_they_stay_as_they_are() {
    let node = node();
    let main = r#"use std::fs::{self, File, OpenOptions}; use std::io::Write;
        fn main() {
            let write = |mut f: File| f.write_all(b"x");
            let tried = [
                fs::write("data/new", "x").is_ok(), fs::write("data/a.txt", "x").is_ok(),
                OpenOptions::new().append(true).open("data/a.txt").and_then(write).is_ok(),
                OpenOptions::new().write(true).open("data/a.txt").and_then(write).is_ok(),
                File::open("data/a.txt").and_then(|f| f.set_len(0)).is_ok(),
                fs::create_dir("new").is_ok(), fs::remove_file("data/a.txt").is_ok(),
                fs::rename("data/a.txt", "b").is_ok(), fs::hard_link("data/a.txt", "b").is_ok(),
                fs::read("../end.json").is_ok(), fs::read("../../etc/passwd").is_ok(),
                fs::read("/etc/passwd").is_ok(), fs::read("/proc/self/maps").is_ok(),
                std::net::TcpStream::connect("127.0.0.1:80").is_ok(),
            ];
            println!("{} {:?}", tried.iter().any(|done| *done), fs::read_to_string("data/a.txt"));
        }"#;
    let answer = run(&node, main, json!({}));
    assert_eq!(answer["stdout"], "false Ok(\"text\")\n", "{answer:#}");
}

#[test]
fn wild_descriptors_and_foreign_imports_hurt_nobody() {
    let node = node();
    let wild = format!(
        "{IMPORT}extern \"C\" {{ fn fd_close(f: i32) -> i32; fn fd_renumber(a: i32, b: i32) -> i32; \
         fn fd_write(f: i32, p: i32, n: i32, o: i32) -> i32; fn fd_prestat_dir_name(f: i32, p: i32, n: i32) -> i32; \
         fn poll_oneoff(a: i32, b: i32, n: i32, o: i32) -> i32; }}\n\
         fn main() {{ for f in [3, 4, 9, 100, -1, i32::MAX, i32::MIN, 0, 1, 2] {{ unsafe {{ \
         fd_prestat_dir_name(f, -8, 100); fd_write(f, -1, -1, -1); fd_renumber(f, 700); fd_close(f); \
         poll_oneoff(-1, -1, i32::MAX, -1); }} }} }}"
    );
    let answer = run(&node, &wild, json!({}));
    let verdict = answer["verdict"].as_str().expect("a verdict");
    assert!(["ok", "runtime_failure"].contains(&verdict), "{answer:#}");
    let socket = format!(
        "{IMPORT}extern \"C\" {{ fn sock_open(a: i32, b: i32, c: i32) -> i32; }}\n\
         fn main() {{ println!(\"{{}}\", unsafe {{ sock_open(4, 1, 0) }}) }}"
    );
    let answer = run(&node, &socket, json!({}));
    assert_eq!(answer["verdict"], "refused");
    assert!(note(&answer).contains("sock_open"), "{answer:#}");
    assert_eq!(run(&node, HELLO, json!({}))["verdict"], "ok");
}
