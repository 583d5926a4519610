//! The memory of fixes: what it begins with, held against the compiler, and the real embedding model.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gaia_tests::{Node, NodeOptions, Request};
use serde_json::{Value, json};

const SEEDS: &str = include_str!("../../kb-snapshots/rust/fixes.jsonl");

fn seeds() -> Vec<Value> {
    SEEDS.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The whole program of a seed's `before` or `after`.
fn program(seed: &Value, side: &str) -> String {
    let text = |name: &str| seed[name].as_str().expect("a text");
    text("around").replace("@@", text(side))
}

/// The codes of what the compiler says to a library, the first error first; empty if it compiles.
fn codes(folder: &Path, name: &str, text: &str) -> Vec<String> {
    let file = folder.join(format!("{name}.rs"));
    std::fs::write(&file, text).expect("the folder is ours");
    let output = Command::new("rustc")
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--cap-lints"])
        .args(["allow", "--error-format", "json", "--out-dir"])
        .arg(folder)
        .arg(&file)
        .output()
        .expect("rustc is there");
    let messages = String::from_utf8(output.stderr).expect("UTF-8");
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors = messages.filter(|message| message["level"] == "error");
    let code = |error: Value| match error["code"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => error["message"].as_str().unwrap_or_default().to_owned(),
    };
    errors.map(code).collect()
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("gaia-seeds-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn each_seed_fails_as_it_says_before_and_compiles_after() {
    let (seeds, folder) = (seeds(), Folder::new());
    let mut after = String::new();
    for (number, seed) in seeds.iter().enumerate() {
        let program = program(seed, "after");
        writeln!(after, "pub mod m{number} {{\n{program}\n}}").expect("a string takes any text");
    }
    assert_eq!(codes(&folder.0, "after", &after), Vec::<String>::new());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((number, seed)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    seeds.get(number).map(|seed| (number, seed))
                } {
                    let name = format!("before{number}");
                    let codes = codes(&folder.0, &name, &program(seed, "before"));
                    assert_eq!(codes.first().map(String::as_str), seed["code"].as_str(), "{seed}");
                }
            });
        }
    });
}

#[test]
fn a_node_begins_with_them_and_takes_more_in() {
    let node = Node::start(&NodeOptions::default());
    let client = node.client();
    let list = |path: &str| {
        let answer = client.get(path);
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let first = list("/v1/fixes?limit=200");
    assert_eq!(first["fixes"].as_array().map(Vec::len), Some(seeds().len().min(200)));
    assert_eq!(first["embedder"], "embed");
    let line = json!({"code": "E0382", "message": "m", "before": "a", "after": "b"}).to_string();
    let import = json!({"origin": "club", "lines": line});
    let answer = client.post("/v1/fixes/import", &import);
    assert_eq!((answer.status, &answer.json()["imported"]), (200, &json!(1)), "{}", answer.body);
    let export = client.get("/v1/fixes/export");
    assert_eq!(export.body.lines().count(), seeds().len() + 1);
    let id = first["fixes"][0]["id"].as_str().expect("an id");
    let path = format!("/v1/fixes/{id}");
    let gone = client.send(&Request { method: "DELETE", path: &path, headers: &[], body: b"" });
    assert_eq!(gone.status, 200, "{}", gone.body);
    let names = list("/v1/knowledge/collections");
    assert!(!names.to_string().contains("fixes_"), "{names}");
}
