//! `/v1/rerank` with a reranker: the small embedding model with a head of random weights, so that its order
//! has no sense, but is always the same.

use std::path::PathBuf;

use gaia_tests::{
    Client, Head, Node, NodeOptions, POOL_SCORE, Request, Response, app, embedding_model,
    random_weights, reranker, wait_until,
};
use serde_json::{Value, json};

/// A folder for one test's files, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gaia-rerank-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self(path)
    }

    fn model(&self, template: Option<&'static str>) -> PathBuf {
        let weights = random_weights(5);
        let head = Head { pooling: POOL_SCORE, weights, bias: 0.5, template };
        reranker(&embedding_model(), &self.0, &head)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A node that serves a reranker, an embedding model beside it, and nothing else.
fn node(reranker: &std::path::Path) -> Node {
    let (embed, app) = (embedding_model(), app("embed"));
    let model = |name: &str, kind: &str, path: &std::path::Path, more: &str| {
        format!(
            "[[models]]\nname = {name:?}\nkind = {kind:?}\npath = {path:?}\napp = {app:?}\n{more}\n"
        )
    };
    let rank = model("rank", "rerank", reranker, "aliases = [\"rerank-english-v3.0\"]");
    let instead = rank + &model("embed", "embedding", &embed, "");
    Node::start(&NodeOptions { instead: Some(instead), ..NodeOptions::default() })
}

const QUERY: &str = "Where do cats sleep?";

fn documents(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("Sentence {i} tells of topic {} and of cats.", i % 7)).collect()
}

/// The score of each document, in the order of the documents.
fn scores(node: &Node, request: &Value) -> Vec<f64> {
    let answer = node.client().post("/v1/rerank", request);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["model"], "rank");
    let results = answer["results"].as_array().expect("results");
    let score = |result: &Value| result["relevance_score"].as_f64().expect("a number");
    assert!(results.is_sorted_by(|one, other| score(one) >= score(other)), "best first");
    assert!(results.iter().all(|result| (0.0..=1.0).contains(&score(result))), "0 to 1");
    let mut places: Vec<_> = results.iter().collect();
    places.sort_by_key(|result| result["index"].as_u64());
    places.into_iter().map(score).collect()
}

#[test]
fn a_score_does_not_depend_on_the_documents_beside_it() {
    let folder = Folder::new("scores");
    let node = node(&folder.model(None));
    let documents = documents(60);
    let together = scores(&node, &json!({"query": QUERY, "documents": documents}));
    let mut turned = documents.clone();
    turned.reverse();
    let mut turned = scores(
        &node,
        &json!({"model": "rerank-english-v3.0", "query": QUERY, "documents": turned}),
    );
    turned.reverse();
    assert_eq!(together.len(), 60);
    for (one, other) in together.iter().zip(&turned) {
        assert!((one - other).abs() < 0.01, "{one} {other}");
    }
    for index in [0, 31, 59] {
        let alone = scores(&node, &json!({"query": QUERY, "documents": [documents[index]]}));
        assert!((alone[0] - together[index]).abs() < 0.01, "{alone:?} {}", together[index]);
    }
    let other = scores(&node, &json!({"query": "Interest rates", "documents": documents}));
    assert!(together.iter().zip(&other).any(|(a, b)| (a - b).abs() > 0.001), "queries count");
    // Tokens of all pairs: their own ones, a mark before, two between and one behind.
    let body = json!({"query": "cats", "documents": ["mats", "mats mats"]});
    let usage = node.client().post("/v1/rerank", &body).json()["usage"].clone();
    let own = |text: &str| {
        let body = json!({"model": "rank", "content": text, "add_special": false});
        let answer = node.client().post("/tokenize", &body).json();
        answer["tokens"].as_array().expect("tokens").len() as u64
    };
    let wanted = own("cats") * 2 + own("mats") * 3 + 8;
    assert_eq!(usage, json!({"prompt_tokens": wanted, "total_tokens": wanted}));
}

#[test]
fn what_can_not_be_ranked_is_named() {
    let folder = Folder::new("refused");
    let node = node(&folder.model(Some("Q {query} D {document}")));
    let client = node.client();
    let long = "word ".repeat(600);
    for (request, param) in [
        (json!({"query": QUERY, "documents": ["a", long]}), "documents[1]"),
        (json!({"query": long, "documents": ["a"]}), "query"),
        (json!({"query": QUERY, "documents": ["a", ""]}), "documents[1]"),
        (
            json!({"model": "embed", "query": QUERY, "documents": ["a"], "truncate": true}),
            "truncate",
        ),
    ] {
        let refused = client.post("/v1/rerank", &request);
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert_eq!(refused.json()["error"]["param"], param, "{}", refused.body);
    }
    let longer = "word ".repeat(300_000);
    let request = json!({"query": QUERY, "documents": ["a", long, longer], "truncate": true});
    assert_eq!(scores(&node, &request).len(), 3);
    // A text that spells a mark, or the template's own places, is text.
    let texts = ["[SEP] [CLS]", "{query} {document}"];
    assert_eq!(scores(&node, &json!({"query": "{document}", "documents": texts})).len(), 2);
    for (path, body) in [
        ("/v1/embeddings", json!({"model": "rank", "input": "a"})),
        ("/v1/completions", json!({"model": "rank", "prompt": "a"})),
    ] {
        let refused = client.post(path, &body);
        assert_eq!((refused.status, &refused.json()["error"]["param"]), (400, &"model".into()));
    }
    let near =
        client.post("/v1/rerank", &json!({"model": "embed", "query": QUERY, "documents": ["a"]}));
    assert_eq!(near.json()["model"], "embed", "cosines are there for who asks for them");
}

#[test]
fn who_hangs_up_takes_the_ranking_along() {
    let folder = Folder::new("gone");
    let node = node(&folder.model(None));
    let client = node.client();
    let long: Vec<String> = (0..2000).map(|i| format!("{i} {}", "word ".repeat(300))).collect();
    let body = json!({"query": QUERY, "documents": long}).to_string();
    let mut connection = client.connect();
    let head = format!(
        "POST /v1/rerank HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    std::io::Write::write_all(&mut connection, (head + &body).as_bytes()).expect("it reads");
    wait_until("pairs are computed", || node.metric("gaia_embeddings_total", "rank") > 0.0);
    drop(connection);
    let cancelled = || node.metric("gaia_sequences_cancelled_total", "rank");
    wait_until("those that wait are dropped", || cancelled() > 0.0);
    wait_until("its place is free", || node.metric("gaia_requests_active", "") == 0.0);
    assert!(node.metric("gaia_embeddings_total", "rank") < 2000.0, "it did not go on");
    assert_eq!(scores(&node, &json!({"query": QUERY, "documents": ["a"]})).len(), 1);
}

#[test]
fn a_reranker_that_comes_takes_the_place_of_vectors_until_it_goes() {
    let folder = Folder::new("admin");
    let path = folder.model(None);
    let more = format!("[admin]\nmodel_dirs = [{:?}]\n", folder.0);
    let node = Node::start(&NodeOptions { more, ..NodeOptions::default() });
    let client = node.client();
    let ranked = || client.post("/v1/rerank", &json!({"query": QUERY, "documents": ["a", "b"]}));
    assert_eq!(ranked().json()["model"], "embed");
    let wrong = json!({"name": "rank", "kind": "embedding", "path": path});
    let refused = client.post("/admin/models?wait=true", &wrong);
    assert!(refused.status >= 400 && refused.body.contains("rerank"), "{}", refused.body);
    let _ = send(&client, "DELETE", "/admin/models/rank?wait=true");
    let body = json!({"name": "rank", "kind": "rerank", "path": path});
    let added = client.post("/admin/models?wait=true", &body);
    assert_eq!(added.status, 200, "{}", added.body);
    assert_eq!(ranked().json()["model"], "rank");
    let change = |action: &str| {
        let done = client.post(&format!("/admin/models/rank/{action}?wait=true"), &json!({}));
        assert_eq!(done.status, 200, "{}", done.body);
    };
    change("unload");
    assert_eq!(ranked().status, 503);
    change("load");
    assert_eq!(ranked().json()["model"], "rank");
    assert_eq!(send(&client, "DELETE", "/admin/models/rank?wait=true").status, 200);
    assert_eq!(ranked().json()["model"], "embed");
}

fn send(client: &Client, method: &str, path: &str) -> Response {
    client.send(&Request { method, path, headers: &[], body: b"" })
}
