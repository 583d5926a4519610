//! The routes, and what the document says of them.

use serde_json::json;

use super::conversation::MESSAGES_MAX;
use super::request::STOPS_MAX;
use super::{count_tokens, post};
use crate::http::functions::TOOLS_MAX;
use crate::http::knowledge;
use crate::http::openapi::{Operation, Routes, Schema};

/// The routes.
pub fn routes() -> Routes {
    Routes::default().route(create(), post).route(count(), count_tokens)
}

fn create() -> Operation {
    let body = Schema::object()
        .needs("max_tokens", Schema::integer().least(1).says("Tokens to generate at most."))
        .may("temperature", Schema::number().within(0, 1))
        .may("top_p", Schema::number().within(0, 1))
        .may("top_k", Schema::integer().least(0))
        .may("stop_sequences", Schema::list(Schema::text()).items(0, STOPS_MAX))
        .may("stream", Schema::flag().says("Answer in server-sent events."))
        .may("metadata", Schema::object().may("user_id", Schema::text()))
        .with(conversation);
    let example = json!({"max_tokens": 99, "messages": [{"role": "user", "content": "Hello"}]});
    Operation::post("/v1/messages", "create_message")
        .says("Answers a conversation, as Anthropic's messages do.")
        .takes(body, example)
        .answers(message())
        .streams("With `stream`: the events of Anthropic's messages.")
        .refuses_as("AnthropicError")
}

fn count() -> Operation {
    let example = json!({"messages": [{"role": "user", "content": "Hello"}]});
    Operation::post("/v1/messages/count_tokens", "count_message_tokens")
        .says("Counts the tokens of a conversation, as Anthropic's API does.")
        .takes(Schema::object().with(conversation), example)
        .answers(Schema::open().needs("input_tokens", Schema::integer()))
        .refuses_as("AnthropicError")
}

const BLOCK: &str = "A block, as Anthropic's clients write it; the user's may be pictures, PNG or JPEG, whose \
                     source is of the type base64.";

fn conversation(body: Schema) -> Schema {
    let blocks = || Schema::list(Schema::open().says(BLOCK));
    let text = || Schema::either([Schema::text(), blocks()]);
    let message = Schema::object()
        .needs("role", Schema::words(&["user", "assistant", "system"]))
        .needs("content", text());
    let efforts = ["low", "medium", "high", "xhigh", "max"];
    let format = Schema::object()
        .needs("type", Schema::words(&["json_schema"]))
        .needs("schema", Schema::open());
    let output = Schema::object().may("effort", Schema::words(&efforts)).may("format", format);
    let edit = Schema::object()
        .needs("type", Schema::words(&["clear_thinking_20251015"]))
        .needs("keep", Schema::words(&["all"]));
    body.needs("messages", Schema::list(message).items(1, MESSAGES_MAX))
        .may("model", Schema::text().says("A chat model; not needed if there is only one."))
        .may("system", text().says("The operator's word, before everything else."))
        .with(tools)
        .may("thinking", thinking())
        .may("output_config", output)
        .may("context_management", Schema::object().may("edits", Schema::list(edit)))
        .with(knowledge::describe)
}

fn thinking() -> Schema {
    Schema::object()
        .needs("type", Schema::words(&["enabled", "disabled", "adaptive"]))
        .may("budget_tokens", Schema::integer().least(1).says("Needed where it is enabled."))
        .may("display", Schema::words(&["summarized"]))
}

fn tools(body: Schema) -> Schema {
    let tool = Schema::object()
        .needs("name", Schema::text())
        .may("type", Schema::words(&["custom"]))
        .may("description", Schema::text())
        .needs("input_schema", Schema::open().says("The JSON Schema of its input."))
        .may("strict", Schema::flag())
        .may("cache_control", Schema::any())
        .may("eager_input_streaming", Schema::any());
    let choice = Schema::object()
        .needs("type", Schema::words(&["auto", "any", "tool", "none"]))
        .may("name", Schema::text().says("With the type tool."))
        .may("disable_parallel_tool_use", Schema::flag());
    body.may("tools", Schema::list(tool).items(0, TOOLS_MAX)).may("tool_choice", choice)
}

fn message() -> Schema {
    let reasons = ["end_turn", "max_tokens", "stop_sequence", "tool_use"];
    let usage = Schema::open()
        .needs("input_tokens", Schema::integer())
        .needs("output_tokens", Schema::integer())
        .needs("cache_read_input_tokens", Schema::integer());
    let block = Schema::open().needs("type", Schema::words(&["text", "thinking", "tool_use"]));
    let cited = Schema::list(Schema::open());
    Schema::open()
        .needs("id", Schema::text())
        .needs("type", Schema::words(&["message"]))
        .needs("role", Schema::words(&["assistant"]))
        .needs("model", Schema::text())
        .needs("content", Schema::list(block))
        .needs("stop_reason", Schema::words(&reasons).or_null())
        .needs("stop_sequence", Schema::text().or_null())
        .needs("usage", usage)
        .may("citations", cited.says("What it may rest on, if a knowledge base was asked."))
}
