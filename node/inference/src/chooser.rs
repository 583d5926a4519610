//! Chooses one request's tokens: bias and constraint over the logits, then the sampler; and says how
//! likely they were.

use crate::answer::{Delivery, TokenScores};
use crate::constraint::Obedience;
use crate::sampler::{Sampler, Scratch};
use crate::scheduler::Choose;
use crate::{ComputeError, GenerateOptions, Step, Token};

/// The state of one request's choices.
pub(crate) struct Chooser {
    pub(crate) sampler: Sampler,
    /// Added to these tokens' logits.
    pub(crate) bias: Vec<(Token, f32)>,
    pub(crate) obedience: Option<Obedience>,
    /// Score the tokens, and so many of the likeliest in their places.
    pub(crate) scores: Option<usize>,
    /// Of the prompt's tokens, until the first step takes them along.
    pub(crate) prompt_scores: Vec<TokenScores>,
}

impl Chooser {
    /// The next token.
    ///
    /// # Errors
    /// The logits are no numbers, or the constraint is too hard.
    pub(crate) fn choose(
        &mut self,
        logits: &[f32],
        scratch: &mut Scratch,
    ) -> Result<Token, ComputeError> {
        if self.bias.is_empty() && self.obedience.is_none() {
            return self.sampler.choose(logits, scratch).ok_or(ComputeError::NotFinite);
        }
        let mut altered = std::mem::take(&mut scratch.altered);
        altered.clear();
        altered.extend_from_slice(logits);
        let token = self.choose_altered(&mut altered, scratch);
        scratch.altered = altered;
        token
    }

    fn choose_altered(
        &mut self,
        logits: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<Token, ComputeError> {
        for (token, bias) in &self.bias {
            if let Some(logit) = usize::try_from(token.0).ok().and_then(|id| logits.get_mut(id)) {
                *logit += bias;
            }
        }
        if let Some(obedience) = &mut self.obedience {
            obedience.mask(logits)?;
        }
        let token = self.sampler.choose(logits, scratch).ok_or(ComputeError::NotFinite)?;
        if let Some(obedience) = &mut self.obedience {
            obedience.accept(token)?;
        }
        Ok(token)
    }

    /// A chosen token as its reader gets it.
    pub(crate) fn delivery(
        &mut self,
        token: Token,
        logits: &[f32],
        scratch: &mut Scratch,
    ) -> Delivery {
        let scores = self.scores.map(|top| scores(logits, token, (top, scratch)));
        Delivery { step: Step::Token(token), scores, prompt_scores: self.take_prompt_scores() }
    }

    /// Scores a token of the prompt.
    pub(crate) fn score_prompt(&mut self, logits: &[f32], token: Token, scratch: &mut Scratch) {
        let top = self.scores.unwrap_or(0);
        self.prompt_scores.push(scores(logits, token, (top, scratch)));
    }

    pub(crate) fn take_prompt_scores(&mut self) -> Vec<TokenScores> {
        std::mem::take(&mut self.prompt_scores)
    }
}

impl Choose for Chooser {
    fn foreseen(&mut self) -> Vec<Token> {
        self.obedience.as_mut().map(Obedience::foreseen).unwrap_or_default()
    }
}

/// What is added to which tokens' logits, taken out of the options; `ends` are the tokens that end an
/// answer.
pub(crate) fn bias(
    options: &mut GenerateOptions,
    ends: impl FnOnce() -> Vec<Token>,
) -> Vec<(Token, f32)> {
    let mut bias = std::mem::take(&mut options.sampling.logit_bias);
    // A constraint says itself when an answer may end, and then may allow nothing else.
    if options.sampling.ignore_end && options.constraint.is_none() {
        bias.extend(ends().into_iter().map(|end| (end, f32::NEG_INFINITY)));
    }
    bias
}

fn scores(logits: &[f32], token: Token, (top, scratch): (usize, &mut Scratch)) -> TokenScores {
    let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|logit| f64::from(logit - best).exp()).sum();
    #[expect(clippy::cast_possible_truncation, reason = "a logarithm of a sum of few thousands")]
    let all = best + sum.ln() as f32;
    let logit = usize::try_from(token.0).ok().and_then(|id| logits.get(id)).copied();
    let logprob = logit.unwrap_or(f32::NEG_INFINITY) - all;
    let likeliest = scratch.likeliest(logits, top);
    let top = likeliest.iter().map(|(logit, token)| (*token, logit - all)).collect();
    TokenScores { token, logprob, top }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Constraint, Sampling};

    fn chooser() -> Chooser {
        let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
        Chooser {
            sampler: Sampler::new(greedy, &[]),
            bias: vec![],
            obedience: None,
            scores: None,
            prompt_scores: vec![],
        }
    }

    #[test]
    fn logits_that_are_no_numbers_are_an_error() {
        let error = chooser().choose(&[f32::NAN; 3], &mut Scratch::default());
        assert_eq!(error, Err(ComputeError::NotFinite));
    }

    #[test]
    fn a_bias_changes_the_choice_and_not_the_score() {
        let mut chooser = Chooser { bias: vec![(Token(1), 10.0)], scores: Some(2), ..chooser() };
        let (logits, mut scratch) = ([1.0, 0.0, -1.0], Scratch::default());
        let token = chooser.choose(&logits, &mut scratch).expect("numbers");
        assert_eq!(token, Token(1));
        let scores = chooser.delivery(token, &logits, &mut scratch).scores.expect("asked for");
        assert!((scores.logprob - -1.407_606).abs() < 1e-5, "{}", scores.logprob);
        let top: Vec<_> = scores.top.iter().map(|(token, _)| token.0).collect();
        assert_eq!(top, [0, 1]);
    }

    #[test]
    fn a_bias_on_no_token_of_the_vocabulary_changes_nothing() {
        let mut chooser = Chooser { bias: vec![(Token(99), 100.0)], ..chooser() };
        assert_eq!(chooser.choose(&[0.0, 1.0], &mut Scratch::default()), Ok(Token(1)));
    }

    #[test]
    fn an_ignored_end_is_forbidden_unless_a_constraint_says_when_it_comes() {
        let own = (Token(5), 1.0);
        let sampling = Sampling { ignore_end: true, logit_bias: vec![own], ..Sampling::default() };
        let plain = GenerateOptions { sampling, ..GenerateOptions::default() };
        let constraint = Some(Constraint::Lark("start: \"yes\"".into()));
        let constrained = GenerateOptions { constraint, ..plain.clone() };
        let never = (Token(2), f32::NEG_INFINITY);
        for (mut options, expected) in [(plain, vec![own, never]), (constrained, vec![own])] {
            assert_eq!(bias(&mut options, || vec![Token(2)]), expected);
        }
    }

    #[test]
    fn prompt_scores_go_along_with_the_first_step() {
        let mut chooser = chooser();
        let mut scratch = Scratch::default();
        chooser.score_prompt(&[0.0, 0.0], Token(0), &mut scratch);
        let first = chooser.delivery(Token(0), &[0.0, 0.0], &mut scratch);
        assert!((first.prompt_scores[0].logprob - 0.5_f32.ln()).abs() < 1e-6);
        assert!(chooser.delivery(Token(0), &[0.0, 0.0], &mut scratch).prompt_scores.is_empty());
    }
}
