use super::{Family, HERMES_FORM, Meaning};

/// A model whose template knows no functions: it is told of them in the words of Hermes.
pub const GENERIC: Family = Family {
    name: "generic",
    is_of: |_| true,
    marks: &[("<tool_call>", Meaning::Call { close: Some("</tool_call>") })],
    bare_calls: false,
    lists_calls: false,
    call_form: HERMES_FORM,
};
