//! Connections that are slow, gone, or open when the node ends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::client::{read, request};
use super::*;

/// Waits for what must happen; the test's own time limit is the only one.
async fn eventually(what: impl Fn() -> bool) {
    while !what() {
        sleep(Duration::from_millis(5)).await;
    }
}

async fn hanging(script: Script) -> (Server, Arc<FakeModel>) {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(script).hanging());
    let (config, auth) = (ServerConfig::default(), AuthConfig::default());
    (Server::start(config, auth, vec![chat.clone()]).await, chat)
}

#[tokio::test]
async fn a_client_that_hangs_up_cancels_its_answer_streamed_or_not() {
    for (body, script) in [(STREAMED, vec![delta("a")]), (STREAMED, vec![]), (QUESTION, vec![])] {
        let (server, chat) = hanging(script).await;
        let mut stream = server.client.connect().await;
        let request = request("POST /v1/chat/completions", "", body);
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        eventually(|| chat.started() == 1).await;
        drop(stream);
        eventually(|| chat.cancelled() == 1).await;
        eventually(|| server.state.node.admission.active() == 0).await;
    }
}

#[tokio::test]
async fn slow_headers_are_hung_up_on() {
    let config = ServerConfig { header_timeout_ms: 50, ..ServerConfig::default() };
    let server = Server::start(config, AuthConfig::default(), vec![]).await;
    let mut slow = server.client.connect().await;
    slow.write_all(b"GET /health HTTP/1.1\r\nhost:").await.expect("the server reads");
    let mut idle = server.client.connect().await;
    let mut rest = vec![];
    slow.read_to_end(&mut rest).await.expect("the server hangs up");
    idle.read_to_end(&mut rest).await.expect("the server hangs up on silence too");
}

#[tokio::test]
async fn a_slow_body_is_answered_with_408() {
    let config = ServerConfig { body_timeout_ms: 50, ..ServerConfig::default() };
    let server = Server::start(config, AuthConfig::default(), vec![]).await;
    let mut slow = server.client.connect().await;
    let head = "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.expect("the server reads");
    let answer = read(slow).await;
    assert_eq!((answer.status, &answer.error()["code"]), (408, &"body_timeout".into()));
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_their_turn() {
    let config =
        ServerConfig { connections_max: 1, header_timeout_ms: 50, ..ServerConfig::default() };
    let server = Server::start(config, AuthConfig::default(), vec![]).await;
    let _idle = server.client.connect().await;
    assert_eq!(server.client.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_client_that_stops_reading_is_given_up() {
    let script: Script = (0..4096).map(|_| delta(&"x".repeat(4096))).collect();
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(script).hanging());
    let config = ServerConfig { body_timeout_ms: 100, ..ServerConfig::default() };
    let server = Server::start(config, AuthConfig::default(), vec![chat.clone()]).await;
    let mut stream = server.client.connect().await;
    let request = request("POST /v1/chat/completions", "", STREAMED);
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    eventually(|| chat.cancelled() == 1).await;
}

#[tokio::test]
async fn a_stopping_server_finishes_what_runs_and_accepts_nothing_new() {
    let (mut server, chat) = hanging(vec![delta("a")]).await;
    let mut running = server.client.connect().await;
    let request = request("POST /v1/chat/completions", "", STREAMED);
    running.write_all(request.as_bytes()).await.expect("the server reads");
    eventually(|| chat.started() == 1).await;
    server.stop.send_replace(true);
    let address = running.peer_addr().expect("connected");
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        sleep(Duration::from_millis(5)).await;
    }
    assert!(server.serving.try_join_next().is_none(), "an answer runs");
    assert_eq!(chat.cancelled(), 0);
    drop(running);
    let ended = server.serving.join_next().await.expect("it was spawned");
    ended.expect("ends when the last answer has");
    assert_eq!(chat.cancelled(), 1);
}
