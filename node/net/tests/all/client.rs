//! Calls to a server that does everything wrong that servers do.

use std::fs;
use std::time::Duration;

use crate::support::{Reply, Server, Then, head};
use gaia_net::{Auth, Call, CallError, Client, ClientOptions, EventLimits, Method};
use gaia_net::{PrivateAddresses, Refusal, SseError, TransportError, Upload};
use serde_json::{Value, json};

fn client() -> Client {
    Client::new(ClientOptions::default()).unwrap()
}

fn call(method: Method, server: &Server) -> Call {
    let mut call = Call::new(method, server.url("/v1/x?token=secret"));
    call.bytes_max = 1000;
    call
}

async fn answer(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Result<Value, CallError> {
    let server = Server::start(move |_, _| reply());
    client().json(&call(Method::Get, &server)).await
}

#[tokio::test]
async fn private_addresses_are_refused_to_users() {
    let server = Server::start(|_, _| Reply::new("200 OK", "", b"{}"));
    let private_addresses = PrivateAddresses::Refuse;
    let options = ClientOptions { private_addresses, ..ClientOptions::default() };
    let client = Client::new(options).unwrap();
    for method in [Method::Get, Method::Post] {
        for host in ["127.0.0.1", "localhost", "[::1]"] {
            let mut call = call(method, &server);
            call.url = call.url.replace("127.0.0.1", host);
            let error = client.json(&call).await.unwrap_err();
            let refused = matches!(&error, CallError::Refused(Refusal::PrivateAddress { .. }));
            assert!(refused, "{error}");
        }
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn answers_that_are_too_large_compressed_or_no_json_are_errors() {
    let large = answer(|| Reply::new("200 OK", "", &[b' '; 1001])).await;
    assert!(matches!(large, Err(CallError::TooLarge { bytes_max: 1000, .. })), "{large:?}");
    let endless = answer(|| Reply(head("200 OK", ""), Then::Repeat(b"[1".to_vec()))).await;
    assert!(matches!(endless, Err(CallError::TooLarge { .. })), "{endless:?}");
    let bomb = answer(|| Reply::new("200 OK", "content-encoding: gzip\r\n", b"\x1f\x8b")).await;
    assert!(matches!(bomb, Err(CallError::Encoded { .. })), "{bomb:?}");
    let page = answer(|| Reply::new("200 OK", "", b"<html>")).await;
    assert!(matches!(page, Err(CallError::Unexpected { .. })), "{page:?}");
    let bytes = answer(|| Reply::new("200 OK", "", b"\"\xff\"")).await;
    assert!(matches!(bytes, Err(CallError::Unexpected { .. })), "{bytes:?}");
    let cut = answer(|| Reply(head("200 OK", "content-length: 9\r\n"), Then::Close)).await;
    assert!(matches!(cut, Err(CallError::Transport(TransportError::Broken { .. }))), "{cut:?}");
}

#[tokio::test]
async fn a_slow_answer_ends_the_call() {
    let server = Server::start(|_, _| Reply(head("200 OK", "content-length: 9\r\n"), Then::Hold));
    let mut call = call(Method::Post, &server);
    call.timeout = Duration::from_millis(100);
    let error = client().json(&call).await.unwrap_err();
    assert!(matches!(&error, CallError::Timeout { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn an_error_is_told_with_its_message_but_no_key() {
    let server = Server::start(|_, _| {
        Reply::new("429 Too Many Requests", "retry-after: 7\r\n", b"{\"error\": \"key sk-1\"}")
    });
    let mut call = call(Method::Post, &server);
    call.auth = Auth::Bearer("sk-1".into());
    let error = client().json(&call).await.unwrap_err();
    let url = server.url("/v1/x");
    assert_eq!(error.to_string(), format!("{url} answered 429: {{\"error\": \"key [key]\"}}"));
    let CallError::Status { retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn a_key_with_line_breaks_is_refused() {
    let server = Server::start(|_, _| Reply::new("200 OK", "", b"{}"));
    let mut call = call(Method::Get, &server);
    call.auth = Auth::ApiKey("a\r\nb: c".into());
    let error = client().json(&call).await.unwrap_err();
    assert!(matches!(&error, CallError::Refused(Refusal::Header { .. })), "{error}");
}

#[tokio::test]
async fn only_a_get_follows_redirects() {
    let server = Server::start(|_, request| match request.path() {
        "/there" => Reply::new("200 OK", "", b"1"),
        _ => Reply::redirect("/there"),
    });
    assert_eq!(client().json(&call(Method::Get, &server)).await.unwrap(), json!(1));
    let error = client().json(&call(Method::Post, &server)).await.unwrap_err();
    assert!(matches!(&error, CallError::Refused(Refusal::BadRedirect { .. })), "{error}");
}

#[tokio::test]
async fn json_goes_there_and_back() {
    let server = Server::start(|_, request| Reply::new("200 OK", "", &request.body));
    for method in [Method::Post, Method::Put, Method::Patch, Method::Delete] {
        let mut call = call(method, &server);
        call.body = Some(json!({"text": "hä"}));
        call.auth = Auth::ApiKey("key".into());
        assert_eq!(client().json(&call).await.unwrap(), json!({"text": "hä"}));
    }
    let request = &server.requests()[0];
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("api-key"), Some("key"));
    assert_eq!(answer(|| Reply::new("204 No Content", "", b"")).await.unwrap(), Value::Null);
}

#[tokio::test]
async fn a_file_is_uploaded_as_a_form() {
    let server = Server::start(|_, _| Reply::new("200 OK", "", b"true"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = vec![b'x'; 3_000_000];
    fs::write(file.path(), &content).unwrap();
    let mut upload = Upload {
        file: file.path().into(),
        field: "snapshot".into(),
        file_name: "a \"b\".snapshot".into(),
    };
    let sent = client().upload(&call(Method::Post, &server), &upload).await.unwrap();
    assert_eq!(sent, json!(true));
    let request = &server.requests()[0];
    let kind = request.header("content-type").unwrap();
    assert!(kind.starts_with("multipart/form-data; boundary="), "{kind}");
    let body = String::from_utf8_lossy(&request.body);
    assert!(
        body.contains("name=\"snapshot\"; filename=\"a %22b%22.snapshot\"")
            || body.contains("filename=\"a \\\"b\\\".snapshot\"")
    );
    assert!(request.body.windows(content.len()).any(|window| window == content));
    upload.file = "/dev/zero".into();
    let error = client().upload(&call(Method::Post, &server), &upload).await.unwrap_err();
    assert!(matches!(&error, CallError::File { .. }), "{error}");
}

fn stream(body: &'static [u8], then: fn() -> Then) -> Server {
    Server::start(move |_, _| {
        let mut bytes = head("200 OK", "content-type: text/event-stream; charset=utf-8\r\n");
        bytes.extend_from_slice(body);
        Reply(bytes, then())
    })
}

async fn first_error(server: &Server, limits: EventLimits) -> (usize, CallError) {
    let mut events = client().events(&call(Method::Post, server), limits).await.unwrap();
    let mut count = 0;
    loop {
        match events.next().await {
            Ok(Some(_)) => count += 1,
            Ok(None) => panic!("it ended well"),
            Err(error) => return (count, error),
        }
    }
}

#[tokio::test]
async fn bad_event_streams_end_by_an_error_after_what_was_good() {
    let limits = EventLimits {
        line_bytes_max: 100,
        event_bytes_max: 200,
        stream_bytes_max: 100_000,
        idle_timeout: Duration::from_millis(200),
    };
    let source = |error: CallError| match error {
        CallError::Events { source, .. } => source,
        other => panic!("{other}"),
    };
    let (count, error) =
        first_error(&stream(b"data: 1\n\ndata: \xff\n\n", || Then::Close), limits).await;
    assert_eq!((count, source(error)), (1, SseError::NotUtf8));
    let (count, error) = first_error(&stream(b"data: 1\n\ndata: 2", || Then::Close), limits).await;
    assert_eq!((count, source(error)), (1, SseError::Cut));
    let long = stream(b"data: 1\n\n", || Then::Repeat(b"xxxx".to_vec()));
    let (count, error) = first_error(&long, limits).await;
    assert_eq!((count, source(error)), (1, SseError::LongLine { bytes_max: 100 }));
    let endless = stream(b"", || Then::Repeat(b": ping\n\n".to_vec()));
    let (count, error) = first_error(&endless, limits).await;
    assert_eq!((count, source(error)), (0, SseError::LongStream { bytes_max: 100_000 }));
    let (count, error) = first_error(&stream(b"data: 1\n\n", || Then::Hold), limits).await;
    assert_eq!(count, 1);
    assert!(matches!(error, CallError::Transport(TransportError::Silent { .. })), "{error}");
}

#[tokio::test]
async fn a_page_is_no_event_stream() {
    let server =
        Server::start(|_, _| Reply::new("200 OK", "content-type: text/html\r\n", b"data: 1"));
    let events = client().events(&call(Method::Post, &server), EventLimits::default()).await;
    assert!(matches!(events, Err(CallError::Unexpected { .. })));
}

#[tokio::test]
async fn a_chat_stream_is_read_to_its_end() {
    let body = b"data: {\"a\":1}\r\n\r\ndata: {\"a\":2}\n\nevent: x\ndata: [DONE]\n\n";
    let server = stream(body, || Then::Close);
    let call = call(Method::Post, &server);
    let mut events = client().events(&call, EventLimits::default()).await.unwrap();
    let mut data = vec![];
    while let Some(event) = events.next().await.unwrap() {
        data.push(event.data.clone());
        assert_eq!(event.is_done(), event.name == "x");
    }
    assert_eq!(data, ["{\"a\":1}", "{\"a\":2}", "[DONE]"]);
}
