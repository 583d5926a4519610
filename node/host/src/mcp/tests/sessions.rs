//! `/sse` and `/message`.

use axum::body::BodyDataStream;
use futures_util::StreamExt;

use super::*;

struct Stream {
    body: BodyDataStream,
    address: String,
}

async fn open(mcp: &Mcp, owner: &str) -> Result<Stream, StatusCode> {
    let request = Request::builder().uri("/sse").header("host", "localhost").body(Body::empty());
    let response = mcp.send(of(request.expect("a request"), owner)).await;
    if !response.status().is_success() {
        return Err(response.status());
    }
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let first = next(&mut body).await;
    let address = first.strip_prefix("event: endpoint\ndata: ").expect("where to post");
    Ok(Stream { body, address: address.trim().to_owned() })
}

async fn next(body: &mut BodyDataStream) -> String {
    let bytes = body.next().await.expect("an event").expect("no error");
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

impl Stream {
    async fn post(&self, mcp: &Mcp, message: &Value) -> StatusCode {
        mcp.send(of(posted(&self.address, format!("{message:#}"), &[]), "ada")).await.status()
    }

    async fn message(&mut self) -> Value {
        let event = next(&mut self.body).await;
        let data = event.strip_prefix("event: message\ndata: ").expect("a message");
        serde_json::from_str(data).expect("JSON")
    }

    async fn begin(&mut self, mcp: &Mcp) {
        let hello = json!({
            "protocolVersion": "2024-11-05", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        assert_eq!(self.post(mcp, &request(0, "initialize", hello)).await, StatusCode::ACCEPTED);
        assert_eq!(self.message().await["result"]["protocolVersion"], "2024-11-05");
        let begun = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.post(mcp, &begun).await, StatusCode::ACCEPTED);
    }
}

fn search() -> Value {
    request(7, "tools/call", json!({"name": "search_knowledge", "arguments": {"query": "owner"}}))
}

fn hanging() -> FakeModel {
    FakeModel::new("embed", ModelKind::Embedding).answering(vec![]).hanging()
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn answers_come_on_the_stream() {
    let mcp = Mcp::new();
    let mut stream = open(&mcp, "ada").await.expect("room");
    stream.begin(&mcp).await;
    assert_eq!(stream.post(&mcp, &search()).await, StatusCode::ACCEPTED);
    let answer = stream.message().await;
    assert_eq!(answer["id"], 7);
    assert!(text(&answer["result"]).contains(TEXT), "{answer:#}");
}

#[tokio::test]
async fn a_session_is_its_owners_and_ends_with_its_stream() {
    let mcp = Mcp::with(McpConfig::default(), hanging());
    let mut stream = open(&mcp, "ada").await.expect("room");
    stream.begin(&mcp).await;
    let bobs = of(posted(&stream.address, search().to_string(), &[]), "bob");
    assert_eq!(mcp.send(bobs).await.status(), StatusCode::NOT_FOUND);
    let none = of(posted(&stream.address, "{".into(), &[]), "ada");
    assert_eq!(mcp.send(none).await.status(), StatusCode::BAD_REQUEST);
    stream.post(&mcp, &search()).await;
    until(|| mcp.embedder.started() == 1).await;
    let address = stream.address.clone();
    drop(stream);
    until(|| mcp.embedder.cancelled() == 1).await;
    let late = of(posted(&address, search().to_string(), &[]), "ada");
    assert_eq!(mcp.send(late).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_notification_takes_a_call_of_the_session_back() {
    let mcp = Mcp::with(McpConfig::default(), hanging());
    let mut stream = open(&mcp, "ada").await.expect("room");
    stream.begin(&mcp).await;
    stream.post(&mcp, &search()).await;
    until(|| mcp.embedder.started() == 1).await;
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7},
    });
    stream.post(&mcp, &cancel).await;
    until(|| mcp.embedder.cancelled() == 1).await;
}

#[tokio::test]
async fn one_key_can_not_take_all_streams() {
    let mut config = McpConfig::default();
    (config.sessions.max, config.sessions.per_key_max) = (2, 1);
    let mcp = Mcp::with(config, embedder());
    let first = open(&mcp, "ada").await.expect("room");
    assert_eq!(open(&mcp, "ada").await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    let _bobs = open(&mcp, "bob").await.expect("room for another key");
    assert_eq!(open(&mcp, "eve").await.err(), Some(StatusCode::TOO_MANY_REQUESTS));
    drop(first);
    assert!(open(&mcp, "ada").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn unused_streams_and_those_of_a_node_that_ends_are_ended() {
    let mut config = McpConfig::default();
    config.sessions.idle = Duration::from_secs(40);
    let mcp = Mcp::with(config, embedder());
    let mut stream = open(&mcp, "ada").await.expect("room");
    assert_eq!(next(&mut stream.body).await, ":\n\n");
    assert_eq!(next(&mut stream.body).await, ":\n\n");
    assert!(stream.body.next().await.is_none(), "nothing was posted for 40 s");
    let mut stream = open(&mcp, "ada").await.expect("room");
    assert!(stream.body.next().now_or_never().is_none());
    mcp.stop.send_replace(true);
    assert!(stream.body.next().await.is_none());
}
