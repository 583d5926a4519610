//! Knowledge bases: documents in, cited answers out, snapshots there and back.

use std::process::Command;

use gaia_tests::{Node, NodeOptions, binary};
use serde_json::{Value, json};

fn kb(node: &Node, arguments: &[&str]) -> (bool, String) {
    let url = node.url();
    let mut command = Command::new(binary("gaia-node"));
    let output = command.args(["kb", "--url", &url]).args(arguments).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn ingested(node: &Node) {
    let folder = node.folder().join("documents");
    std::fs::create_dir_all(&folder).expect("ours");
    let texts = [
        ("zoo.md", "# Zoo\n\n## Opening hours\n\nThe zoo opens at seven and closes at nineteen.\n"),
        ("cake.txt", "A lemon cake takes four eggs, two lemons and forty minutes at 180 degrees."),
        (
            "code.rs",
            "/// Adds two numbers that never overflow.\npub fn add(a: u8, b: u8) -> u16 { 0 }\n",
        ),
    ];
    for (name, text) in texts {
        std::fs::write(folder.join(name), text).expect("written");
    }
    let path = folder.to_str().expect("UTF-8");
    let (ok, said) = kb(node, &["ingest", "-c", "facts", path]);
    assert!(ok && said.contains("3 documents: 3 chunks written"), "{said}");
}

fn chat(node: &Node, more: &Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "When does the zoo open?"}],
        "model": "chat", "max_tokens": 8, "temperature": 0});
    let fields = more.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(fields);
    let answer = node.client().post("/v1/chat/completions", &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("JSON")
}

#[test]
fn documents_come_in_once_and_answers_name_them() {
    let chat_knowledge = "knowledge = { collections = [\"facts\"], score_threshold = 0.3 }";
    let node = Node::start(&NodeOptions { chat: chat_knowledge.into(), ..NodeOptions::default() });
    ingested(&node);
    let folder = node.folder().join("documents");
    let (ok, said) = kb(&node, &["ingest", "-c", "facts", folder.to_str().expect("UTF-8")]);
    assert!(ok && said.contains("0 chunks written, 3 there already"), "{said}");
    let answer = chat(&node, &json!({}));
    let citations = answer["citations"].as_array().expect("it cites");
    assert_eq!(citations[0]["document"], "zoo.md", "{citations:?}");
    assert!(citations[0]["text"].as_str().is_some_and(|text| text.contains("seven")));
    assert!(answer["usage"]["prompt_tokens"].as_u64() > Some(60), "the passage is in the prompt");
    assert!(chat(&node, &json!({"knowledge": false}))["citations"].is_null());
    // More than the embedding model reads.
    let long = "When does the zoo open? ".repeat(120);
    let answer = chat(&node, &json!({"messages": [{"role": "user", "content": long}]}));
    assert_eq!(answer["citations"][0]["document"], "zoo.md", "{answer}");
    let (ok, said) = kb(&node, &["search", "-c", "facts", "baking with citrus", "--limit", "1"]);
    assert!(ok && said.contains("cake.txt"), "{said}");
    let (ok, said) = kb(&node, &["delete", "facts", "--document", "cake.txt"]);
    assert!(ok, "{said}");
    let (_, said) = kb(&node, &["list", "--documents", "facts"]);
    assert!(said.contains("zoo.md") && !said.contains("cake.txt"), "{said}");
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let node = Node::start(&NodeOptions::default());
    ingested(&node);
    let refused = |path: &str, body: Value, words: &str| {
        let answer = node.client().post(path, &body);
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.status);
        assert!(answer.body.contains(words), "{path}: {}", answer.body);
    };
    let messages = json!([{"role": "user", "content": "x"}]);
    refused(
        "/v1/chat/completions",
        json!({"messages": messages, "model": "chat", "knowledge": {"collections": ["no"]}}),
        "there are: facts",
    );
    refused("/v1/knowledge/search", json!({"query": "x"}), "collections");
    refused("/v1/knowledge/collections", json!({"name": "../x"}), "is no name");
    refused("/v1/knowledge/collections", json!({"name": "facts"}), "exists already");
    let restore = "/v1/knowledge/collections/facts/restore";
    refused(restore, json!({"snapshot": "/etc/passwd"}), "snapshot_dirs");
    refused(restore, json!({"snapshot": "http://127.0.0.1:9/x"}), "private or local");
    let broken = node.folder().join("broken.snapshot");
    std::fs::write(&broken, vec![7; 5000]).expect("written");
    refused(restore, json!({"snapshot": broken}), "can't be taken over");
    let (_, said) = kb(&node, &["list"]);
    assert!(said.contains("facts  3 points"), "{said}");
}

#[test]
fn a_snapshot_goes_out_and_comes_back_while_the_node_serves() {
    let node = Node::start(&NodeOptions::default());
    ingested(&node);
    let file = node.folder().join("facts.snapshot.tar.gz");
    let file = file.to_str().expect("UTF-8");
    let (ok, said) = kb(&node, &["snapshot", "facts", file]);
    assert!(ok, "{said}");
    let (ok, said) = kb(&node, &["restore", "copy", file]);
    assert!(ok && said.contains("copy  3 points of 384 values by embed"), "{said}");
    let body = json!({"query": "opening hours", "collections": ["copy"], "limit": 1});
    let answer = node.client().post("/v1/knowledge/search", &body);
    assert!(answer.body.contains("zoo.md"), "{}", answer.body);
}
