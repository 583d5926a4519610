//! The exact words of the routes for bare texts: completions, tokens, vectors, ranks.

use gaia_protocol::{Channel, Task, TokenLogprob, TokenText};
use serde_json::Value;

use super::shapes::still;
use super::*;

fn token(id: u32, bytes: &[u8]) -> TokenText {
    TokenText { id, bytes: bytes.to_vec() }
}

fn probable(text: &str, logprob: Option<f32>) -> Result<Event, gaia_core::ServeError> {
    let token = |text: &str| token(1, text.as_bytes());
    let logprobs =
        vec![TokenLogprob { token: token(text), logprob, top: vec![(token("x"), -2.0)] }];
    Ok(Event::Delta { text: text.into(), tokens: 1, channel: Channel::Content, logprobs })
}

async fn of(model: FakeModel) -> (Server, Arc<FakeModel>) {
    let model = Arc::new(model);
    let (config, auth) = (ServerConfig::default(), AuthConfig::default());
    (Server::start(config, auth, vec![model.clone()]).await, model)
}

#[tokio::test]
async fn several_prompts_are_blocks_of_choices() {
    let scripts = vec![
        vec![delta("a"), finish(1)],
        vec![delta("b"), finish(1)],
        vec![delta("c"), finish(1)],
        vec![delta("d"), finish(1)],
    ];
    let model = FakeModel::new("chat", ModelKind::Chat).answering_in_turn(scripts);
    let (server, model) = of(model).await;
    let body = r#"{"prompt":["one","two"],"n":2,"seed":1}"#;
    let whole = server.client.post("/v1/completions", body).await;
    let choice = |index: u32, text: &str| {
        format!(r#"{{"text":"{text}","index":{index},"logprobs":null,"finish_reason":"stop"}}"#)
    };
    let choices = [choice(0, "a"), choice(1, "b"), choice(2, "c"), choice(3, "d")].join(",");
    let usage = r#"{"prompt_tokens":6,"completion_tokens":4,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}"#;
    let golden = format!(
        r#"{{"id":"cmpl-ID","object":"text_completion","created":TIME,"model":"chat","choices":[{choices}],"usage":{usage}}}"#
    );
    assert_eq!(still(&whole.body), golden);
    let tasks = model.tasks().into_iter().map(|task| match task {
        Task::Complete(task) => (task.prompt.as_text().map(str::to_owned), task.sampling.seed),
        _ => panic!("another task"),
    });
    let text = |text: &str, seed| (Some(text.to_owned()), Some(seed));
    let wanted = [text("one", 1), text("one", 2), text("two", 1), text("two", 2)];
    assert_eq!(tasks.collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn probabilities_have_the_old_shape() {
    let script = vec![probable("é", None), probable("b", Some(-1.0)), finish(1)];
    let (server, _) = of(FakeModel::new("chat", ModelKind::Chat).answering(script)).await;
    let body = r#"{"prompt":"é","echo":true,"logprobs":1"#;
    let whole = server.client.post("/v1/completions", &format!("{body}}}")).await.body;
    let lists = |tokens: &str, logprobs: &str, top: &str, offsets: &str| {
        format!(
            r#""logprobs":{{"tokens":[{tokens}],"token_logprobs":[{logprobs}],"top_logprobs":[{top}],"text_offset":[{offsets}]}}"#
        )
    };
    let top = r#"{"b":-1.0,"x":-2.0}"#;
    let wanted = lists(r#""é","b""#, "null,-1.0", &format!("null,{top}"), "0,1");
    assert!(whole.contains(&wanted), "{whole}");
    let streamed =
        server.client.post("/v1/completions", &format!(r#"{body},"stream":true}}"#)).await;
    for wanted in [lists(r#""é""#, "null", "null", "0"), lists(r#""b""#, "-1.0", top, "1")] {
        assert!(streamed.body.contains(&wanted), "{}", streamed.body);
    }
}

#[tokio::test]
async fn a_text_becomes_tokens_and_tokens_a_text() {
    let tokens = vec![token(7, b"a"), token(8, &[0xc3]), token(9, &[0xa9])];
    let script = vec![Ok(Event::Tokens { tokens }), finish(0)];
    let (server, model) = of(FakeModel::new("embed", ModelKind::Embedding).answering(script)).await;
    for path in ["/tokenize", "/v1/tokenize"] {
        let bare = server.client.post(path, r#"{"content":"aé"}"#).await;
        assert_eq!(bare.body, r#"{"tokens":[7,8,9]}"#);
    }
    let body = r#"{"content":"aé","with_pieces":true,"add_special":true}"#;
    let pieces = server.client.post("/tokenize", body).await;
    let wanted =
        r#"{"tokens":[{"id":7,"piece":"a"},{"id":8,"piece":[195]},{"id":9,"piece":[169]}]}"#;
    assert_eq!(pieces.body, wanted);
    for path in ["/detokenize", "/v1/detokenize"] {
        let text = server.client.post(path, r#"{"tokens":[7,8,9]}"#).await;
        assert_eq!(text.body, r#"{"content":"aé"}"#);
    }
    let Some(Task::Tokenize(last)) = model.tasks().pop() else { panic!("another task") };
    assert_eq!(last.input, gaia_protocol::Input::Tokens(vec![7, 8, 9]));
    let unknown = server.client.post("/tokenize", r#"{"content":"a","model":"none"}"#).await;
    assert_eq!(unknown.error()["code"], "model_not_found");
}

#[tokio::test]
async fn vectors_are_cut_to_the_dimensions_asked_for() {
    let (server, _) = of(FakeModel::new("embed", ModelKind::Embedding).answering(vec![
        Ok(Event::Embedding { index: 0, vector: vec![0.6, 0.8, 0.0], tokens: 3 }),
        finish(0),
    ]))
    .await;
    let cut = server.client.post("/v1/embeddings", r#"{"input":[1,2,3],"dimensions":1}"#).await;
    assert!(cut.body.contains(r#""embedding":[1.0]"#), "{}", cut.body);
    let long = server.client.post("/v1/embeddings", r#"{"input":"a","dimensions":4}"#).await;
    assert_eq!((long.status, &long.error()["param"]), (400, &"dimensions".into()));
}

#[tokio::test]
async fn documents_are_ranked() {
    let vector =
        |index, vector: &[f32]| Ok(Event::Embedding { index, vector: vector.to_vec(), tokens: 1 });
    let script =
        vec![vector(0, &[1.0, 0.0]), vector(1, &[0.0, 1.0]), vector(2, &[0.6, 0.8]), finish(0)];
    let (server, _) = of(FakeModel::new("embed", ModelKind::Embedding).answering(script)).await;
    let body = r#"{"model":"embed","query":"q","documents":["a",{"text":"b"}]}"#;
    for path in ["/rerank", "/v1/rerank"] {
        let answer = server.client.post(path, body).await;
        let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(answer["results"][0]["index"], 1, "{answer}");
        assert_eq!(answer["results"][1]["relevance_score"], 0.0, "{answer}");
    }
    let wrong = server.client.post("/rerank", r#"{"query":"q","documents":[""]}"#).await;
    assert_eq!((wrong.status, &wrong.error()["param"]), (400, &"documents[0]".into()));
}

#[tokio::test]
async fn a_reranker_is_asked_for_scores() {
    let score = |index, score| Ok(Event::Score { index, score, tokens: 4 });
    let script = vec![score(0, 0.25), score(1, 0.75), finish(0)];
    let (server, model) = of(FakeModel::new("rank", ModelKind::Rerank).answering(script)).await;
    let body = r#"{"query":"q","documents":["a","b"],"truncate":true,"top_n":1}"#;
    let answer = server.client.post("/v1/rerank", body).await;
    let wanted = r#""results":[{"index":1,"relevance_score":0.75}]"#;
    assert!(answer.body.contains(wanted), "{}", answer.body);
    let Some(Task::Rank(task)) = model.tasks().pop() else { panic!("another task") };
    assert_eq!((task.query.as_str(), task.documents.len(), task.truncate), ("q", 2, true));
    let vectors = server.client.post("/v1/embeddings", r#"{"model":"rank","input":"a"}"#).await;
    assert_eq!((vectors.status, &vectors.error()["param"]), (400, &"model".into()));
    assert!(vectors.body.contains("ranks documents"), "{}", vectors.body);
    let models = server.client.get("/v1/info").await;
    assert!(models.body.contains(r#""kind":"rerank""#), "{}", models.body);
}
