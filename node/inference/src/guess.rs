//! Guesses the next tokens from what was said before ("prompt lookup"). Pure.
//!
//! Answers about a text repeat parts of it, and code repeats itself. Where the last tokens stood
//! before, what followed them then may follow now. A step checks all guesses at once, so a guess pays
//! when it comes true often enough for what checking costs (the module `toll`): each answer keeps
//! count, and one whose guesses fail rests.

use crate::Token;

/// As many last tokens must have stood before: with fewer, most guesses are chance.
const MATCH_TOKENS: usize = 3;

/// Tokens guessed at once at most.
const GUESS_TOKENS_MAX: usize = 8;

/// Only so far back is looked: a longer search would cost more than the guess brings.
const LOOK_BACK_TOKENS: usize = 8192;

/// How much the newest guess counts in the running share.
const NEWEST: f32 = 0.25;

/// What a new answer is trusted with.
const FIRST_SHARE: f32 = 0.6;

/// An answer whose guesses don't pay tries one in so many steps.
const REST_STEPS: u32 = 32;

/// One answer's luck.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Luck {
    /// Running share of guessed tokens that came true.
    share: f32,
    /// Steps since the last in which it tries whatever its luck.
    steps: u32,
}

impl Default for Luck {
    fn default() -> Self {
        Self { share: FIRST_SHARE, steps: 0 }
    }
}

impl Luck {
    /// Whether to guess in this step, where a share of `pays` must come true. The same for all who ask
    /// before [`Luck::pass`].
    pub(crate) fn tries(self, pays: f32) -> bool {
        self.share >= pays || self.steps + 1 == REST_STEPS
    }

    /// The next step begins.
    pub(crate) fn pass(&mut self) {
        self.steps = (self.steps + 1) % REST_STEPS;
    }

    /// Takes note of how a guess went.
    pub(crate) fn note(&mut self, guessed: usize, confirmed: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a share of few tokens")]
        let share = confirmed as f32 / guessed.max(1) as f32;
        self.share += (share - self.share) * NEWEST;
    }
}

/// What followed the last tokens where they stood before, at most `limit` tokens.
pub(crate) fn lookup(tokens: &[Token], limit: usize) -> &[Token] {
    let Some(start) = tokens.len().checked_sub(MATCH_TOKENS) else { return &[] };
    let last = &tokens[start..];
    let before = &tokens[start.saturating_sub(LOOK_BACK_TOKENS)..tokens.len() - 1];
    let Some(found) = before.windows(MATCH_TOKENS).rposition(|window| window == last) else {
        return &[];
    };
    let next = start.saturating_sub(LOOK_BACK_TOKENS) + found + MATCH_TOKENS;
    &tokens[next..tokens.len().min(next + limit.min(GUESS_TOKENS_MAX))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(tokens: &[i32], limit: usize) -> Vec<i32> {
        let tokens: Vec<Token> = tokens.iter().copied().map(Token).collect();
        lookup(&tokens, limit).iter().map(|token| token.0).collect()
    }

    #[test]
    fn without_a_repetition_nothing_is_guessed() {
        assert_eq!(guess(&[], 8), [0; 0]);
        assert_eq!(guess(&[1, 2], 8), [0; 0]);
        assert_eq!(guess(&[1, 2, 3, 4, 5], 8), [0; 0]);
    }

    #[test]
    fn what_followed_last_time_is_guessed() {
        assert_eq!(guess(&[1, 2, 3, 4, 5, 9, 1, 2, 3], 8), [4, 5, 9, 1, 2, 3]);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 9, 1, 2, 3], 2), [4, 5]);
        assert_eq!(guess(&[1, 2, 3, 4, 8, 1, 2, 3, 5, 8, 1, 2, 3], 1), [5]);
    }

    #[test]
    fn a_token_that_repeats_itself_is_guessed_on() {
        assert_eq!(guess(&[7, 7, 7, 7], 8), [7]);
    }

    #[test]
    fn bad_luck_rests_and_tries_again() {
        let mut luck = Luck::default();
        assert!(luck.tries(0.3));
        for _ in 0..8 {
            luck.note(4, 0);
        }
        let mut tries = || {
            luck.pass();
            luck.tries(0.3)
        };
        let tried: Vec<usize> = (0..100).filter(|_| tries()).collect();
        let rest = REST_STEPS as usize;
        assert_eq!(tried, [rest - 2, 2 * rest - 2, 3 * rest - 2]);
        assert!(luck.tries(0.0));
    }

    #[test]
    fn where_guesses_are_dear_a_new_answer_waits_before_its_first() {
        assert!(!Luck::default().tries(0.9));
    }

    #[test]
    fn good_luck_goes_on() {
        let mut luck = Luck::default();
        for _ in 0..100 {
            luck.note(4, 3);
            assert!(luck.tries(0.5));
        }
    }
}
