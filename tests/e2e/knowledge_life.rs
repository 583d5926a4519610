//! Knowledge bases through crashes, crowds and moves.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use gaia_tests::{Node, NodeOptions, binary, wait_until};
use serde_json::{Value, json};

/// Chunks that are written and reported at once.
const BATCH: u64 = 32;

/// Searches that are under way at once.
const CROWD: usize = 1000;

fn kb(node: &Node, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("gaia-node"));
    command.args(["kb", "--url", &node.url()]).args(arguments);
    command
}

fn run(node: &Node, arguments: &[&str]) -> (bool, String) {
    let output = kb(node, arguments).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn begin(node: &Node, arguments: &[&str]) -> Child {
    let mut command = kb(node, arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}

/// A document of many sections, each a chunk of its own.
fn written(node: &Node, sections: usize) -> String {
    let section = |number: usize| {
        let filler = "It says what is so and why, and what to do about it. ".repeat(6);
        format!("## Section {number}\n\nThe answer to question{number} is {number}. {filler}\n\n")
    };
    let text: String = (0..sections).map(section).collect();
    let file = node.folder().join("manual.md");
    std::fs::write(&file, format!("# Manual\n\n{text}")).expect("the folder is ours");
    file.to_str().expect("UTF-8").to_owned()
}

fn points(node: &Node) -> u64 {
    let list = node.client().get("/v1/knowledge/collections").json();
    let list = list["collections"].as_array().cloned().expect("a list");
    list.iter()
        .find(|one| one["name"] == "m")
        .map_or(0, |one| one["points"].as_u64().expect("a number"))
}

fn found(node: &Node, words: &str) -> Vec<Value> {
    let body = json!({"query": words, "collections": ["m"], "limit": 1, "mode": "words"});
    let answer = node.client().post("/v1/knowledge/search", &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["passages"].as_array().cloned().expect("a list")
}

/// Versions of the collection on the disk.
fn versions(node: &Node) -> Vec<PathBuf> {
    let place = node.folder().join("knowledge/collections/m");
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn a_crash_while_documents_come_in_or_are_imported_loses_and_doubles_nothing() {
    let mut node = Node::start(&NodeOptions::default());
    let file = written(&node, 100);
    let ingest = ["ingest", "-c", "m", &file];
    let mut ingesting = begin(&node, &ingest);
    wait_until("a second batch comes in", || points(&node) > BATCH);
    node.crash_and_start();
    ingesting.wait().expect("our child");
    let kept = points(&node);
    assert!(kept >= BATCH, "what was reported as written is there");
    let (ok, said) = run(&node, &ingest);
    assert!(ok && said.contains(&format!("{kept} there already")), "{said}");
    let all = points(&node);
    let (ok, said) = run(&node, &ingest);
    assert!(ok && said.contains(&format!("0 chunks written, {all} there already")), "{said}");
    let export = node.folder().join("m.jsonl.zst");
    let export = export.to_str().expect("UTF-8");
    let (ok, said) = run(&node, &["export", "m", export]);
    assert!(ok && said.contains("bytes"), "{said}");
    // All of it is embedded anew, beside what is there.
    let mut importing = begin(&node, &["import", "m", export, "--replace", "--reembed"]);
    wait_until("another version grows", || versions(&node).len() == 2);
    node.crash_and_start();
    importing.wait().expect("our child");
    assert_eq!((points(&node), versions(&node).len()), (all, 1));
    assert_eq!(found(&node, "question7").len(), 1);
    let (ok, said) = run(&node, &["import", "m", export]);
    assert!(!ok && said.contains("exists already") && said.contains("--replace"), "{said}");
    let (ok, said) = run(&node, &["import", "m", export, "--replace"]);
    assert!(ok && said.contains(&format!("m  {all} points of 384 values by embed")), "{said}");
    assert_eq!(found(&node, "question7")[0]["document"], "manual.md");
    let left = std::fs::read_dir(node.folder().join("knowledge/downloads")).into_iter().flatten();
    assert_eq!(left.count(), 0, "nothing of the uploads stays");
}

#[test]
fn a_crash_while_a_snapshot_is_restored_leaves_the_old_or_the_new() {
    let mut node = Node::start(&NodeOptions::default());
    let file = written(&node, 60);
    let (ok, said) = run(&node, &["ingest", "-c", "m", &file]);
    assert!(ok, "{said}");
    let snapshot = node.folder().join("m.snapshot");
    let snapshot = snapshot.to_str().expect("UTF-8");
    assert!(run(&node, &["snapshot", "m", snapshot]).0);
    let old = points(&node);
    let (ok, said) = run(&node, &["ingest", "-c", "m", &written(&node, 70)]);
    assert!(ok, "{said}");
    let new = points(&node);
    let mut restoring = begin(&node, &["restore", "m", snapshot]);
    wait_until("the next version is there, or all is done", || {
        versions(&node).len() == 2 || restoring.try_wait().expect("our child").is_some()
    });
    node.crash_and_start();
    restoring.wait().expect("our child");
    assert_eq!(versions(&node).len(), 1);
    assert!([old, new].contains(&points(&node)), "{} of {old} or {new}", points(&node));
    assert_eq!(found(&node, "question7").len(), 1);
    let (ok, said) = run(&node, &["restore", "m", snapshot]);
    assert!(ok && said.contains(&format!("m  {old} points")), "{said}");
}

#[test]
fn a_second_node_on_one_folder_is_refused_with_the_reason() {
    let node = Node::start(&NodeOptions::default());
    let second = Command::new(binary("gaia-node"))
        .args(["start", "--listen", "127.0.0.1:0", "--config"])
        .arg(node.config())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("open in another process"), "{said}");
    assert_eq!(node.client().get("/ready").status, 200);
}

#[test]
fn a_thousand_searches_are_answered_while_documents_come_in() {
    let node = Node::start(&NodeOptions::default());
    let file = written(&node, 100);
    let mut ingesting = begin(&node, &["ingest", "-c", "m", &file]);
    wait_until("some chunks are there", || points(&node) > 0);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let search = || {
            let body = json!({"query": "question1", "collections": ["m"], "limit": 3,
                "mode": "words"});
            let answer = node.client().post("/v1/knowledge/search", &body);
            if answer.status == 200 {
                let passages = answer.json()["passages"].as_array().map(Vec::len);
                assert!(passages.is_some_and(|count| count <= 3), "{}", answer.body);
            }
            answer.status
        };
        let crowd: Vec<_> = (0..CROWD).map(|_| scope.spawn(search)).collect();
        crowd.into_iter().map(|one| one.join().expect("it is answered")).collect()
    });
    let good = statuses.iter().filter(|status| **status == 200).count();
    let overloaded = statuses.iter().filter(|status| matches!(status, 429 | 503)).count();
    assert_eq!(good + overloaded, CROWD, "{statuses:?}");
    assert!(good > 0, "some are answered");
    assert!(ingesting.wait().expect("our child").success(), "and the documents come in");
    assert!(points(&node) >= 100);
    assert_eq!(found(&node, "question99").len(), 1);
}
