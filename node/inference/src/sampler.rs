//! Chooses a token from the model's logits. Pure.
//!
//! The order is llama.cpp's: penalties, `top_k`, `top_p`, `min_p`, temperature, chance. Candidates
//! stay in the order of the vocabulary, so that a rounding difference between two batches can move
//! no token to another stretch of the random number's range.

use crate::random::Random;
use crate::{Sampling, Token};

/// Logits this far below the best, times the temperature, have no weight: `exp(-25)` times a
/// vocabulary of 150,000 is below what a 32-bit sum can tell.
const NEGLIGIBLE: f32 = 25.0;

/// How many of the likeliest tokens are sorted first to find a nucleus; more follow if need be.
const NUCLEUS_GUESS: usize = 64;

/// Candidates of one choice, kept between choices for their memory.
#[derive(Default)]
pub(crate) struct Scratch {
    candidates: Vec<(f32, u32)>,
    logits: Vec<f32>,
    recent: Vec<Token>,
    /// Logits after bias and constraint.
    pub(crate) altered: Vec<f32>,
}

impl Scratch {
    /// The likeliest tokens, likeliest first, with their logits.
    pub(crate) fn likeliest(&mut self, logits: &[f32], count: usize) -> Vec<(f32, Token)> {
        if count == 0 {
            return vec![];
        }
        gather_top_k(&mut self.candidates, logits, count);
        self.candidates.sort_unstable_by(likelier_first);
        self.candidates
            .iter()
            .filter_map(|(logit, id)| Some((*logit, token_at(*id as usize)?)))
            .collect()
    }
}

/// The state of one answer's choices.
pub(crate) struct Sampler {
    sampling: Sampling,
    random: Random,
    /// The tokens that penalties look at: the end of the prompt, and the answer.
    history: Vec<Token>,
    /// How many of `history` are prompt.
    prompt_tokens: usize,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, prompt: &[Token]) -> Self {
        let random =
            sampling.seed.map_or_else(Random::from_chance, |seed| Random::new(seed.into()));
        let history = if sampling.has_penalties() {
            let window = (sampling.penalty_last_tokens as usize).min(prompt.len());
            prompt[prompt.len() - window..].to_vec()
        } else {
            vec![]
        };
        Self { sampling, random, prompt_tokens: history.len(), history }
    }

    /// The next token; `None`: the logits are no numbers.
    pub(crate) fn choose(&mut self, logits: &[f32], scratch: &mut Scratch) -> Option<Token> {
        let token = if self.sampling.has_penalties() {
            let mut penalized = std::mem::take(&mut scratch.logits);
            penalized.clear();
            penalized.extend_from_slice(logits);
            self.penalize(&mut penalized, &mut scratch.recent);
            let token = self.pick(&penalized, scratch);
            scratch.logits = penalized;
            token
        } else {
            self.pick(logits, scratch)
        }?;
        if self.sampling.has_penalties() {
            self.history.push(token);
        }
        Some(token)
    }

    fn pick(&mut self, logits: &[f32], scratch: &mut Scratch) -> Option<Token> {
        let best = max(logits);
        if !best.is_finite() {
            return None;
        }
        let greedy = self.sampling.temperature == 0.0 || self.sampling.top_k == 1;
        if greedy {
            return token_at(logits.iter().position(|logit| *logit == best)?);
        }
        let candidates = &mut scratch.candidates;
        let least = best - NEGLIGIBLE * self.sampling.temperature.max(1.0);
        match self.sampling.top_k as usize {
            0 => gather(candidates, logits, least),
            k => gather_top_k(candidates, logits, k),
        }
        keep_top_p(candidates, self.sampling.top_p, best);
        if self.sampling.min_p > 0.0 {
            let least = best + self.sampling.min_p.ln();
            candidates.retain(|(logit, _)| *logit >= least);
        }
        self.draw(candidates, best)
    }

    /// Draws by the softmax of the candidates' logits over the temperature.
    fn draw(&mut self, candidates: &[(f32, u32)], best: f32) -> Option<Token> {
        let weight = |logit: f32| f64::from(((logit - best) / self.sampling.temperature).exp());
        let total: f64 = candidates.iter().map(|(logit, _)| weight(*logit)).sum();
        let mut left = self.random.unit() * total;
        for (logit, id) in candidates {
            left -= weight(*logit);
            if left < 0.0 {
                return token_at(*id as usize);
            }
        }
        // Rounding can leave a rest of nothing behind the last candidate.
        candidates.last().and_then(|(_, id)| token_at(*id as usize))
    }

    /// Makes tokens of the recent past unlikelier. The repetition penalty counts prompt and answer,
    /// the frequency and presence penalties the answer alone: a chat template's own tokens must not
    /// count against the answer's.
    fn penalize(&self, logits: &mut [f32], recent: &mut Vec<Token>) {
        let window = (self.sampling.penalty_last_tokens as usize).min(self.history.len());
        let start = self.history.len() - window;
        if self.sampling.repeat_penalty != 1.0 {
            for (token, _) in counts(&self.history[start..], recent) {
                if let Some(logit) = logit_of(logits, token) {
                    let penalty = self.sampling.repeat_penalty;
                    *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
                }
            }
        }
        if self.sampling.frequency_penalty != 0.0 || self.sampling.presence_penalty != 0.0 {
            for (token, count) in counts(&self.history[start.max(self.prompt_tokens)..], recent) {
                if let Some(logit) = logit_of(logits, token) {
                    *logit -= self.sampling.frequency_penalty * f32::from(count)
                        + self.sampling.presence_penalty;
                }
            }
        }
    }
}

/// Each token of `tokens` with how often it is there.
fn counts<'a>(
    tokens: &[Token],
    sorted: &'a mut Vec<Token>,
) -> impl Iterator<Item = (Token, u16)> + 'a {
    sorted.clear();
    sorted.extend_from_slice(tokens);
    sorted.sort_unstable();
    sorted
        .chunk_by(|left, right| left == right)
        .map(|run| (run[0], u16::try_from(run.len()).unwrap_or(u16::MAX)))
}

fn logit_of(logits: &mut [f32], token: Token) -> Option<&mut f32> {
    logits.get_mut(usize::try_from(token.0).ok()?)
}

fn token_at(index: usize) -> Option<Token> {
    i32::try_from(index).ok().map(Token)
}

/// The greatest number; not-a-number counts as nothing.
fn max(logits: &[f32]) -> f32 {
    // Sixteen maxima side by side are one vector register: without them the compiler must keep the
    // order of the comparisons and takes one at a time.
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = logits.chunks_exact(lanes.len());
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, logit) in lanes.iter_mut().zip(chunk) {
            *lane = if *logit > *lane { *logit } else { *lane };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

fn gather(candidates: &mut Vec<(f32, u32)>, logits: &[f32], least: f32) {
    candidates.clear();
    candidates.extend(
        (0..).zip(logits).filter_map(|(id, logit)| (*logit >= least).then_some((*logit, id))),
    );
}

fn likelier_first(left: &(f32, u32), right: &(f32, u32)) -> std::cmp::Ordering {
    right.0.total_cmp(&left.0).then(left.1.cmp(&right.1))
}

/// The `k` likeliest. One comparison each for nearly all: what is below the least of the likeliest
/// so far is passed over, and that least rises quickly.
fn gather_top_k(candidates: &mut Vec<(f32, u32)>, logits: &[f32], k: usize) {
    candidates.clear();
    let full = k.saturating_mul(2).min(logits.len());
    let mut least = f32::NEG_INFINITY;
    for (id, logit) in (0..).zip(logits) {
        if *logit > least {
            candidates.push((*logit, id));
            if candidates.len() >= full && candidates.len() > k {
                candidates.select_nth_unstable_by(k - 1, likelier_first);
                candidates.truncate(k);
                least = candidates[k - 1].0;
            }
        }
    }
    if candidates.len() > k {
        candidates.select_nth_unstable_by(k - 1, likelier_first);
        candidates.truncate(k);
    }
    candidates.sort_unstable_by_key(|(_, id)| *id);
}

/// Keeps the smallest set of likeliest candidates whose share of all is at least `p`.
fn keep_top_p(candidates: &mut Vec<(f32, u32)>, p: f32, best: f32) {
    if p >= 1.0 {
        return;
    }
    let weight = |logit: f32| f64::from((logit - best).exp());
    let wanted = f64::from(p) * candidates.iter().map(|(logit, _)| weight(*logit)).sum::<f64>();
    let mut guess = NUCLEUS_GUESS;
    loop {
        let sorted = guess.min(candidates.len());
        if sorted < candidates.len() {
            candidates.select_nth_unstable_by(sorted, likelier_first);
        }
        candidates[..sorted].sort_unstable_by(likelier_first);
        let mut sum = 0.0;
        let reached = candidates[..sorted].iter().position(|(logit, _)| {
            sum += weight(*logit);
            sum >= wanted
        });
        if let Some(last) = reached {
            candidates.truncate(last + 1);
            break;
        }
        if sorted == candidates.len() {
            break;
        }
        guess *= 8;
    }
    candidates.sort_unstable_by_key(|(_, id)| *id);
}

#[cfg(test)]
#[path = "sampler_tests.rs"]
mod tests;
