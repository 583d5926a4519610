//! Calls from their beginning to their end, whoever ends them.

use super::*;

fn hanging() -> FakeModel {
    FakeModel::new("embed", ModelKind::Embedding).answering(vec![]).hanging()
}

fn search() -> Value {
    request(7, "tools/call", json!({"name": "search_knowledge", "arguments": {"query": "owner"}}))
}

/// The client's own metadata, as each request of the revision 2026-07-28 has it.
fn modern(method: &str, mut params: Value, extensions: Value) -> Request {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": extensions},
    });
    let name = params["name"].as_str().or(params["uri"].as_str()).or(params["taskId"].as_str());
    let name = name.unwrap_or_default().to_owned();
    let mut headers = vec![("mcp-protocol-version", "2026-07-28"), ("mcp-method", method)];
    if !name.is_empty() {
        headers.push(("mcp-name", &name));
    }
    post(&request(1, method, params), &headers)
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn an_answer_is_there_to_read_and_as_data() {
    let mcp = Mcp::new();
    let found = mcp.call("search_knowledge", json!({"query": "owner"})).await;
    assert_eq!(found["isError"], false, "{found:#}");
    assert!(text(&found).contains(TEXT) && text(&found).contains("book/ch04.md"));
    let data = &found["structuredContent"];
    assert_eq!((&data["status"], &data["passages"][0]["text"]), (&json!("done"), &json!(TEXT)));
    let uri = data["passages"][0]["uri"].as_str().expect("its document's address");
    let read = mcp.ask("resources/read", json!({"uri": uri})).await;
    assert!(read["contents"][0]["text"].as_str().is_some_and(|text| text.contains(TEXT)));
    let list = mcp.ask("resources/list", json!({})).await;
    assert_eq!(list["resources"][0]["uri"], "knowledge://rust");
    let prompt = json!({"name": "teach_concept", "arguments": {"concept": "ownership"}});
    let prompt = mcp.ask("prompts/get", prompt).await;
    let said = prompt["messages"][0]["content"]["text"].as_str().expect("a text");
    assert!(said.contains("ownership") && said.contains("no compiler"), "{said}");
}

#[tokio::test]
async fn a_client_that_goes_ends_its_call() {
    let mcp = Mcp::with(McpConfig::default(), hanging());
    let response = mcp.send(post(&search(), &[])).await;
    until(|| mcp.embedder.started() == 1).await;
    assert_eq!(mcp.embedder.cancelled(), 0);
    drop(response);
    until(|| mcp.embedder.cancelled() == 1).await;
}

#[tokio::test]
async fn a_modern_client_that_goes_ends_its_call_too() {
    let mcp = Mcp::with(McpConfig::default(), hanging());
    let params = json!({"name": "search_knowledge", "arguments": {"query": "owner"}});
    let request = modern("tools/call", params, json!({}));
    tokio::select! {
        _ = mcp.send(request) => panic!("there is no answer yet"),
        () = until(|| mcp.embedder.started() == 1) => {}
    }
    until(|| mcp.embedder.cancelled() == 1).await;
}

#[tokio::test]
async fn a_notification_takes_a_call_back() {
    let mcp = Mcp::with(McpConfig::default(), hanging());
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    });
    let hello = mcp.post(&request(0, "initialize", hello)).await;
    assert_eq!(hello.message()["result"]["protocolVersion"], "2025-06-18");
    let session = hello.headers["mcp-session-id"].to_str().expect("a name").to_owned();
    let own = [("mcp-session-id", session.as_str())];
    let response = mcp.send(post(&search(), &own)).await;
    until(|| mcp.embedder.started() == 1).await;
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7},
    });
    let other = mcp.send(post(&cancel, &[("mcp-session-id", "another")])).await;
    assert_eq!(other.status(), StatusCode::ACCEPTED);
    let stranger = mcp.send(of(post(&cancel, &own), "stranger")).await;
    assert_eq!(stranger.status(), StatusCode::ACCEPTED);
    assert_eq!(mcp.embedder.cancelled(), 0, "only the client itself may");
    mcp.send(post(&cancel, &own)).await;
    until(|| mcp.embedder.cancelled() == 1).await;
    let answer = Answer::of(response).await;
    assert!(answer.message()["error"]["message"].as_str().is_some_and(|m| m.contains("cancelled")));
}

#[tokio::test]
async fn a_call_that_takes_long_hands_back_a_job_of_its_owner() {
    let config = McpConfig { answer_time: Duration::from_millis(20), ..McpConfig::default() };
    let mcp = Mcp::with(config, hanging());
    let answer = mcp.send(of(post(&search(), &[]), "ada")).await;
    let result = Answer::of(answer).await.message()["result"].clone();
    let job = result["structuredContent"]["job"].as_str().expect("a job").to_owned();
    assert!(text(&result).contains(&job) && text(&result).contains("wait_for_job"));
    assert_eq!(mcp.embedder.cancelled(), 0, "the job goes on");
    let wait = request(8, "tools/call", json!({"name": "wait_for_job", "arguments": {"job": job}}));
    let stranger = Answer::of(mcp.send(of(post(&wait, &[]), "bob")).await).await;
    assert_eq!(stranger.message()["result"]["isError"], true);
    let own = Answer::of(mcp.send(of(post(&wait, &[]), "ada")).await).await;
    assert_eq!(own.message()["result"]["structuredContent"]["job"], job.as_str());
    assert_eq!(mcp.embedder.cancelled(), 0);
}

#[tokio::test]
async fn progress_is_told_to_who_asks_for_it() {
    let config = McpConfig { answer_time: Duration::from_millis(50), ..McpConfig::default() };
    let mcp = Mcp::with(config, hanging());
    let mut message = search();
    message["params"]["_meta"] = json!({"progressToken": "t"});
    let messages = mcp.post(&message).await.messages();
    let told = &messages[0];
    assert_eq!(told["method"], "notifications/progress", "{told:#}");
    assert_eq!(told["params"]["progressToken"], "t");
    assert!(told["params"]["message"].as_str().is_some_and(|m| m.starts_with("searching")));
    assert_eq!(
        messages.last().expect("an answer")["result"]["structuredContent"]["status"],
        "working"
    );
}

#[tokio::test]
async fn a_client_that_knows_tasks_gets_one() {
    let config = McpConfig { answer_time: Duration::from_millis(20), ..McpConfig::default() };
    let mcp = Mcp::with(config, hanging());
    let tasks = json!({"io.modelcontextprotocol/tasks": {}});
    let params = json!({"name": "search_knowledge", "arguments": {"query": "owner"}});
    let answer = Answer::of(mcp.send(modern("tools/call", params, tasks.clone())).await).await;
    let result = answer.message()["result"].clone();
    assert_eq!(result["resultType"], "task", "{result:#}");
    let id = json!({"taskId": result["taskId"]});
    let get = Answer::of(mcp.send(modern("tasks/get", id.clone(), tasks.clone())).await).await;
    assert_eq!(get.message()["result"]["status"], "working", "{}", get.body);
    let stranger = mcp.send(of(modern("tasks/get", id.clone(), tasks.clone()), "stranger")).await;
    assert_eq!(Answer::of(stranger).await.message()["error"]["code"], -32602);
    let cancel =
        Answer::of(mcp.send(modern("tasks/cancel", id.clone(), tasks.clone())).await).await;
    assert!(cancel.message()["error"].is_null(), "{}", cancel.body);
    until(|| mcp.embedder.cancelled() == 1).await;
    let gone = Answer::of(mcp.send(modern("tasks/get", id, tasks)).await).await;
    assert_eq!(gone.message()["error"]["code"], -32602);
}
