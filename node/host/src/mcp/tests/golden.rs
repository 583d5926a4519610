//! What clients see of the node before they call anything.

use super::*;
use crate::mcp::tools::Tools;

/// Bytes of a description that clients show in full, and what all tools may cost a conversation.
const DESCRIPTION_BYTES_MAX: usize = 2048;
const TOOLS_BYTES_MAX: usize = 16 << 10;

fn all_tools() -> Vec<rmcp::model::Tool> {
    Tools::all().list()
}

#[test]
fn the_tools_are_these_in_this_order() {
    let names: Vec<_> = all_tools().iter().map(|tool| tool.name.to_string()).collect();
    assert_eq!(
        names,
        [
            "generate",
            "compile_and_fix",
            "compile",
            "run",
            "explain_error",
            "search_knowledge",
            "wait_for_job"
        ]
    );
    let compile = serde_json::to_value(&all_tools()[2]).expect("a tool");
    let input = json!({
        "type": "object",
        "properties": {
            "code": {"type": "string"},
            "command": {"type": "string", "enum": ["check", "clippy", "test"], "default": "check"},
            "detail": {
                "description":
                    "summary: a line for each message; evidence: the first in full; raw: everything.",
                "type": "string", "enum": ["summary", "evidence", "raw"], "default": "evidence",
            },
        },
        "required": ["code"],
        "additionalProperties": false,
    });
    assert_eq!(compile["inputSchema"], input, "{:#}", compile["inputSchema"]);
    assert_eq!(compile["outputSchema"]["required"], json!(["status"]));
    assert_eq!(compile["outputSchema"]["properties"]["status"]["enum"], json!(["done", "working"]));
    assert_eq!(compile["annotations"]["readOnlyHint"], true);
    assert_eq!(compile["annotations"]["openWorldHint"], false);
}

#[test]
fn the_tools_cost_little_and_say_what_they_are() {
    let mut bytes = 0;
    for tool in all_tools() {
        let description = tool.description.as_deref().unwrap_or_default();
        assert!((40..=DESCRIPTION_BYTES_MAX).contains(&description.len()), "{}", tool.name);
        assert!(tool.annotations.is_some(), "{}", tool.name);
        let text = serde_json::to_string(&tool).expect("a tool");
        for noise in ["$ref", "$schema", "\"format\"", "\"null\""] {
            assert!(!text.contains(noise), "{noise} in {text}");
        }
        bytes += text.len();
    }
    assert!(bytes <= TOOLS_BYTES_MAX, "{bytes} bytes");
}

#[tokio::test]
async fn only_what_works_is_listed() {
    let mcp = Mcp::new();
    let tools = mcp.ask("tools/list", json!({})).await;
    let names: Vec<_> =
        tools["tools"].as_array().expect("a list").iter().map(|t| &t["name"]).collect();
    assert_eq!(names, ["search_knowledge", "wait_for_job"]);
    let prompts = mcp.ask("prompts/list", json!({})).await;
    assert_eq!(prompts["prompts"].as_array().map(Vec::len), Some(3));
}
