//! What is not heard, and why.

use super::*;

fn ping() -> Value {
    request(1, "ping", json!({}))
}

#[tokio::test]
async fn foreign_names_and_pages_are_refused() {
    let mcp = Mcp::new();
    for headers in
        [[("host", "evil.org"), ("x", "")], [("host", "localhost"), ("origin", "https://evil.org")]]
    {
        for path in ["/mcp", "/message?sessionId=x"] {
            let answer = mcp.send(posted(path, ping().to_string(), &headers)).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {headers:?}");
        }
    }
    let own = [("host", "127.0.0.1:8080"), ("origin", "http://localhost:5173")];
    assert_eq!(mcp.send(post(&ping(), &own)).await.status(), StatusCode::OK);
    let config =
        McpConfig { allowed_hosts: vec!["node.example.org".into()], ..McpConfig::default() };
    let proxied = Mcp::with(config, embedder());
    let answer = proxied.send(post(&ping(), &[("host", "node.example.org")])).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn messages_that_are_too_large_or_none_are_refused() {
    let mcp = Mcp::new();
    let large = request(1, "ping", json!({"a": "x".repeat(5000)}));
    assert_eq!(mcp.post(&large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let broken = mcp.send(posted("/mcp", "{".into(), &[])).await;
    assert!(broken.status().is_client_error(), "{}", broken.status());
    let unknown = mcp.send(post(&ping(), &[("mcp-protocol-version", "1999-01-01")])).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    for method in [Method::GET, Method::DELETE] {
        let request = Request::builder().method(method).uri("/mcp").header("host", "localhost");
        let request = request.header("accept", "text/event-stream").body(Body::empty());
        let answer = mcp.send(request.expect("a request")).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn wrong_calls_are_named() {
    let mcp = Mcp::new();
    for (arguments, named) in [
        (json!({}), "`query`"),
        (json!({"query": 1}), "`query`"),
        (json!({"query": " "}), "`query`"),
        (json!({"query": "a", "limit": 0}), "`limit`"),
        (json!({"query": "a", "limit": -1}), "`limit`"),
        (json!({"query": "a", "colour": 1}), "`colour`"),
        (json!({"query": "a", "collection": "none"}), "none"),
    ] {
        let result = mcp.call("search_knowledge", arguments.clone()).await;
        assert_eq!(result["isError"], true, "{arguments}: {result:#}");
        assert!(text(&result).contains(named), "{arguments}: {}", text(&result));
    }
    let result = mcp.call("wait_for_job", json!({"job": "job-x"})).await;
    assert_eq!((&result["isError"], text(&result).contains("job-x")), (&json!(true), true));
    for tool in ["nothing", "compile"] {
        let answer = mcp.post(&request(1, "tools/call", json!({"name": tool}))).await;
        let error = answer.message()["error"].clone();
        assert_eq!(error["code"], -32602, "no sandbox, no tool {tool}");
        assert!(
            error["message"].as_str().is_some_and(|m| m.contains("search_knowledge")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn wrong_prompts_and_resources_are_named() {
    let mcp = Mcp::new();
    for (params, named) in [
        (json!({"name": "nothing"}), "review_rust"),
        (json!({"name": "review_rust"}), "`code`"),
        (json!({"name": "review_rust", "arguments": {"code": 1}}), "`code`"),
        (json!({"name": "review_rust", "arguments": {"code": "", "x": ""}}), "`x`"),
    ] {
        let answer = mcp.post(&request(1, "prompts/get", params.clone())).await;
        let error = answer.message()["error"]["message"].clone();
        assert!(error.as_str().is_some_and(|message| message.contains(named)), "{params}: {error}");
    }
    for uri in ["knowledge://none", "knowledge://rust/none.md", "log://x", "file:///etc/passwd"] {
        let answer = mcp.post(&request(1, "resources/read", json!({"uri": uri}))).await;
        assert_eq!(answer.message()["error"]["code"], -32002, "{uri}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_full_node_says_so() {
    let mut config = McpConfig::default();
    (config.jobs.per_key_max, config.answer_time) = (1, Duration::from_millis(1));
    let mcp = Mcp::with(config, embedder().hanging().answering(vec![]));
    let first = mcp.call("search_knowledge", json!({"query": "a"})).await;
    assert_eq!(first["structuredContent"]["status"], "working", "{first:#}");
    let second = mcp.call("search_knowledge", json!({"query": "a"})).await;
    assert_eq!(second["isError"], true);
    assert!(text(&second).contains("1 calls of this key"), "{}", text(&second));
}
