//! What a reranker must have: a head with one score, and a way to put pairs together.

use super::Loader;
use crate::ffi::{Header, Model};
use crate::{EngineKind, LoadError, PairForm};

const NO_HEAD: &str =
    "it is no reranker: it has no head that scores (cls.output.weight); load it as what it is";

const NO_FRAME: &str = "its vocabulary has no token that parts a query from a document";

const NO_PLACES: &str =
    "its template for pairs (tokenizer.chat_template.rerank) lacks {query} or {document}";

/// llama.cpp makes shares of the two numbers of these, yes and no.
const WITH_SHARES: [&str; 2] = ["qwen3", "qwen3vl"];

impl Loader<'_> {
    pub(super) fn check_ranks(&self, header: &Header, model: &Model) -> Result<(), LoadError> {
        if self.config.kind != EngineKind::Rank {
            return Ok(());
        }
        if !header.ranks {
            return Err(self.refuse(NO_HEAD));
        }
        let form = pair_form(model);
        let (scores, wanted) = (model.scores(), if form.gives_probability { 2 } else { 1 });
        if scores != wanted {
            return Err(self.refuse(&format!(
                "its head gives {scores} numbers for a pair; a reranker of this architecture gives {wanted}"
            )));
        }
        match fault(&form) {
            Some(fault) => Err(self.refuse(fault)),
            None => Ok(()),
        }
    }
}

pub(super) fn pair_form(model: &Model) -> PairForm {
    let architecture = model.metadata("general.architecture").unwrap_or_default();
    let gives_probability = WITH_SHARES.contains(&architecture.as_str());
    PairForm { gives_probability, ..model.pair_form() }
}

/// Why no pair can be put together like that.
fn fault(form: &PairForm) -> Option<&'static str> {
    match &form.template {
        Some(template) => {
            let has = |place: &str| template.contains(place);
            (!has("{query}") || !has("{document}")).then_some(NO_PLACES)
        }
        None => form.between.is_empty().then_some(NO_FRAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Token;

    #[test]
    fn a_pair_needs_a_mark_or_a_template_with_both_places() {
        let marked = |between: &[i32]| {
            let between = between.iter().copied().map(Token).collect();
            fault(&PairForm { between, ..PairForm::default() })
        };
        assert_eq!((marked(&[]), marked(&[102])), (Some(NO_FRAME), None));
        let told = |template: &str| {
            fault(&PairForm { template: Some(template.to_owned()), ..PairForm::default() })
        };
        assert_eq!(told("Q {query} D {document}"), None);
        for template in ["", "{query}", "{document}", "{{query}"] {
            assert_eq!(told(template), Some(NO_PLACES), "{template}");
        }
    }
}
