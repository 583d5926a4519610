//! What the document says of this route.

use serde_json::{Value, json};

use super::whole::Whole;
use crate::http::generate::{self, CHOICES_MAX};
use crate::http::openapi::{Operation, Schema};
use crate::http::{format, knowledge};

/// The route.
pub fn operation() -> Operation {
    let (body, example) = takes();
    Operation::post("/v1/chat/completions", "chat_completions")
        .says(
            "Answers a conversation, as OpenAI's chat completions do. With `knowledge`, or if the \
             model's own config names a knowledge base, the answer rests on passages found there, \
             which `citations` lists.",
        )
        .takes(body, example)
        .answers_with::<Whole<'static>>()
        .streams("With `stream`: chat.completion.chunk objects, then `[DONE]`.")
}

/// What a chat request says, and a small one.
pub fn takes() -> (Schema, Value) {
    let efforts = ["none", "minimal", "low", "medium", "high"];
    let verbosity = ["low", "medium", "high"];
    let label = || Schema::text().says("It changes nothing.");
    let body = Schema::object()
        .needs("messages", Schema::list(message()).items(1, 4096))
        .with(generate::describe)
        .may("logprobs", Schema::flag().says("Tell how likely each token was."))
        .may("top_logprobs", Schema::integer().within(0, 20).says("Likeliest tokens told of each."))
        .may("n", Schema::integer().within(1, CHOICES_MAX).says("Answers that are wanted."))
        .with(tools)
        .with(format::describe)
        .may("reasoning_effort", Schema::words(&efforts))
        .may("chat_template_kwargs", Schema::open().says("More variables for the chat template."))
        .may("safety_identifier", label())
        .may("prompt_cache_key", label())
        .may("verbosity", Schema::words(&verbosity).says("It changes nothing."))
        .may("metadata", Schema::map(Schema::text()).says("It changes nothing."))
        .with(knowledge::describe);
    (body, json!({"messages": [{"role": "user", "content": "Hello"}]}))
}

fn message() -> Schema {
    let roles = ["system", "developer", "user", "assistant", "tool", "function"];
    let part = Schema::object()
        .needs("type", Schema::words(&["text", "image_url", "refusal"]))
        .may("text", Schema::text())
        .may("image_url", image())
        .may("refusal", Schema::text());
    Schema::object()
        .needs("role", Schema::words(&roles))
        .may("content", Schema::either([Schema::text(), Schema::list(part)]).or_null())
        .may("name", Schema::text())
        .may("refusal", Schema::text().or_null())
        .may("reasoning_content", Schema::text().or_null())
        .may("tool_calls", Schema::list(call()).says("What the assistant called."))
        .may("function_call", called().or_null().says("The deprecated form of one call."))
        .may("annotations", Schema::list(Schema::any()).items(0, 0))
        .may("tool_call_id", Schema::text().says("With the role tool: the call that it answers."))
}

fn image() -> Schema {
    let url = "The picture itself, PNG or JPEG: data:image/png;base64,… Nothing is fetched.";
    let detail = Schema::words(&["auto", "low", "high", "original"]);
    Schema::object()
        .needs("url", Schema::text().says(url))
        .may("detail", detail.says("It changes nothing."))
}

fn call() -> Schema {
    Schema::object()
        .needs("id", Schema::text())
        .may("type", Schema::words(&["function"]))
        .may("index", Schema::integer().least(0))
        .needs("function", called())
}

fn called() -> Schema {
    Schema::object()
        .needs("name", Schema::text())
        .needs("arguments", Schema::text().says("Their JSON text."))
}

fn tools(body: Schema) -> Schema {
    let function = Schema::object()
        .needs("name", Schema::text().says(format::NAME_RULE))
        .may("description", Schema::text())
        .may("parameters", Schema::open().says("The JSON Schema of its arguments."))
        .may("strict", Schema::flag());
    let tool =
        Schema::object().needs("type", Schema::words(&["function"])).needs("function", function);
    let choice = Schema::either([Schema::words(&["auto", "none", "required"]), Schema::open()]);
    let named = "Or {\"type\": \"function\", \"function\": {\"name\": …}}, or allowed_tools.";
    body.may("tools", Schema::list(tool).items(0, 128).says("Functions that the model may call."))
        .may("tool_choice", choice.says(named))
        .may("parallel_tool_calls", Schema::flag())
}
