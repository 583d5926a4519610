use super::{Family, HERMES_FORM, Meaning};

/// Hermes, Qwen 2.5 to 3 and Qwen3-Coder, and many who copied them: `<tool_call>` around an object or
/// tags, `<think>` around thoughts.
pub(super) const HERMES: Family = Family {
    name: "hermes",
    is_of: |template| template.contains("<tool_call>"),
    marks: &[
        ("<think>", Meaning::Think),
        ("</think>", Meaning::Speak),
        ("<tool_call>", Meaning::Call { close: Some("</tool_call>") }),
    ],
    bare_calls: false,
    lists_calls: false,
    call_form: HERMES_FORM,
};
