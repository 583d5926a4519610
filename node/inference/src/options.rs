//! How one request is tokenized and sampled.

/// Below this, logits divided by the temperature could overflow; 0 stands for greedy.
const TEMPERATURE_MIN: f32 = 0.001;
/// Above this, all tokens are as likely as each other to any text's length.
const TEMPERATURE_MAX: f32 = 1000.0;

/// A token id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(pub i32);

/// How text becomes tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenizeOptions {
    /// Add the tokens that the model wants at its start and end.
    pub add_special: bool,
    /// Read the spelling of a control token as that token.
    pub parse_special: bool,
}

/// How the next token is chosen. The defaults are llama.cpp's. What is not a number is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Above 1 the choice is freer, below 1 stricter, 0 is greedy: always the likeliest. 0.8 unless
    /// set.
    pub temperature: f32,
    /// Only the smallest set of likeliest tokens whose probabilities sum to this; 1: all. 0.95
    /// unless set.
    pub top_p: f32,
    /// Only so many of the likeliest tokens; 0: all. 40 unless set.
    pub top_k: u32,
    /// Only tokens with at least this share of the likeliest one's probability; 0: any. 0.05 unless
    /// set.
    pub min_p: f32,
    /// Above 1, tokens that stood lately in prompt or answer become unlikelier; 1, the default: off.
    pub repeat_penalty: f32,
    /// Subtracted from a token's logit for each time it stood lately in the answer; 0, the default:
    /// off.
    pub frequency_penalty: f32,
    /// Subtracted from the logit of a token that stood lately in the answer; 0, the default: off.
    pub presence_penalty: f32,
    /// How many tokens back is lately. 64 unless set.
    pub penalty_last_tokens: u32,
    /// Added to the logits of these tokens.
    pub logit_bias: Vec<(Token, f32)>,
    /// The model's own end is no choice: only a limit ends the answer, or a constraint where it does.
    pub ignore_end: bool,
    /// The same seed gives the same choices from the same logits; `None`: a random one.
    pub seed: Option<u32>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.8,
            top_p: 0.95,
            top_k: 40,
            min_p: 0.05,
            repeat_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_last_tokens: 64,
            logit_bias: vec![],
            ignore_end: false,
            seed: None,
        }
    }
}

impl Sampling {
    /// What is wrong with the numbers, if anything is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let checks = [
            (
                self.temperature == 0.0
                    || (TEMPERATURE_MIN..=TEMPERATURE_MAX).contains(&self.temperature),
                "temperature is neither 0 nor from 0.001 to 1000",
            ),
            (self.top_p > 0.0 && self.top_p <= 1.0, "top_p is outside (0, 1]"),
            ((0.0..=1.0).contains(&self.min_p), "min_p is outside [0, 1]"),
            (
                self.repeat_penalty.is_finite() && self.repeat_penalty > 0.0,
                "repeat_penalty is not above 0",
            ),
            (self.frequency_penalty.is_finite(), "frequency_penalty is not a number"),
            (self.presence_penalty.is_finite(), "presence_penalty is not a number"),
            (
                self.logit_bias.iter().all(|(_, bias)| !bias.is_nan()),
                "logit_bias holds what is no number",
            ),
        ];
        checks.iter().find(|(holds, _)| !holds).map(|(_, fault)| *fault)
    }

    /// Whether earlier tokens matter for the next.
    pub(crate) fn has_penalties(&self) -> bool {
        self.penalty_last_tokens > 0
            && (self.repeat_penalty != 1.0
                || self.frequency_penalty != 0.0
                || self.presence_penalty != 0.0)
    }
}

/// What an answer must look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// JSON that obeys this schema.
    JsonSchema(String),
    /// A text of this grammar, in llguidance's Lark.
    Lark(String),
    /// A text of this grammar, in llama.cpp's GBNF.
    Gbnf(String),
}

/// Likeliest tokens that are told with a score at most; OpenAI allows 20.
const SCORES_LIMIT: u32 = 64;

/// What one generation may do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerateOptions {
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// Tokens to generate at most, 0 only to score the prompt; `None`: until the context is full.
    pub tokens_max: Option<u32>,
    /// What the answer must look like.
    pub constraint: Option<Constraint>,
    /// Score each token, and so many of the likeliest in its place.
    pub scores: Option<u32>,
    /// Score the prompt's tokens too.
    pub scores_prompt: bool,
}

impl GenerateOptions {
    /// What is wrong with the numbers, if anything is.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        if self.tokens_max == Some(0) && !self.scores_prompt {
            return Some("tokens_max is 0");
        }
        if self.scores.is_some_and(|scores| scores > SCORES_LIMIT) {
            return Some("scores is above 64");
        }
        self.sampling.fault()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        let base = Sampling::default();
        let refused = [
            ("temperature", Sampling { temperature: -0.1, ..base.clone() }),
            ("temperature", Sampling { temperature: f32::NAN, ..base.clone() }),
            ("temperature", Sampling { temperature: 1e-9, ..base.clone() }),
            ("top_p", Sampling { top_p: 0.0, ..base.clone() }),
            ("top_p", Sampling { top_p: f32::NAN, ..base.clone() }),
            ("min_p", Sampling { min_p: 1.1, ..base.clone() }),
            ("repeat_penalty", Sampling { repeat_penalty: 0.0, ..base.clone() }),
            ("repeat_penalty", Sampling { repeat_penalty: f32::INFINITY, ..base.clone() }),
            ("frequency_penalty", Sampling { frequency_penalty: f32::NAN, ..base.clone() }),
            ("presence_penalty", Sampling { presence_penalty: f32::NAN, ..base.clone() }),
        ];
        for (name, sampling) in refused {
            let options = GenerateOptions { sampling, ..GenerateOptions::default() };
            let fault = options.fault().expect("the number is out of its range");
            assert!(fault.starts_with(name), "{fault}");
        }
    }

    #[test]
    fn no_tokens_at_all_are_refused() {
        let options = GenerateOptions { tokens_max: Some(0), ..GenerateOptions::default() };
        assert_eq!(options.fault(), Some("tokens_max is 0"));
    }

    #[test]
    fn the_defaults_and_greedy_are_taken() {
        assert_eq!(GenerateOptions::default().fault(), None);
        let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
        assert_eq!(greedy.fault(), None);
    }
}
