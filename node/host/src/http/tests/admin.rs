//! Who may manage models, and how refusals look. No worker is started: the model waits for a
//! request that does not come.

use super::Server;
use super::client::Answer;
use crate::config::{Config, Places};
use crate::http::State;
use crate::workers::Workers;

/// The hash of `secret`.
const ADMIN: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
/// The hash of `abc`.
const USER: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

const LOCAL: &str = "host: localhost\r\n";

struct Managed {
    server: Server,
    _workers: Workers,
}

impl Managed {
    /// A node whose workers end at once.
    async fn start(more: &str) -> Self {
        Self::with_worker("/bin/false", more).await
    }

    async fn with_worker(binary: &str, more: &str) -> Self {
        let places = Places {
            node_home: "/no/such/home".into(),
            user_home: "/home/ada".into(),
            config_folder: "/etc/gaia".into(),
        };
        let text = format!(
            "{more}\n[worker]\nbinary = {binary:?}\n[[models]]\nname = \"m\"\nkind = \"chat\"\n\
             path = \"models/m.gguf\"\napp = \"apps/chat.wasm\"\nload = \"demand\"\nload_timeout_ms = 500\n"
        );
        let config = Config::parse("the test's config", &text, places).expect("it is valid");
        let workers = Workers::start(&config).expect("the program is there");
        let state =
            State::new(&config.server, &config.auth, workers.models().all(), super::storage());
        let server = Server::serving(state.managed(workers.manager())).await;
        Self { server, _workers: workers }
    }

    async fn send(&self, line: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        self.server.client.raw(request.as_bytes()).await
    }

    async fn list(&self, headers: &str) -> Answer {
        self.send("GET /admin/models", headers, "").await
    }
}

#[tokio::test]
async fn without_keys_only_this_machine_manages() {
    let node = Managed::start("").await;
    for headers in [
        "host: evil.org\r\n",
        "",
        "host: localhost\r\norigin: https://evil.org\r\n",
        "host: localhost\r\norigin: null\r\n",
        "host: localhost\r\nx-forwarded-for: 10.0.0.1\r\n",
    ] {
        let refused = node.list(headers).await;
        assert_eq!(
            (refused.status, &refused.error()["code"]),
            (403, &"admin_only".into()),
            "{headers}"
        );
    }
    assert_eq!(node.list(LOCAL).await.status, 200);
    assert_eq!(
        node.list("host: 127.0.0.1:1\r\norigin: http://localhost:3000\r\n").await.status,
        200
    );
}

#[tokio::test]
async fn a_node_that_others_reach_wants_an_admin_key() {
    let open = "[server]\nlisten = \"0.0.0.0:1\"\nallow_unauthenticated_remote = true";
    assert_eq!(Managed::start(open).await.list(LOCAL).await.status, 403);
    let keys = format!(
        "[auth]\nkeys = [{{ name = \"u\", hash = \"{USER}\" }}, \
         {{ name = \"a\", hash = \"{ADMIN}\", admin = true }}]"
    );
    let node = Managed::start(&keys).await;
    let with = |key: &str| format!("{LOCAL}authorization: Bearer {key}\r\n");
    assert_eq!(node.list(LOCAL).await.status, 401);
    assert_eq!(node.list(&with("wrong")).await.status, 401);
    assert_eq!(node.list(&with("abc")).await.status, 403);
    assert_eq!(node.list(&with("secret")).await.status, 200);
    let page = with("secret") + "origin: https://evil.org\r\n";
    assert_eq!(node.list(&page).await.status, 403);
    let models = node.send("GET /v1/models", &with("abc"), "").await;
    assert_eq!(models.status, 200, "other keys still open the rest");
}

#[tokio::test]
async fn browsers_are_allowed_nothing() {
    let node = Managed::start("").await;
    let headers = format!(
        "{LOCAL}origin: http://localhost:3000\r\naccess-control-request-method: DELETE\r\n"
    );
    for line in ["OPTIONS /admin/models", "OPTIONS /admin/models/m", "GET /admin/models"] {
        let answer = node.send(line, &headers, "").await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{line}");
    }
    assert_eq!(node.send("OPTIONS /admin/models", &headers, "").await.status, 405);
}

#[tokio::test]
async fn refusals_name_the_field() {
    let node = Managed::start("").await;
    for (line, body, status, code, param) in [
        ("POST /admin/models", "{}", 400, "invalid_model", Some("name")),
        (
            "POST /admin/models",
            r#"{"name": "n", "kind": "vision", "path": "models/n.gguf"}"#,
            400,
            "invalid_model",
            Some("path"),
        ),
        ("POST /admin/models", r#"{"name": [null]}"#, 400, "", Some("name")),
        ("PUT /admin/models/m", r#"{"path": "/etc/passwd"}"#, 400, "invalid_model", Some("path")),
        (
            "PUT /admin/models/m",
            r#"{"sequences_max": 0}"#,
            400,
            "invalid_model",
            Some("sequences_max"),
        ),
        ("PUT /admin/models/m", r#"{"colour": 1}"#, 400, "invalid_model", Some("colour")),
        ("PUT /admin/models/m?wait=perhaps", "{}", 400, "", Some("wait")),
        ("PUT /admin/models/none", "{}", 404, "model_not_found", Some("name")),
        ("DELETE /admin/models/none", "", 404, "model_not_found", Some("name")),
        ("POST /admin/models/none/load", "", 404, "model_not_found", Some("name")),
        ("PATCH /admin/models/m", "", 405, "method_not_allowed", None),
    ] {
        let answer = node.send(line, LOCAL, body).await;
        let error = answer.error();
        assert_eq!(answer.status, status, "{line}: {error}");
        assert_eq!(error["param"].as_str(), param, "{line}: {error}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{line}: {error}");
    }
}

#[tokio::test]
async fn an_operation_says_how_it_went() {
    let node = Managed::start("").await;
    let listed: serde_json::Value =
        serde_json::from_str(&node.list(LOCAL).await.body).expect("JSON");
    let model = &listed["models"][0];
    assert_eq!((&model["name"], &model["state"]), (&"m".into(), &"unloaded".into()));
    assert_eq!(model["path"], "/no/such/home/models/m.gguf");
    let failed = node.send("POST /admin/models/m/load?wait=true", LOCAL, "").await;
    assert_eq!(
        (failed.status, &failed.error()["code"]),
        (422, &"load_failed".into()),
        "{failed:?}"
    );
    let unloaded = node.send("POST /admin/models/m/unload?wait=true", LOCAL, "").await;
    assert!(unloaded.body.contains(r#""state":"unloaded""#), "{unloaded:?}");
    let removed = node.send("DELETE /admin/models/m?wait=true", LOCAL, "").await;
    assert_eq!((removed.status, removed.body.as_str()), (200, r#"{"name":"m","state":"removed"}"#));
    let body = r#"{"name": "n", "kind": "chat", "path": "models/n.gguf"}"#;
    let refused = node.send("POST /admin/models?wait=true", LOCAL, body).await;
    assert!(refused.error()["message"].as_str().is_some_and(|said| said.contains("no such file")));
}

#[tokio::test]
async fn an_operation_that_nobody_waits_for_is_accepted() {
    let node = Managed::start("").await;
    assert_eq!(node.send("POST /admin/models/m/unload", LOCAL, "").await.status, 202);
}

#[tokio::test]
async fn a_request_that_waits_for_its_model_holds_its_place_and_is_told_when_to_come_back() {
    // It reads nothing, says nothing and does not end: a model that loads for ever.
    let node = Managed::with_worker("/bin/yes", "[server]\nrequests_max = 1").await;
    let question = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;
    let client = &node.server.client;
    let second = async {
        while node.server.state.node.admission.active() == 0 {
            tokio::task::yield_now().await;
        }
        client.chat(question).await
    };
    let (first, second) = tokio::join!(client.chat(question), second);
    assert_eq!((second.status, &second.error()["code"]), (429, &"overloaded".into()));
    assert_eq!((first.status, first.header("retry-after")), (503, Some("10")), "{first:?}");
    assert!(first.body.contains("it is still being loaded"), "{first:?}");
}
