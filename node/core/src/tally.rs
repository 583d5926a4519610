//! What a request took as a whole.

use gaia_protocol::Usage;

/// Adds up what the choices of a request took. A prompt that several choices share counts once.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    choices_per_prompt: u32,
    total: Usage,
}

impl Tally {
    /// Nothing yet; each prompt is shared by so many choices that stand side by side.
    #[must_use]
    pub fn new(choices_per_prompt: u32) -> Self {
        Self { choices_per_prompt: choices_per_prompt.max(1), total: Usage::default() }
    }

    /// Adds what a choice took.
    pub fn add(&mut self, choice: u32, usage: Usage) {
        let total = &mut self.total;
        if choice.is_multiple_of(self.choices_per_prompt) {
            total.prompt_tokens = total.prompt_tokens.saturating_add(usage.prompt_tokens);
            total.cached_tokens = total.cached_tokens.saturating_add(usage.cached_tokens);
        }
        total.completion_tokens = total.completion_tokens.saturating_add(usage.completion_tokens);
        total.reasoning_tokens = total.reasoning_tokens.saturating_add(usage.reasoning_tokens);
    }

    /// The sum.
    #[must_use]
    pub fn total(&self) -> Usage {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_prompt_counts_once() {
        let usage =
            Usage { prompt_tokens: 5, completion_tokens: 2, cached_tokens: 4, reasoning_tokens: 1 };
        let mut tally = Tally::new(2);
        (0..4).for_each(|choice| tally.add(choice, usage));
        let total = tally.total();
        assert_eq!((total.prompt_tokens, total.cached_tokens), (10, 8));
        assert_eq!((total.completion_tokens, total.reasoning_tokens), (8, 4));
    }
}
