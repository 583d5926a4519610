//! The exact words of answers to conversations: calls, thoughts, probabilities, choices.

use gaia_core::ServeError;
use gaia_protocol::{Channel, Task, TokenLogprob, TokenText};
use serde_json::Value;

use super::shapes::still;
use super::*;

fn call(index: u32, name: &str) -> Result<Event, ServeError> {
    Ok(Event::ToolCall { index, name: name.into(), tokens: 2 })
}

fn arguments(index: u32, text: &str) -> Result<Event, ServeError> {
    Ok(Event::ToolArguments { index, text: text.into(), tokens: 1 })
}

fn thought(text: &str) -> Result<Event, ServeError> {
    Ok(Event::Delta { text: text.into(), tokens: 1, channel: Channel::Reasoning, logprobs: vec![] })
}

fn finish_with(reason: FinishReason) -> Result<Event, ServeError> {
    let usage =
        Usage { prompt_tokens: 9, completion_tokens: 7, cached_tokens: 4, reasoning_tokens: 1 };
    Ok(Event::finish(reason, usage))
}

/// Thinks, and calls two functions.
fn calling() -> Script {
    vec![
        Ok(Event::Prompt { tokens: 9, cached_tokens: 4 }),
        thought("hm"),
        call(0, "f"),
        arguments(0, "{\"a\""),
        arguments(0, ":1}"),
        call(1, "g"),
        arguments(1, "{}"),
        finish_with(FinishReason::ToolCalls),
    ]
}

/// `Ö` in two tokens, the first of which is no text yet.
fn probable() -> Script {
    let token = |bytes: &[u8], logprob| TokenLogprob {
        token: TokenText { id: 1, bytes: bytes.to_vec() },
        logprob: Some(logprob),
        top: vec![(TokenText { id: 2, bytes: b"O".to_vec() }, -1.5)],
    };
    let delta = |text: &str, logprobs| {
        let channel = Channel::Content;
        Ok(Event::Delta { text: text.into(), tokens: 1, channel, logprobs })
    };
    vec![delta("", vec![token(&[0xc3], -0.5)]), delta("Ö", vec![token(&[0x96], -0.25)]), finish(2)]
}

fn body(extra: &str) -> String {
    format!(r#"{{{extra},"messages":[{{"role":"user","content":"Hi"}}]}}"#)
}

/// The data of each event, as JSON; the last one is no JSON.
fn events(body: &str) -> Vec<Value> {
    let data = body.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn calls_and_thoughts_in_a_whole_answer() {
    let server = Server::playing(calling()).await;
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let answer = server.client.chat(&body(tools)).await;
    let message = r#"{"role":"assistant","content":null,"refusal":null,"reasoning_content":"hm","tool_calls":[{"id":"call_ID","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"call_ID","type":"function","function":{"name":"g","arguments":"{}"}}]}"#;
    let usage = r#"{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":1}}"#;
    let golden = format!(
        r#"{{"id":"chatcmpl-ID","object":"chat.completion","created":TIME,"model":"chat","choices":[{{"index":0,"message":{message},"logprobs":null,"finish_reason":"tool_calls"}}],"usage":{usage}}}"#
    );
    assert_eq!(still(&answer.body), golden);
    let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
    let calls = &answer["choices"][0]["message"]["tool_calls"];
    assert_ne!(calls[0]["id"], calls[1]["id"]);
}

#[tokio::test]
async fn calls_and_thoughts_in_a_stream() {
    let server = Server::playing(calling()).await;
    let answer = server.client.chat(&body(r#""stream":true"#)).await;
    let chunk = |delta: &str, reason: &str| {
        format!(
            r#"data: {{"id":"chatcmpl-ID","object":"chat.completion.chunk","created":TIME,"model":"chat","choices":[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{reason}}}]}}{}"#,
            "\n\n"
        )
    };
    let delta = |delta: &str| chunk(delta, "null");
    let golden = [
        delta(r#"{"role":"assistant","content":""}"#),
        delta(r#"{"reasoning_content":"hm"}"#),
        delta(
            r#"{"tool_calls":[{"index":0,"id":"call_ID","type":"function","function":{"name":"f","arguments":""}}]}"#,
        ),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}"#),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#),
        delta(
            r#"{"tool_calls":[{"index":1,"id":"call_ID","type":"function","function":{"name":"g","arguments":""}}]}"#,
        ),
        delta(r#"{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}"#),
        chunk("{}", r#""tool_calls""#),
        "data: [DONE]\n\n".into(),
    ];
    assert_eq!(still(&answer.body), golden.concat());
}

#[tokio::test]
async fn probabilities_whole_and_streamed() {
    let server = Server::playing(probable()).await;
    let asked = r#""logprobs":true,"top_logprobs":1"#;
    let token = |bytes: u8, logprob: &str| {
        let top = r#"[{"token":"O","logprob":-1.5,"bytes":[79]}]"#;
        format!(r#"{{"token":"�","logprob":{logprob},"bytes":[{bytes}],"top_logprobs":{top}}}"#)
    };
    let (first, second) = (token(0xc3, "-0.5"), token(0x96, "-0.25"));
    let whole = server.client.chat(&body(asked)).await.body;
    let wanted = format!(
        r#""content":"Ö","refusal":null}},"logprobs":{{"content":[{first},{second}],"refusal":null}},"finish_reason":"stop""#
    );
    assert!(whole.contains(&wanted), "{whole}");
    let streamed = server.client.chat(&body(&format!(r#""stream":true,{asked}"#))).await.body;
    for (text, token) in [("", first), ("Ö", second)] {
        let wanted = format!(
            r#""delta":{{"content":"{text}"}},"logprobs":{{"content":[{token}],"refusal":null}},"finish_reason":null"#
        );
        assert!(streamed.contains(&wanted), "{streamed}");
    }
    let unasked = server.client.chat(&body(r#""stream":true"#)).await.body;
    assert!(unasked.contains(r#""logprobs":null"#) && !unasked.contains("-0.5"), "{unasked}");
}

#[tokio::test]
async fn two_choices_whole_and_streamed_count_their_prompt_once() {
    let london = vec![delta("Lon"), delta("don"), finish_with(FinishReason::Length)];
    let chat = FakeModel::new("chat", ModelKind::Chat).answering_in_turn(vec![paris(), london]);
    let chat = Arc::new(chat);
    let (config, auth) = (ServerConfig::default(), AuthConfig::default());
    let server = Server::start(config, auth, vec![chat.clone()]).await;
    let whole = server.client.chat(&body(r#""n":2,"seed":4"#)).await;
    let whole: Value = serde_json::from_str(&whole.body).expect("JSON");
    let choice = |index: usize| {
        let choice = &whole["choices"][index];
        (choice["index"].as_u64(), choice["message"]["content"].as_str())
    };
    assert_eq!((choice(0), choice(1)), ((Some(0), Some("Paris")), (Some(1), Some("London"))));
    assert_eq!(whole["choices"][1]["finish_reason"], "length");
    assert_eq!(whole["usage"]["prompt_tokens"], 3);
    assert_eq!(whole["usage"]["completion_tokens"], 9);
    let seeds = chat.tasks().into_iter().map(|task| match task {
        Task::Chat(task) => task.sampling.seed,
        _ => None,
    });
    assert_eq!(seeds.collect::<Vec<_>>(), [Some(4), Some(5)]);

    let asked = r#""n":2,"stream":true,"stream_options":{"include_usage":true}"#;
    let streamed = events(&server.client.chat(&body(asked)).await.body);
    let (last, chunks) = streamed.split_last().expect("chunks");
    assert!(last["choices"].as_array().is_some_and(Vec::is_empty), "{last}");
    assert_eq!(
        (&last["usage"]["prompt_tokens"], &last["usage"]["total_tokens"]),
        (&3.into(), &12.into())
    );
    let said: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            let choice = &chunk["choices"][0];
            let text = choice["delta"]["content"].as_str();
            (choice["index"].as_u64().expect("a number"), text)
        })
        .collect();
    let wanted = [
        (0, Some("")),
        (1, Some("")),
        (1, Some("Lon")),
        (0, Some("Par")),
        (1, Some("don")),
        (0, Some("is")),
        (1, None),
        (0, None),
    ];
    assert_eq!(said, wanted, "the choices take turns");
}

#[tokio::test]
async fn a_failing_choice_ends_all() {
    let bad = vec![delta("a"), Err(ServeError::WorkerStopped)];
    let chat =
        FakeModel::new("chat", ModelKind::Chat).answering_in_turn(vec![vec![delta("b")], bad]);
    let chat = Arc::new(chat.hanging());
    let (config, auth) = (ServerConfig::default(), AuthConfig::default());
    let server = Server::start(config, auth, vec![chat.clone()]).await;
    let whole = server.client.chat(&body(r#""n":2"#)).await;
    assert_eq!((whole.status, &whole.error()["code"]), (503, &"worker_stopped".into()));
    let streamed = events(&server.client.chat(&body(r#""n":2,"stream":true"#)).await.body);
    assert_eq!(streamed.last().expect("events")["error"]["code"], "worker_stopped");
    assert_eq!((chat.cancelled(), server.state.node.admission.active()), (2, 0));
}

#[tokio::test]
async fn choices_without_room_for_all_are_refused() {
    let config = ServerConfig { requests_max: 3, ..ServerConfig::default() };
    let chat = Arc::new(FakeModel::new("chat", ModelKind::Chat).answering(paris()));
    let server = Server::start(config, AuthConfig::default(), vec![chat.clone()]).await;
    let never = server.client.chat(&body(r#""n":4"#)).await;
    assert_eq!((never.status, &never.error()["param"]), (400, &"n".into()));
    let permit = server.state.node.admission.admit().expect("room");
    let later = server.client.chat(&body(r#""n":3"#)).await;
    assert_eq!((later.status, later.header("retry-after")), (429, Some("1")));
    assert_eq!(chat.started(), 0);
    drop(permit);
    assert_eq!(server.client.chat(&body(r#""n":3"#)).await.status, 200);
}
