//! Which sequence a new prompt takes, and what it finds computed there. Pure.
//!
//! Every sequence keeps what it computed until another prompt takes it. A prompt starts from the
//! longest beginning that some sequence has: in that sequence, or in another one after a copy of its
//! cache. A sequence that still computes may be the source too: the prompt then waits for it, so
//! that many prompts with one beginning, arriving together, compute it once.

use crate::Token;
use crate::picture::Reading;

/// A copy moves a sequence's whole cache. On two Zen 4 cores it took 2.4 ms with 1,024 tokens of a model
/// of 135 million parameters and 8.4 ms with 4,096, where a prompt token took 2.9 ms: less than one prompt
/// token for each 1,024. Larger models compute longer for each byte of their cache.
const CONTEXT_TOKENS_PER_TOKEN: u32 = 1024;

/// With fewer tokens a copy is not worth the wait for another prompt that computes them.
const COPY_TOKENS_LEAST: u32 = 8;

/// llama.cpp computes sequences with neighbouring numbers as one matrix and reads the weights once
/// for each such group. One group more costs a read per step for all of the answer: some 256 prompt
/// tokens.
const GROUP_TOKENS: i64 = 256;

/// A sequence's old tokens count an eighth: they may be asked for again.
const EVICTED_TOKENS_PER_TOKEN: i64 = 8;

/// What a copy costs, in prompt tokens; computing fewer is cheaper.
pub(crate) fn copy_tokens(context_tokens: u32) -> usize {
    (context_tokens / CONTEXT_TOKENS_PER_TOKEN).max(COPY_TOKENS_LEAST) as usize
}

/// What is known of one sequence.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// What another prompt may begin with of what it has computed or, while a request holds it, is
    /// going to.
    pub(crate) reading: Reading<'a>,
    /// How much of it is computed.
    pub(crate) computed: usize,
    /// No request holds it.
    pub(crate) is_free: bool,
    /// When it was used last: larger is later.
    pub(crate) used: u64,
}

/// Where a prompt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its sequence.
    pub(crate) sequence: u32,
    /// Tokens of the prompt that are computed there already.
    pub(crate) kept: usize,
    /// Another sequence with more of them, and how many.
    pub(crate) source: Option<(u32, usize)>,
}

/// The best free sequence for a prompt, of which `reusable` tokens may be taken over; a copy costs
/// `copy_tokens`. `None`: none is free.
pub(crate) fn place(
    candidates: &[Candidate<'_>],
    prompt: Reading<'_>,
    reusable: usize,
    copy_tokens: usize,
) -> Option<Place> {
    let shared = |reading: Reading<'_>| prompt.cut(reading.common(prompt).min(reusable));
    let common: Vec<usize> = candidates.iter().map(|candidate| shared(candidate.reading)).collect();
    let is_there = |index: usize| candidates[index].computed >= common[index];
    // Of two equals one that need not be waited for.
    let longest = (0..candidates.len())
        .max_by_key(|index| (common[*index], is_there(*index), usize::MAX - index))?;
    let free = (0..candidates.len()).filter(|index| candidates[*index].is_free);
    let options = free.map(|index| {
        let copies = longest != index && common[longest] > common[index] + copy_tokens;
        let reused = if copies { common[longest] - copy_tokens } else { common[index] };
        let evicted = candidates[index].reading.tokens.len() - common[index];
        let score = tokens(reused)
            - tokens(evicted) / EVICTED_TOKENS_PER_TOKEN
            - GROUP_TOKENS * groups_added(candidates, index);
        (score, copies, index)
    });
    // Of two equals the one that was used longer ago, then the lower number.
    let (_, copies, index) = options.max_by_key(|(score, _, index)| {
        (*score, std::cmp::Reverse((candidates[*index].used, *index)))
    })?;
    let source = copies.then(|| (number(longest), common[longest]));
    Some(Place { sequence: number(index), kept: common[index], source })
}

/// How many groups of neighbouring sequences there are more when this one is used too.
fn groups_added(candidates: &[Candidate<'_>], index: usize) -> i64 {
    let is_used = |index: usize| candidates.get(index).is_some_and(|other| !other.is_free);
    1 - i64::from(index > 0 && is_used(index - 1)) - i64::from(is_used(index + 1))
}

/// Length of the longest common beginning.
pub(crate) fn common_tokens(left: &[Token], right: &[Token]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

fn tokens(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX / 4)
}

fn number(index: usize) -> u32 {
    u32::try_from(index).expect("there are at most 256 sequences")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY_TOKENS: usize = 24;

    fn text(start: i32, length: i32) -> Vec<Token> {
        (start..start + length).map(Token).collect()
    }

    fn words(tokens: &[Token]) -> Reading<'_> {
        Reading { tokens, spots: &[] }
    }

    fn place(candidates: &[Candidate<'_>], prompt: &[Token], reusable: usize) -> Option<Place> {
        super::place(candidates, words(prompt), reusable, COPY_TOKENS)
    }

    fn free(tokens: &[Token], used: u64) -> Candidate<'_> {
        Candidate { reading: words(tokens), computed: tokens.len(), is_free: true, used }
    }

    fn busy(tokens: &[Token]) -> Candidate<'_> {
        Candidate { is_free: false, ..free(tokens, 9) }
    }

    /// Its prompt is still to be computed.
    fn new(tokens: &[Token]) -> Candidate<'_> {
        Candidate { computed: 0, ..busy(tokens) }
    }

    fn at(sequence: u32, kept: usize) -> Place {
        Place { sequence, kept, source: None }
    }

    #[test]
    fn without_a_free_sequence_there_is_no_place() {
        let prompt = text(0, 4);
        assert_eq!(place(&[busy(&prompt)], &prompt, 3), None);
        assert_eq!(place(&[], &prompt, 3), None);
    }

    #[test]
    fn the_longest_common_beginning_wins() {
        let (long, short, prompt) = (text(0, 50), text(0, 20), text(0, 60));
        assert_eq!(place(&[free(&short, 1), free(&long, 2)], &prompt, 59), Some(at(1, 50)));
    }

    #[test]
    fn the_last_token_of_a_prompt_is_always_computed() {
        let prompt = text(0, 10);
        assert_eq!(place(&[free(&prompt, 1)], &prompt, 9), Some(at(0, 9)));
        assert_eq!(place(&[free(&prompt, 1)], &prompt, 0), Some(at(0, 0)));
    }

    #[test]
    fn an_empty_sequence_is_taken_before_another_conversation_is_lost() {
        let (other, prompt) = (text(900, 500), text(0, 60));
        assert_eq!(place(&[free(&other, 1), free(&[], 0)], &prompt, 59), Some(at(1, 0)));
    }

    #[test]
    fn of_equals_the_one_used_longest_ago_is_lost() {
        let (left, right, prompt) = (text(900, 80), text(500, 80), text(0, 60));
        assert_eq!(place(&[free(&left, 5), free(&right, 3)], &prompt, 59), Some(at(1, 0)));
    }

    #[test]
    fn neighbours_of_running_sequences_are_preferred() {
        let prompt = text(0, 60);
        let nothing = free(&[], 0);
        assert_eq!(place(&[nothing, nothing, busy(&[])], &prompt, 59), Some(at(1, 0)));
        let cached = text(0, 20);
        let candidates = [nothing, free(&cached, 1), nothing, busy(&[])];
        assert_eq!(place(&candidates, &prompt, 59), Some(at(2, 0)));
    }

    #[test]
    fn a_running_sequence_s_beginning_is_copied_if_it_is_long() {
        let (short, long) = (text(0, 12), text(0, 400));
        let prompt: Vec<Token> = long.iter().copied().chain(text(5000, 60)).collect();
        let source = Some((0, 400));
        let copied = Place { sequence: 1, kept: 0, source };
        assert_eq!(place(&[busy(&long), free(&[], 0)], &prompt, 459), Some(copied));
        assert_eq!(place(&[busy(&short), free(&[], 0)], &prompt, 459), Some(at(1, 0)));
    }

    #[test]
    fn of_two_sources_the_one_that_is_computed_is_copied() {
        let shared = text(0, 100);
        let candidates = [new(&shared), busy(&shared), free(&[], 0)];
        let copied = Place { sequence: 2, kept: 0, source: Some((1, 99)) };
        assert_eq!(place(&candidates, &shared, 99), Some(copied));
    }

    #[test]
    fn a_copy_costs_more_where_sequences_are_long() {
        assert_eq!(copy_tokens(512), 8);
        assert_eq!(copy_tokens(32_768), 32);
    }
}
