use super::{Family, HERMES_FORM, Meaning};

/// Hermes, Qwen 2.5 to 3 and Qwen3-Coder, and many who copied them: `<tool_call>` around an object or
/// tags, `<think>` around thoughts. Also models that think and whose template knows no functions. The
/// small ones of Qwen2.5-Coder put the object into a fence instead, whatever they were told.
pub(super) const HERMES: Family = Family {
    name: "hermes",
    is_of: |template| {
        ["<tool_call>", "<think>", "</think>"].iter().any(|mark| template.contains(mark))
    },
    marks: &[
        ("<think>", Meaning::Think),
        ("</think>", Meaning::Speak),
        ("<tool_call>", Meaning::Call { close: Some("</tool_call>") }),
        ("```json\n", Meaning::Call { close: Some("```") }),
    ],
    bare_calls: false,
    lists_calls: false,
    call_form: HERMES_FORM,
};
