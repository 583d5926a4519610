use super::{Family, Meaning};

/// Mistral: `[TOOL_CALLS]` before a list of objects, or before a name, `[ARGS]` and an object.
pub(super) const MISTRAL: Family = Family {
    name: "mistral",
    is_of: |template| template.contains("[TOOL_CALLS]"),
    marks: &[
        ("[THINK]", Meaning::Think),
        ("[/THINK]", Meaning::Speak),
        ("[TOOL_CALLS]", Meaning::Call { close: None }),
    ],
    bare_calls: false,
    lists_calls: true,
    call_form: ["[TOOL_CALLS][{\"name\": \"", "\", \"arguments\": ", "}]"],
};
