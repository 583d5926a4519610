//! Streams whose first text is late, and fields that are ignored.

use std::time::Duration;

use futures_util::FutureExt;
use gaia_core::{EventStream, ModelStatus, ReportFuture, ServeError};
use gaia_protocol::Task;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

use super::client::{read, request};
use super::responses::frames;
use super::*;
use crate::http::running::Running;
use crate::http::sse;

const STREAMED_MESSAGES: &str =
    r#"{"stream":true,"max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;

/// A server that waits less for a first text than ours.
async fn impatient(script: Script) -> (Server, Arc<FakeModel>) {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(script).hanging());
    let config = ServerConfig { request_timeout_ms: 300, ..ServerConfig::default() };
    let patience = Duration::from_millis(20);
    let server = Server::start_with(config, vec![chat.clone()], |state| {
        state.open_patience = patience;
    });
    (server.await, chat)
}

#[tokio::test]
async fn a_late_first_text_does_not_keep_the_headers() {
    for (path, body) in [
        ("chat/completions", STREAMED),
        ("completions", r#"{"stream":true,"prompt":"Hi"}"#),
        ("responses", r#"{"stream":true,"input":"Hi"}"#),
        ("messages", STREAMED_MESSAGES),
    ] {
        let prompt = Ok(Event::Prompt { tokens: 3, cached_tokens: 0 });
        let (server, chat) = impatient(vec![prompt]).await;
        let mut stream = server.client.connect().await;
        let request = request(&format!("POST /v1/{path}"), "", body);
        stream.write_all(request.as_bytes()).await.expect("the server reads");
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.expect("the headers come before any text");
        assert_eq!(&start, b"HTTP/1.1 200", "{path}");
        assert_eq!(chat.cancelled(), 0, "{path}");
    }
}

/// A model that says nothing before it is told to.
struct Held {
    model: FakeModel,
    go: Arc<Notify>,
}

impl Model for Held {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn kind(&self) -> ModelKind {
        self.model.kind()
    }

    fn status(&self) -> ModelStatus {
        self.model.status()
    }

    fn report(&self) -> ReportFuture<'_> {
        self.model.report()
    }

    fn start(&self, task: Task) -> Result<EventStream, ServeError> {
        let (events, go) = (self.model.start(task)?, Arc::clone(&self.go));
        let held = async move {
            go.notified().await;
            events
        };
        Ok(Box::pin(held.flatten_stream()))
    }
}

/// Anthropic's first words tell the prompt's tokens, which are known too late here.
#[tokio::test]
async fn a_prompt_that_is_counted_late_is_told_at_the_end() {
    let (model, go) = (FakeModel::new("chat", ModelKind::Chat).answering(paris()), Arc::default());
    let held = Arc::new(Held { model, go: Arc::clone(&go) });
    let server = Server::start_with(ServerConfig::default(), vec![held], |state| {
        state.open_patience = Duration::from_millis(20);
    });
    let server = server.await;
    let mut stream = server.client.connect().await;
    let request = request("POST /v1/messages", "", STREAMED_MESSAGES);
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    stream.peek(&mut [0; 12]).await.expect("the headers come before any text");
    go.notify_one();
    let frames = frames(&read(stream).await.body);
    let [(_, start), .., (_, end), _] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!(start["message"]["usage"]["input_tokens"], 0);
    assert_eq!((&end["type"], &end["usage"]["input_tokens"]), (&"message_delta".into(), &3.into()));
}

#[tokio::test]
async fn what_fails_after_the_headers_is_an_event() {
    let (server, chat) = impatient(vec![]).await;
    let answer = server.client.chat(STREAMED).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/event-stream")));
    assert!(answer.body.contains(r#""code":"time_limit""#), "{}", answer.body);
    assert_eq!(chat.cancelled(), 1);
    let (server, _) = impatient(vec![Err(ServeError::WorkerStopped)]).await;
    assert_eq!(server.client.chat(STREAMED).await.status, 503);
}

/// What a stream says while its model says nothing: of itself each ten seconds.
#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_kept_alive_to_its_time_limit() {
    struct Silent;
    impl sse::Chunks for Silent {
        fn start(&mut self) -> Vec<sse::Frame> {
            vec![]
        }
        fn event(&mut self, _choice: u32, _event: Event) -> Vec<sse::Frame> {
            vec![]
        }
        fn end(&mut self) -> Vec<sse::Frame> {
            vec![]
        }
    }
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).hanging());
    let config = ServerConfig { request_timeout_ms: 35_000, ..ServerConfig::default() };
    let state = Arc::new(State::new(&config, &AuthConfig::default(), vec![chat], super::storage()));
    let text = gaia_protocol::CompleteTask::default();
    let answers = gaia_core::complete(&state.node, None, vec![text], 1).expect("starts");
    let mut running = Running::new(&state, answers);
    running.open().await.expect("nothing failed in the first ten seconds");
    let body = sse::response(running, Silent).into_body();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.expect("it ends");
    let text = String::from_utf8_lossy(&bytes);
    let (silence, end) = text.split_at(6);
    assert_eq!(silence, ":\n\n:\n\n", "at 20 and 30 seconds");
    assert!(end.starts_with("data: {\"error\"") && end.contains("time_limit"), "{end}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_asked_for_late_has_ended_even_if_more_is_ready() {
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let config = ServerConfig { request_timeout_ms: 1000, ..ServerConfig::default() };
    let state = Arc::new(State::new(&config, &AuthConfig::default(), vec![chat], super::storage()));
    let text = gaia_protocol::CompleteTask::default();
    let answers = gaia_core::complete(&state.node, None, vec![text], 1).expect("starts");
    let mut running = Running::new(&state, answers);
    running.open().await.expect("it says something");
    tokio::time::advance(Duration::from_secs(1)).await;
    let late = running.next().await.expect("an error before the end");
    assert_eq!(late.expect_err("it is late"), ServeError::TimeLimit);
}

#[tokio::test]
async fn listed_fields_are_ignored_and_told() {
    let config = ServerConfig {
        ignore_fields: vec!["cache_control".into(), "audio".into()],
        ..ServerConfig::default()
    };
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(config, AuthConfig::default(), vec![chat]).await;
    let told = async |body: &str| {
        let answer = server.client.chat(body).await;
        let header = answer.header("x-gaia-ignored").map(str::to_owned);
        (answer.status, header)
    };
    assert_eq!(told(QUESTION).await, (200, None));
    let body = r#"{"audio":{},"messages":[{"role":"user","content":"Hi","cache_control":1}]}"#;
    let names = "messages[0].cache_control, audio".to_owned();
    assert_eq!(told(body).await, (200, Some(names.clone())));
    let streamed = body.replace(r#"{"audio""#, r#"{"stream":true,"audio""#);
    assert_eq!(told(&streamed).await, (200, Some(names)));
    let other = body.replace(r#"{"audio""#, r#"{"other":1,"audio""#);
    assert_eq!(told(&other).await.0, 400);
}
