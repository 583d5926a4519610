//! Many at once: each client gets its own answer, as it is made.

use std::thread;

use gaia_tests::{Client, Node, NodeOptions, wait_until};
use serde_json::{Value, json};

const CITIES: [&str; 16] = [
    "Paris", "Rome", "Berlin", "Madrid", "Vienna", "Lisbon", "Athens", "Dublin", "Oslo", "Cairo",
    "Tokyo", "Delhi", "Lima", "Quito", "Seoul", "Hanoi",
];

fn question(city: &str) -> Value {
    json!({
        "model": "chat", "temperature": 0, "max_tokens": 24, "stream": true,
        "messages": [{"role": "user", "content": format!("Write one sentence about {city}.")}],
    })
}

fn ask(client: &Client, city: &str) -> String {
    client.stream("/v1/chat/completions", &question(city)).expect("a stream").collect().0
}

#[test]
fn sixteen_streams_get_the_answers_they_get_alone() {
    let node = Node::start(&NodeOptions::default());
    let alone: Vec<String> = CITIES.iter().map(|city| ask(&node.client(), city)).collect();
    let threads: Vec<_> = CITIES
        .iter()
        .map(|city| {
            let client = node.client();
            thread::spawn(move || ask(&client, city))
        })
        .collect();
    let together: Vec<String> =
        threads.into_iter().map(|thread| thread.join().expect("a stream ends")).collect();
    for (city, text) in CITIES.iter().zip(&together) {
        assert!(text.contains(city), "{city}: {text}");
    }
    let same = alone.iter().zip(&together).filter(|(alone, together)| alone == together).count();
    // Another batch size may run another kernel, whose rounding can flip a near tie between two
    // tokens; a mixed-up sequence would flip nearly all.
    assert!(same >= 13, "only {same} of 16 are the same: {alone:#?} {together:#?}");
}

#[test]
fn tokens_arrive_as_they_are_made() {
    let node = Node::start(&NodeOptions::default());
    let mut request = question("Paris");
    request["max_tokens"] = json!(400);
    request["messages"][0]["content"] = json!("Write a long story about a fox and a crow.");
    let mut stream = node.client().stream("/v1/chat/completions", &request).expect("a stream");
    stream.wait_for_text();
    assert_eq!(node.metric("gaia_sequences_active", "chat"), 1.0, "it still generates");
}

#[test]
fn a_client_that_hangs_up_frees_its_sequence() {
    let node = Node::start(&NodeOptions::default());
    let mut request = question("Paris");
    request["max_tokens"] = json!(1500);
    request["messages"][0]["content"] = json!("Write a long story about a fox and a crow.");
    let mut stream = node.client().stream("/v1/chat/completions", &request).expect("a stream");
    stream.wait_for_text();
    assert_eq!(node.metric("gaia_sequences_active", "chat"), 1.0);
    drop(stream);
    wait_until("the sequence is free", || node.metric("gaia_sequences_active", "chat") == 0.0);
    assert!(node.metric("gaia_sequences_cancelled_total", "chat") >= 1.0);
}

#[test]
fn a_full_node_refuses_with_retry_after() {
    let chat = "sequences_max = 1\nqueue_max = 1\ninstances_max = 2".into();
    let node = Node::start(&NodeOptions { chat, ..Default::default() });
    let mut request = question("Paris");
    request["max_tokens"] = json!(1500);
    request["messages"][0]["content"] = json!("Write a long story about a fox and a crow.");
    let client = node.client();
    let mut first = client.stream("/v1/chat/completions", &request).expect("the first runs");
    first.wait_for_text();
    let waiting = thread::spawn({
        let (client, request) = (client.clone(), request.clone());
        move || client.stream("/v1/chat/completions", &request).map(drop).is_ok()
    });
    wait_until("one waits", || node.metric("gaia_sequences_queued", "chat") == 1.0);
    let refused = client.stream("/v1/chat/completions", &request).err().expect("no room");
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.json()["error"]["code"], "overloaded");
    drop(first);
    assert!(waiting.join().expect("no panic"), "the one that waited got its turn");
}
