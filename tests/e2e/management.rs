//! Models come, go and change while the node serves.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gaia_tests::{Client, Node, NodeOptions, Request, Response, binary, chat_model, wait_until};
use serde_json::{Value, json};

fn options(chat: &str) -> NodeOptions {
    NodeOptions { chat: chat.to_owned(), ..NodeOptions::default() }
}

fn ask(client: &Client, model: &str) -> Response {
    let messages = json!([{"role": "user", "content": "What is the capital of France?"}]);
    let request = json!({"model": model, "max_tokens": 8, "temperature": 0, "messages": messages});
    client.post("/v1/chat/completions", &request)
}

fn send(client: &Client, method: &str, path: &str, body: &Value) -> Response {
    client.send(&Request {
        method,
        path,
        headers: &[("content-type", "application/json")],
        body: body.to_string().as_bytes(),
    })
}

fn state(client: &Client, name: &str) -> Value {
    let listed = client.get("/admin/models").json();
    let models = listed["models"].as_array().expect("models").clone();
    models.into_iter().find(|model| model["name"] == name).expect("the model is known")
}

fn cli(node: &Node, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary("gaia-node"));
    command.arg("models").args(arguments).args(["--url", &node.url()]);
    command.output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn files_elsewhere_and_wrong_keys_are_refused() {
    let node = Node::start(&options(""));
    let client = node.client();
    for path in ["/etc/passwd", "models/../../etc/passwd", "/no/such/file.gguf"] {
        let body = json!({"name": "x", "kind": "chat", "path": path});
        let refused = client.post("/admin/models", &body);
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &json!("path")));
        assert!(refused.body.contains("admin.model_dirs"), "{}", refused.body);
    }
    let headers = [("origin", "https://evil.org")];
    let request = Request { method: "GET", path: "/admin/models", headers: &headers, body: b"" };
    assert_eq!(client.send(&request).status, 403);
}

#[test]
fn a_key_manages_only_if_the_config_says_so() {
    // The hashes of `secret` and `abc`.
    let more = "[auth]\nkeys = [\
        { name = \"a\", admin = true, hash = \"sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\" },\
        { name = \"u\", hash = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\" }]";
    let node = Node::start(&NodeOptions { more: more.into(), ..NodeOptions::default() });
    let client = node.client();
    assert_eq!(client.get("/admin/models").status, 401);
    assert_eq!(client.with_key("abc").get("/admin/models").status, 403);
    assert_eq!(client.with_key("secret").get("/admin/models").status, 200);
    let refused = cli(&node, &["list"]);
    assert!(!refused.status.success() && said(&refused).contains("API key"), "{}", said(&refused));
    let listed = Command::new(binary("gaia-node"))
        .args(["models", "list", "--key-env", "GAIA_ADMIN_KEY", "--url", &node.url()])
        .env("GAIA_ADMIN_KEY", "secret")
        .output()
        .expect("it runs");
    assert!(
        listed.status.success() && said(&listed).contains("ready      chat"),
        "{}",
        said(&listed)
    );
    assert!(!node.log().contains("secret"), "a key is never logged");
}

#[test]
fn an_alias_is_served_under_the_real_name() {
    let node = Node::start(&options("aliases = [\"gpt-4o-mini\"]"));
    let client = node.client();
    let answer = ask(&client, "gpt-4o-mini");
    assert_eq!((answer.status, &answer.json()["model"]), (200, &json!("chat")));
    let listed = client.get("/v1/models").json();
    let entry = &listed["data"][1];
    assert_eq!((&entry["id"], &entry["root"]), (&json!("gpt-4o-mini"), &json!("chat")));
}

#[test]
fn an_idle_model_gives_its_memory_back_and_comes_back_for_the_next_requests() {
    let node = Node::start(&options("load = \"demand\"\nidle_unload_s = 1"));
    let client = node.client();
    assert_eq!(state(&client, "chat")["state"], "unloaded");
    assert_eq!(node.workers().len(), 1, "only the other model is in memory");
    for _ in 0..2 {
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let client = node.client();
                thread::spawn(move || ask(&client, "chat"))
            })
            .collect();
        for asked in asking {
            let answer = asked.join().expect("it is answered");
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        wait_until("the idle model is unloaded", || state(&client, "chat")["state"] == "unloaded");
        assert_eq!(node.workers().len(), 1);
        assert_eq!(client.get("/ready").status, 200);
    }
}

/// Asks for streams, one after the other, until told to end; how many came whole.
fn stream_on(client: &Client, go_on: &AtomicBool) -> usize {
    let messages = json!([{"role": "user", "content": "Write a story about a fox and a crow."}]);
    let request = json!({
        "model": "chat", "stream": true, "max_tokens": 24, "messages": messages,
    });
    let mut whole = 0;
    while go_on.load(Ordering::Acquire) {
        let stream = client.stream("/v1/chat/completions", &request).expect("it is served");
        let (_, events) = stream.collect();
        let last = events.last().expect("events");
        assert!(last["choices"][0]["finish_reason"].is_string(), "it was cut short: {last}");
        whole += 1;
    }
    whole
}

#[test]
fn a_swap_under_load_drops_no_request() {
    let node = Node::start(&options(""));
    let client = node.client();
    let go_on = AtomicBool::new(true);
    let whole: usize = thread::scope(|scope| {
        let streams: Vec<_> =
            (0..4).map(|_| scope.spawn(|| stream_on(&node.client(), &go_on))).collect();
        for context_tokens in [512, 1024, 512] {
            let worker = node.workers();
            let first = send(
                &client,
                "PUT",
                "/admin/models/chat",
                &json!({"context_tokens": context_tokens}),
            );
            assert_eq!(first.status, 202, "{}", first.body);
            let second = client.post("/admin/models/chat/unload", &json!({}));
            assert_eq!(
                (second.status, &second.json()["error"]["code"]),
                (409, &json!("model_busy"))
            );
            wait_until("the new worker serves and the old one is gone", || {
                let now = node.workers();
                now.len() == 2 && now != worker && is_free(&client)
            });
            let card = client.get("/v1/info").json()["models"][0]["card"].clone();
            assert_eq!(card["context_tokens"], context_tokens, "{card}");
        }
        go_on.store(false, Ordering::Release);
        streams.into_iter().map(|stream| stream.join().expect("no stream is cut short")).sum()
    });
    assert!(whole >= 4, "{whole} streams were answered");
    assert_eq!(state(&client, "chat")["last_error"], Value::Null);
}

/// Whether no operation is at work: one that changes nothing is taken.
fn is_free(client: &Client) -> bool {
    client.post("/admin/models/chat/load?wait=true", &json!({})).status == 200
}

#[test]
fn a_swap_that_fails_leaves_the_old_model_serving() {
    let node = Node::start(&options(""));
    let client = node.client();
    let broken = Path::new(&chat_model()).with_file_name("broken-by-a-test.gguf");
    std::fs::write(&broken, b"GGUF but nothing more").expect("the models' folder is writable");
    let failed = send(&client, "PUT", "/admin/models/chat?wait=true", &json!({"path": broken}));
    std::fs::remove_file(&broken).expect("it is ours");
    assert_eq!((failed.status, &failed.json()["error"]["code"]), (422, &json!("load_failed")));
    assert_eq!(ask(&client, "chat").status, 200);
    assert!(state(&client, "chat")["last_error"].is_string());
    assert_eq!(client.get("/ready").status, 200);
}

#[test]
fn the_command_line_manages_a_running_node() {
    let node = Node::start(&options(""));
    let client = node.client();
    let file = chat_model();
    let file = file.to_str().expect("UTF-8");
    let steps: [(&[&str], &str); 5] = [
        (
            &["load", "second", "--path", file, "--set", "aliases=[\"two\"]"],
            "ready      second = two",
        ),
        (&["swap", "second", "--set", "context_tokens=256"], "ready      second"),
        (&["unload", "second"], "unloaded   second"),
        (&["load", "second"], "ready      second"),
        (&["list"], "second = two"),
    ];
    for (arguments, wanted) in steps {
        let output = cli(&node, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(wanted), "{arguments:?}: {}", said(&output));
    }
    assert_eq!(ask(&client, "two").json()["model"], "second");
    let removed = cli(&node, &["remove", "second"]);
    assert_eq!(said(&removed).trim(), "removed    second");
    assert_eq!(ask(&client, "two").status, 404);
    for (arguments, wanted) in [
        (&["load", "third", "--path", "/etc/passwd"][..], "path: lies in none of the folders"),
        (&["unload", "third"], "does not exist"),
        (&["swap", "chat"], "--path"),
        (&["list", "--key-env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE"),
    ] {
        let output = cli(&node, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said(&output).contains(wanted), "{arguments:?}: {}", said(&output));
    }
}
