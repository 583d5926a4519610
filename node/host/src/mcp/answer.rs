//! What a tool answers with: lines for a model's eyes, the same as data, and a link to what was left
//! out.

use rmcp::handler::server::tool::schema_for_output;
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Resource};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

use super::schema::portable;

/// Bytes of the text of an answer at most: clients warn at ten thousand tokens, and models pay for
/// each.
pub const TEXT_BYTES_MAX: usize = 8000;

/// What a tool answers with.
pub struct Answer {
    /// For a model to read.
    pub text: String,
    /// The same as data.
    pub data: Value,
    /// Where the whole of it can be read, and how many bytes that is.
    pub log: Option<(String, usize)>,
    /// Whether the tool could not do what it was asked for.
    pub is_error: bool,
}

impl Answer {
    /// An answer with nothing left out.
    pub fn new(text: String, data: &impl Serialize) -> Self {
        let data = serde_json::to_value(data).expect("our own answers have string keys only");
        Self { text, data, log: None, is_error: false }
    }

    /// As the protocol has it.
    pub fn into_result(mut self) -> CallToolResult {
        let text = fit(&self.text, TEXT_BYTES_MAX);
        let mut content = vec![ContentBlock::text(text)];
        if let Some((uri, bytes)) = self.log {
            self.data["log"] = json!(uri);
            let link = Resource::new(uri, "the whole output").with_mime_type("text/plain");
            content.push(ContentBlock::resource_link(link.with_size(bytes as u64)));
        }
        self.data["status"] = json!("done");
        let mut result = CallToolResult::structured(self.data);
        (result.content, result.is_error) = (content, Some(self.is_error));
        result
    }
}

/// The tool could not do it: the reason, for the model.
pub fn failure(reason: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(fit(reason, TEXT_BYTES_MAX))])
}

/// A call that takes longer than clients wait.
pub fn working(job: &str, step: &str) -> CallToolResult {
    let step = if step.is_empty() { "working" } else { step };
    let text = format!("still {step}: call wait_for_job with job={job:?} for the answer");
    let mut result = CallToolResult::structured(json!({"status": "working", "job": job}));
    result.content = vec![ContentBlock::text(text)];
    result
}

/// The schema of an answer: a done one has the properties of `T`, one that is not done has its job.
pub fn schema<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    let mut schema = portable(&schema_for_output::<T>());
    for noise in ["$schema", "title", "description"] {
        schema.remove(noise);
    }
    let envelope = json!({
        "status": {"type": "string", "enum": ["done", "working"]},
        "job": {"type": "string", "description": "while working: what wait_for_job takes"},
        "log": {"type": "string", "description": "resource with the whole output"},
    });
    if let (Some(Value::Object(own)), Value::Object(envelope)) =
        (schema.get_mut("properties"), envelope)
    {
        own.extend(envelope);
    }
    schema.insert("required".into(), json!(["status"]));
    Arc::new(schema)
}

/// The beginning of a text that is too long, cut behind a line, and a word about the rest.
pub fn fit(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(bytes_max)];
    let kept = kept.rfind('\n').map_or(kept, |end| &kept[..end]);
    format!("{kept}\n… {} more bytes were left out", text.len() - kept.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_behind_a_line_and_says_so() {
        assert_eq!(fit("ab\ncd", 5), "ab\ncd");
        assert_eq!(fit("ab\ncdé", 6), "ab\n… 5 more bytes were left out");
        assert_eq!(fit("éé", 3), "é\n… 2 more bytes were left out");
    }

    #[test]
    fn a_job_that_works_fits_every_schema() {
        #[derive(JsonSchema)]
        struct Output {
            #[expect(dead_code, reason = "its name is what counts")]
            success: bool,
        }
        let schema = Value::Object(JsonObject::clone(&schema::<Output>()));
        assert_eq!(schema["required"], json!(["status"]));
        assert_eq!(schema["properties"]["success"]["type"], "boolean");
        assert_eq!(schema["properties"]["job"]["type"], "string");
    }
}
