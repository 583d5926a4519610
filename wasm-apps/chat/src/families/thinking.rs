use super::{Family, HERMES_FORM, Meaning};

/// A model that thinks aloud and whose template knows no functions.
pub(super) const THINKING: Family = Family {
    name: "thinking",
    is_of: |template| template.contains("<think>") || template.contains("</think>"),
    marks: &[
        ("<think>", Meaning::Think),
        ("</think>", Meaning::Speak),
        ("<tool_call>", Meaning::Call { close: Some("</tool_call>") }),
    ],
    bare_calls: false,
    lists_calls: false,
    call_form: HERMES_FORM,
};
