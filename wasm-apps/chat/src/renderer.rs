//! The model's own chat template, rendered as Hugging Face's `apply_chat_template` does it.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value, context, escape_formatter};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::borrow::Cow;
use std::error::Error as _;

use crate::{clock, json};

/// What a template renders.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// The turns, oldest first: a list of objects.
    pub messages: &'a serde_json::Value,
    /// The functions as OpenAI spells them, or null.
    pub tools: &'a serde_json::Value,
    /// More variables: an object.
    pub options: &'a serde_json::Value,
    /// Spelling of the begin-of-sequence token.
    pub bos_token: &'a str,
    /// Spelling of the end-of-sequence token.
    pub eos_token: &'a str,
}

/// Why there is no prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The template itself refused the messages (`raise_exception`).
    #[error("the model's chat template refuses these messages: {0}")]
    Refused(String),
    /// The template can't be rendered.
    #[error("the model's chat template can't be rendered: {0}")]
    Broken(String),
}

/// Renders chat templates.
#[derive(Debug)]
pub struct Renderer {
    environment: Environment<'static>,
}

impl Default for Renderer {
    fn default() -> Self {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("only the delimiters could be wrong"));
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.set_formatter(format_as_python);
        environment.add_filter("tojson", json::tojson);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", clock::strftime_now);
        Self { environment }
    }
}

impl Renderer {
    /// The prompt that asks for the next turn of the conversation.
    ///
    /// # Errors
    /// Every [`TemplateError`].
    pub fn render(
        &self,
        template: &str,
        conversation: Conversation<'_>,
    ) -> Result<String, TemplateError> {
        let Conversation { messages, tools, options, bos_token, eos_token } = conversation;
        let context = context! {
            messages => Value::from(Serde(messages)),
            add_generation_prompt => true,
            bos_token,
            eos_token,
            tools => Value::from(Serde(tools)),
            documents => (),
            ..Value::from(Serde(options))
        };
        self.environment.render_str(&without_generation_tags(template), context).map_err(explain)
    }
}

/// Marks an error that the template raised on purpose.
#[derive(Debug, thiserror::Error)]
#[error("raised by the template")]
struct Raised;

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message).with_source(Raised))
}

fn explain(error: Error) -> TemplateError {
    let message = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    if error.source().is_some_and(|source| source.is::<Raised>()) {
        return TemplateError::Refused(message);
    }
    let line = error.line().map_or(String::new(), |line| format!(" (line {line})"));
    TemplateError::Broken(format!("{}: {message}{line}", error.kind()))
}

/// Python's spelling where it differs: `True`, `False`, `None`.
fn format_as_python(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let word = match value.kind() {
        ValueKind::Bool if value.is_true() => "True",
        ValueKind::Bool => "False",
        ValueKind::None => "None",
        _ => return escape_formatter(out, state, value),
    };
    Ok(out.write_str(word)?)
}

/// `{% generation %}` marks the assistant's text for training and renders as what it holds. As an
/// `if` it does the same, whitespace control included.
fn without_generation_tags(template: &str) -> Cow<'_, str> {
    if !template.contains("endgeneration") {
        return Cow::Borrowed(template);
    }
    let mut result = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(tag) = rest.find("{%") {
        let (before, inner) = rest.split_at(tag + 2);
        let Some(length) = inner.find("%}") else { break };
        let (inner, after) = inner.split_at(length);
        result.push_str(before);
        result.push_str(&replace_generation(inner));
        rest = after;
    }
    result.push_str(rest);
    Cow::Owned(result)
}

fn replace_generation(tag: &str) -> String {
    match tag.trim_matches(['-', '+', ' ', '\n', '\t']) {
        "generation" => tag.replace("generation", " if true "),
        "endgeneration" => tag.replace("endgeneration", " endif "),
        _ => tag.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str) -> Result<String, TemplateError> {
        let messages = serde_json::json!([
            {"role": "user", "content": " Hi <é> "},
            {"role": "assistant", "content": "Yes"},
        ]);
        let nothing = serde_json::Value::Null;
        let conversation = Conversation {
            messages: &messages,
            tools: &nothing,
            options: &serde_json::json!({"style": "brief"}),
            bos_token: "<s>",
            eos_token: "</s>",
        };
        Renderer::default().render(template, conversation)
    }

    #[test]
    fn a_raised_exception_is_a_refusal_in_the_template_s_words() {
        let error = render("a\n{{ raise_exception('Only one system message!') }}");
        assert_eq!(error, Err(TemplateError::Refused("Only one system message!".into())));
    }

    #[test]
    fn a_broken_template_is_told_with_its_line() {
        for template in ["a\n{% if %}", "a\n{{ messages[0].content.nothing() }}", "a\n{{ x.y.z }}"]
        {
            let error = render(template).expect_err("broken");
            let TemplateError::Broken(message) = &error else { panic!("{error}") };
            assert!(message.contains("(line 2)"), "{message}");
        }
    }

    #[test]
    fn json_is_python_s() {
        let tojson = |call: &str| render(&format!("{{{{ messages[0] | {call} }}}}"));
        let plain = r#"{"role": "user", "content": " Hi <é> "}"#;
        assert_eq!(tojson("tojson").as_deref(), Ok(plain));
        assert_eq!(tojson("tojson(ensure_ascii=true)"), Ok(plain.replace('é', "\\u00e9")));
        let sorted = r#"{"content": " Hi <é> ", "role": "user"}"#;
        assert_eq!(tojson("tojson(sort_keys=true)").as_deref(), Ok(sorted));
        let indented = "{\n  \"role\": \"user\",\n  \"content\": \" Hi <é> \"\n}";
        assert_eq!(tojson("tojson(indent=2)").as_deref(), Ok(indented));
        assert!(tojson("tojson(colour=1)").is_err());
        let packed = plain.replace(", ", ",").replace(": ", ":");
        assert_eq!(tojson("tojson(separators=(',', ':'))"), Ok(packed));
        assert!(tojson("tojson(separators=(',', ':'), indent=2)").is_err());
        assert!(tojson("tojson(separators=[','])").is_err());
    }

    #[test]
    fn constants_are_spelled_as_in_python() {
        let text = render("{{ true }} {{ 1 == 2 }} {{ tools }} [{{ nothing }}]");
        assert_eq!(text.as_deref(), Ok("True False None []"));
    }

    #[test]
    fn the_date_is_there() {
        let text = render("{{ strftime_now('%Y-%m-%d') }}").expect("renders");
        assert!(text.starts_with("20") && text.len() == 10, "{text}");
        assert!(matches!(render("{{ strftime_now('%Q') }}"), Err(TemplateError::Broken(_))));
    }

    #[test]
    fn half_a_tag_beside_training_marks_is_a_broken_template_and_no_panic() {
        for template in ["{%}{% endgeneration %}", "é{% endgeneration", "{%{%}%} endgeneration"] {
            let error = render(template);
            assert!(matches!(error, Err(TemplateError::Broken(_))), "{template}: {error:?}");
        }
    }

    #[test]
    fn training_marks_leave_no_trace() {
        let template = "a \n{%- generation -%}\n {{ messages[1].content }} \n{%- endgeneration %}\nb{% if true %}c{% endif %}";
        assert_eq!(render(template).as_deref(), Ok("aYesbc"));
    }
}
