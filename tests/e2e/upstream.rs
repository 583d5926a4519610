//! Another server's models: one node asks another one, which is an OpenAI server like any.

use std::process::Command;

use gaia_tests::{Node, NodeOptions, binary};
use serde_json::{Value, json};

/// The key `abc`, as the first node keeps it and as the second one finds it.
const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const VARIABLE: &str = "GAIA_TEST_UPSTREAM_KEY";

/// One pair of nodes for all that leaves nothing behind which the next would notice.
#[test]
fn a_node_serves_the_models_of_another() {
    let more = format!("[auth]\nkeys = [{{ name = \"ada\", hash = \"{HASH}\" }}]\n");
    let first = Node::start(&NodeOptions { more, ..NodeOptions::default() });
    let second = Node::start_beside(&first, &asking(&first, "abc"));
    an_answer_is_the_same_whole_and_streamed_as_from_the_node_itself(&first, &second);
    a_demanded_call_comes_through(&second);
    texts_become_the_same_vectors(&first, &second);
    what_the_other_node_refuses_is_told(&second);
    documents_are_brought_in_and_found(&second);
    the_operator_sees_both_models_and_changes_neither(&first, &second);
    a_wrong_key_is_told_to_the_operator_alone(&first);
}

fn asking(first: &Node, key: &str) -> NodeOptions {
    let table = |name: &str, kind: &str, model: &str| {
        format!(
            "[[upstreams]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{}/v1\"\nmodel = \"{model}\"\n\
             api_key_env = \"{VARIABLE}\"\nrequired = {}\n",
            first.url(),
            key == "abc",
        )
    };
    let instead = table("far", "chat", "chat") + &table("far-embed", "embedding", "embed");
    let environment = vec![(VARIABLE.to_owned(), key.to_owned())];
    NodeOptions { instead: Some(instead), environment, ..NodeOptions::default() }
}

fn question(model: &str) -> Value {
    json!({"model": model, "temperature": 0, "max_tokens": 24, "seed": 7,
        "messages": [{"role": "user", "content": "What is the capital of France? Schön kurz."}]})
}

fn an_answer_is_the_same_whole_and_streamed_as_from_the_node_itself(first: &Node, second: &Node) {
    let own = first.client().with_key("abc").post("/v1/chat/completions", &question("chat")).json();
    let far = second.client().post("/v1/chat/completions", &question("far"));
    assert_eq!(far.status, 200, "{}", far.body);
    let far = far.json();
    assert_eq!(far["choices"][0]["message"]["content"], own["choices"][0]["message"]["content"]);
    assert_eq!(far["choices"][0]["finish_reason"], own["choices"][0]["finish_reason"]);
    assert_eq!(far["usage"]["completion_tokens"], own["usage"]["completion_tokens"]);
    assert_eq!((&far["model"], &own["model"]), (&json!("far"), &json!("chat")));
    let mut streamed = question("far");
    streamed["stream"] = json!(true);
    let (text, _) =
        second.client().stream("/v1/chat/completions", &streamed).expect("it streams").collect();
    assert_eq!(own["choices"][0]["message"]["content"], text);
    let counted = second.metric("gaia_generated_tokens_total", "far");
    assert!(counted >= own["usage"]["completion_tokens"].as_f64().expect("a number"), "{counted}");
}

fn a_demanded_call_comes_through(second: &Node) {
    let function = json!({"name": "weather", "parameters": {"type": "object",
        "additionalProperties": false, "required": ["days"],
        "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 7}}}});
    let mut asked = question("far");
    asked["tools"] = json!([{"type": "function", "function": function}]);
    asked["tool_choice"] = json!("required");
    asked["parallel_tool_calls"] = json!(false);
    let answer = second.client().post("/v1/chat/completions", &asked).json();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls", "{answer}");
    let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "weather");
    let arguments: Value =
        serde_json::from_str(call["arguments"].as_str().expect("a text")).expect("JSON");
    assert!((1..=7).contains(&arguments["days"].as_i64().expect("a number")), "{arguments}");
}

fn texts_become_the_same_vectors(first: &Node, second: &Node) {
    let ask = |model: &str| json!({"model": model, "input": ["A cat.", "Ein Hund."]});
    let own = first.client().with_key("abc").post("/v1/embeddings", &ask("embed")).json();
    let far = second.client().post("/v1/embeddings", &ask("far-embed")).json();
    for index in 0..2 {
        let vector = |answer: &Value| -> Vec<f64> {
            let values = answer["data"][index]["embedding"].as_array().expect("a vector");
            values.iter().map(|value| value.as_f64().expect("a number")).collect()
        };
        let pairs = vector(&own).into_iter().zip(vector(&far));
        let cosine: f64 = pairs.map(|(one, other)| one * other).sum();
        assert!(cosine > 0.9999, "{cosine}");
    }
}

fn what_the_other_node_refuses_is_told(second: &Node) {
    let schema = json!({"name": "x", "schema": {"type": "object", "not": {}}});
    let mut asked = question("far");
    asked["response_format"] = json!({"type": "json_schema", "json_schema": schema});
    let refused = second.client().post("/v1/chat/completions", &asked);
    assert_eq!(refused.status, 400, "{}", refused.body);
    let error = &refused.json()["error"];
    assert_eq!(error["param"], "response_format", "{error}");
    assert!(error["message"].as_str().expect("a text").contains("refuses the request"), "{error}");
    let counting = json!({"model": "far", "messages": [{"role": "user", "content": "Hi"}]});
    let refused = second.client().post("/v1/messages/count_tokens", &counting);
    assert!(refused.status == 400 && refused.body.contains("another server"), "{}", refused.body);
}

/// Its passages are measured by estimate: the tokenizer is with the other node.
fn documents_are_brought_in_and_found(second: &Node) {
    let client = second.client();
    let collection = json!({"name": "far", "embedder": "far-embed"});
    let made = client.post("/v1/knowledge/collections", &collection);
    assert!(made.status < 300, "{}", made.body);
    let file = second.folder().join("notes.txt");
    let text = "Gulls sleep on the water. ".repeat(40) + "\n\nThe lighthouse's password is kelp.";
    std::fs::write(&file, text).expect("the folder is ours");
    let mut ingest = Command::new(binary("gaia-node"));
    ingest.args(["kb", "--url", &second.url(), "ingest", "-c", "far"]).arg(&file);
    let ingested = ingest.output().expect("it runs");
    assert!(ingested.status.success(), "{}", String::from_utf8_lossy(&ingested.stderr));
    let mut asked = question("far");
    asked["messages"][0]["content"] = json!("What is the password of the lighthouse?");
    asked["knowledge"] = json!({"collections": ["far"], "limit": 1});
    let answer = client.post("/v1/chat/completions", &asked).json();
    let cited = &answer["citations"][0];
    assert!(cited["text"].as_str().is_some_and(|text| text.contains("kelp")), "{answer}");
}

fn the_operator_sees_both_models_and_changes_neither(first: &Node, second: &Node) {
    let listed = second.client().get("/admin/models").json();
    let models = listed["models"].as_array().expect("a list");
    let seen: Vec<_> = models.iter().map(|model| (&model["name"], &model["state"])).collect();
    let ready = json!("ready");
    assert_eq!(seen, [(&json!("far"), &ready), (&json!("far-embed"), &ready)]);
    let refused = second.client().post("/admin/models/far/unload", &json!({}));
    assert!(refused.status == 409 && refused.body.contains("[[upstreams]]"), "{}", refused.body);
    let info = second.client().get("/v1/info").body;
    let port = first.url().rsplit_once(':').expect("a port").1.to_owned();
    assert!(info.contains("far-embed") && !info.contains(&port), "{info}");
}

fn a_wrong_key_is_told_to_the_operator_alone(first: &Node) {
    let stranger = Node::start_beside(first, &asking(first, "not-the-key"));
    let refused = stranger.client().post("/v1/chat/completions", &question("far"));
    assert_eq!(refused.status, 502, "{}", refused.body);
    assert!(refused.body.contains("refuses this node's key"), "{}", refused.body);
    assert!(stranger.log().contains("401") && !stranger.log().contains("not-the-key"));
}
