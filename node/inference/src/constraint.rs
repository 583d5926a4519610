//! Answers that must obey a schema or a grammar: which tokens may come next.
//!
//! The grammars are llguidance's; this module gives it the model's vocabulary and puts its masks
//! over the logits. What a grammar forces, the scheduler takes for foreseen and computes in one step.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};
use toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::ffi::Model;
use crate::{AdmitError, ComputeError, Constraint, Token, TokenizeOptions};

/// Bytes of a schema or grammar at most: above the largest schemas in use (FHIR has 3 MB of text,
/// which no context of a prompt would hold).
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Tokens foreseen at once at most.
const FORESEEN_TOKENS_MAX: usize = 16;

/// A model's vocabulary as llguidance knows it.
pub(crate) struct Grammars(ParserFactory);

impl Grammars {
    /// Reads the vocabulary; 50,000 tokens take about 50 ms.
    ///
    /// # Errors
    /// The vocabulary has no end-of-generation token, or llguidance refuses it.
    pub(crate) fn new(model: &Arc<Model>) -> Result<Self, String> {
        let environment: TokEnv = Arc::new(Vocabulary::new(model)?);
        let mut factory =
            ParserFactory::new_simple(&environment).map_err(|error| error.to_string())?;
        factory.quiet();
        // Errors go to the client, who knows the grammar.
        factory.limits_mut().verbose_errors = false;
        Ok(Self(factory))
    }

    /// Compiles a constraint.
    ///
    /// # Errors
    /// [`AdmitError::BadConstraint`], with the keyword or the line at fault.
    pub(crate) fn compile(&self, constraint: &Constraint) -> Result<Obedience, AdmitError> {
        let grammar = grammar(constraint)?;
        let matcher = Matcher::new(self.0.create_parser(grammar));
        match matcher.get_error() {
            Some(error) => Err(refused(&error)),
            None => Ok(Obedience(matcher)),
        }
    }
}

fn grammar(constraint: &Constraint) -> Result<TopLevelGrammar, AdmitError> {
    let (Constraint::JsonSchema(text) | Constraint::Lark(text) | Constraint::Gbnf(text)) =
        constraint;
    if text.len() > TEXT_BYTES_MAX {
        return Err(refused(&format!("it has {} bytes; {TEXT_BYTES_MAX} are allowed", text.len())));
    }
    Ok(match constraint {
        Constraint::JsonSchema(text) => {
            let schema = serde_json::from_str(text).map_err(|error| refused(&error.to_string()))?;
            TopLevelGrammar::from_json_schema(with_spaces(schema)?)
        }
        Constraint::Lark(text) => TopLevelGrammar::from_lark(text.clone()),
        Constraint::Gbnf(text) => {
            let lark = crate::gbnf::to_lark(text).map_err(|error| refused(&error))?;
            TopLevelGrammar::from_lark(lark)
        }
    })
}

/// Blanks as Python's `json.dumps` writes them, which models have seen most: with free ones a small
/// model may write blanks to the end of its context.
fn with_spaces(mut schema: Value) -> Result<Value, AdmitError> {
    if schema == Value::Bool(true) {
        schema = json!({});
    }
    let Value::Object(map) = &mut schema else {
        return Err(refused("a JSON schema is an object"));
    };
    let options = json!({
        "whitespace_flexible": false,
        "item_separator": ", ",
        "key_separator": ": ",
        "coerce_one_of": true,
    });
    map.entry("x-guidance").or_insert(options);
    Ok(schema)
}

fn refused(reason: &str) -> AdmitError {
    AdmitError::BadConstraint(reason.lines().next().unwrap_or_default().to_owned())
}

/// One answer on its way through a grammar.
pub(crate) struct Obedience(Matcher);

impl Obedience {
    /// Makes every forbidden token impossible.
    ///
    /// # Errors
    /// The grammar is too hard for the limits.
    pub(crate) fn mask(&mut self, logits: &mut [f32]) -> Result<(), ComputeError> {
        let mask = self.0.compute_mask_or_eos().map_err(failed)?;
        for (logits, word) in logits.chunks_mut(32).zip(mask.as_slice()) {
            forbid(logits, *word);
        }
        Ok(())
    }

    /// Takes the token that was chosen.
    ///
    /// # Errors
    /// It was not allowed.
    pub(crate) fn accept(&mut self, token: Token) -> Result<(), ComputeError> {
        if self.0.is_stopped() {
            return Ok(());
        }
        self.0.consume_token(token.0.cast_unsigned()).map_err(failed)
    }

    /// Tokens that the grammar forces now.
    pub(crate) fn foreseen(&mut self) -> Vec<Token> {
        if self.0.is_stopped() {
            return vec![];
        }
        let forced = self.0.compute_ff_tokens();
        forced.iter().take(FORESEEN_TOKENS_MAX).map(|id| Token(id.cast_signed())).collect()
    }
}

/// Forbids the tokens whose bit is not set.
fn forbid(logits: &mut [f32], allowed: u32) {
    match allowed {
        0 => logits.fill(f32::NEG_INFINITY),
        u32::MAX => {}
        _ => {
            for (bit, logit) in logits.iter_mut().enumerate() {
                if allowed >> bit & 1 == 0 {
                    *logit = f32::NEG_INFINITY;
                }
            }
        }
    }
}

fn failed(error: impl std::fmt::Display) -> ComputeError {
    let text = error.to_string();
    ComputeError::Constraint(text.lines().next().unwrap_or_default().to_owned())
}

struct Vocabulary {
    model: Arc<Model>,
    trie: TokTrie,
}

impl Vocabulary {
    fn new(model: &Arc<Model>) -> Result<Self, String> {
        let ends = model.end_tokens();
        let ends: Vec<TokenId> = ends.iter().map(|token| token.0.cast_unsigned()).collect();
        let first = ends.first().ok_or("the model has no token that ends a text")?;
        let info = TokRxInfo::new(model.vocabulary_tokens(), *first);
        let words: Vec<Vec<u8>> =
            (0..model.vocabulary_tokens()).map(|id| word(model, Token(id.cast_signed()))).collect();
        let trie = TokTrie::from(&info, &words).with_eos_tokens(&ends);
        Ok(Self { model: Arc::clone(model), trie })
    }
}

/// A token's bytes; a control token's spelling is marked, so that no text matches it.
fn word(model: &Model, token: Token) -> Vec<u8> {
    let piece = model.piece(token);
    if !model.is_control(token) {
        return piece;
    }
    let mut marked = vec![TokTrie::SPECIAL_TOKEN_MARKER];
    marked.extend(piece);
    marked
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        if !self.tokenize_is_canonical() {
            return self.trie.greedy_tokenize(bytes);
        }
        self.trie.tokenize_with_greedy_fallback(bytes, |text| {
            match self.model.tokenize(text, TokenizeOptions::default()) {
                Ok(tokens) => tokens.iter().map(|token| token.0.cast_unsigned()).collect(),
                Err(_) => self.trie.greedy_tokenize(text.as_bytes()),
            }
        })
    }

    /// Other tokenizers than byte-pair ones put a blank before a text, also before a part of one.
    fn tokenize_is_canonical(&self) -> bool {
        self.model.tokenizes_parts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_none_is_refused() {
        for text in ["", "{", "7", "[]", "\"a\"", "false"] {
            let refused = grammar(&Constraint::JsonSchema(text.into()));
            assert!(matches!(refused, Err(AdmitError::BadConstraint(_))), "{text}");
        }
        let huge = Constraint::Lark("a".repeat(TEXT_BYTES_MAX + 1));
        assert!(matches!(grammar(&huge), Err(AdmitError::BadConstraint(_))));
    }

    #[test]
    fn a_client_s_own_blanks_stay() {
        let own = json!({"x-guidance": {"whitespace_flexible": true}});
        assert_eq!(with_spaces(own.clone()), Ok(own));
    }

    #[test]
    fn only_the_bits_that_are_set_are_allowed() {
        let mut logits = [1.0; 5];
        forbid(&mut logits, 0b01010);
        let no = f32::NEG_INFINITY;
        assert_eq!(logits, [no, 1.0, no, 1.0, no]);
        forbid(&mut logits, 0);
        assert_eq!(logits, [no; 5]);
    }
}
