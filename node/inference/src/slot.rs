//! One sequence of the cache: what it holds, and the request that holds it. Pure.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crate::Token;
use crate::answer::Delivery;
use crate::batch::Entry;
use crate::ffi::Chunk;
use crate::guess::Luck;
use crate::inbox::Seat;
use crate::picture::{Reading, Spot};
use crate::plan::{CacheChange, Output, Plan, Purpose};
use crate::prefix::Candidate;
use crate::queue::Outlet;
use crate::scheduler::Bounds;

/// A request for a sequence.
pub(crate) struct Job<S> {
    /// The prompt, never empty and shorter than the context.
    pub(crate) prompt: Vec<Token>,
    /// The pictures in it, by their places. None is its last token.
    pub(crate) spots: Vec<Spot>,
    /// What is to be encoded, for each of `spots`.
    pub(crate) chunks: Vec<Arc<Chunk>>,
    /// Tokens to generate at most.
    pub(crate) tokens_max: u32,
    /// Chooses its tokens.
    pub(crate) sampler: S,
    /// The prompt's tokens are to be scored, so all of it must be computed.
    pub(crate) scores_prompt: bool,
    /// Where its steps go.
    pub(crate) outlet: Outlet<Delivery>,
    /// Told how much of the prompt was found in the cache.
    pub(crate) cached_tokens: Arc<AtomicU32>,
    /// Its place among the engine's requests.
    pub(crate) _seat: Option<Seat>,
}

/// A sequence of the cache, used or not.
pub(crate) struct Slot<S> {
    /// The tokens computed and, while a request runs, those to compute next.
    pub(crate) tokens: Vec<Token>,
    /// The pictures among them.
    pub(crate) spots: Vec<Spot>,
    /// How many of `tokens` are in the cache.
    pub(crate) computed: usize,
    /// Guesses computed behind them and not confirmed.
    pub(crate) loose: usize,
    /// How many of `tokens` were computed behind nothing but those before them: what stood behind a
    /// forgotten middle still knows of it, and no other prompt may begin with it.
    pub(crate) pure: usize,
    pub(crate) used: u64,
    pub(crate) run: Option<Run<S>>,
}

/// A request that holds a sequence.
pub(crate) struct Run<S> {
    pub(crate) job: Job<S>,
    pub(crate) generated: u32,
    /// Guesses for the step, behind the last of the sequence's tokens.
    pub(crate) guess: Vec<Token>,
    pub(crate) luck: Luck,
    /// Another sequence computes this prompt's beginning: which, and how much of it.
    pub(crate) awaits: Option<(u32, usize)>,
}

impl<S> Default for Slot<S> {
    fn default() -> Self {
        Self {
            tokens: vec![],
            spots: vec![],
            computed: 0,
            loose: 0,
            pure: usize::MAX,
            used: 0,
            run: None,
        }
    }
}

impl<S> Slot<S> {
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading { tokens: &self.tokens, spots: &self.spots }
    }

    /// What other prompts may begin with.
    pub(crate) fn offer(&self) -> Reading<'_> {
        let pure = self.pure.min(self.tokens.len());
        // No sequence with pictures forgets its middle.
        Reading { tokens: &self.tokens[..pure], spots: &self.spots }
    }

    pub(crate) fn candidate(&self) -> Candidate<'_> {
        Candidate {
            reading: self.offer(),
            computed: self.computed,
            is_free: self.run.is_none(),
            used: self.used,
        }
    }

    pub(crate) fn can_stream(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.generated > 0 && run.job.outlet.has_room())
    }

    /// A request computes its prompt here, and no reader can hold it up.
    pub(crate) fn is_prompting(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.generated == 0)
    }

    /// Prompt tokens to compute before the next picture.
    pub(crate) fn prompt_left(&self) -> usize {
        let end = match self.next_spot() {
            Some((_, spot)) => spot.start.max(self.computed),
            None => self.tokens.len(),
        };
        if self.computes_prompt() { end - self.computed } else { 0 }
    }

    /// The picture to compute next, if nothing comes before it.
    pub(crate) fn picture_left(&self) -> Option<(usize, Spot)> {
        let is_next = |(_, spot): &(usize, Spot)| spot.start <= self.computed;
        self.next_spot().filter(is_next).filter(|_| self.computes_prompt())
    }

    fn next_spot(&self) -> Option<(usize, Spot)> {
        self.reading().next_spot(self.computed)
    }

    fn computes_prompt(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.generated == 0 && run.awaits.is_none())
    }

    /// Forgets what is not computed, and what can't be used: half a picture. True: that was cut off.
    pub(crate) fn truncate(&mut self) -> bool {
        let whole = self.reading().cut(self.computed);
        let is_cut = whole < self.computed;
        self.computed = whole;
        self.tokens.truncate(whole);
        self.spots.retain(|spot| spot.end() <= whole);
        is_cut
    }

    /// The change that leaves what is computed in the cache and nothing else.
    pub(crate) fn kept(&self, sequence: u32) -> CacheChange {
        CacheChange::Keep { sequence, tokens: self.reading().position(self.computed) }
    }

    /// Guesses that can still become tokens of the answer.
    pub(crate) fn guesses_max(&self, bounds: &Bounds) -> usize {
        let Some(run) = &self.run else { return 0 };
        let wanted = run.job.tokens_max - run.generated;
        let room = (bounds.context_tokens as usize).saturating_sub(self.tokens.len());
        room.min(wanted as usize).saturating_sub(1)
    }

    pub(crate) fn append(&self, plan: &mut Plan, id: u32, chunk: usize) {
        let Some(run) = &self.run else { return };
        let known = self.tokens.len();
        let token =
            |index: usize| self.tokens.get(index).or_else(|| run.guess.get(index - known)).copied();
        let start = self.reading().position(self.computed);
        for (place, index) in (start..).zip(self.computed..self.computed + chunk) {
            let purpose = if index + 1 >= known {
                Some(Purpose::Sample { guess: token(index + 1) })
            } else {
                token(index + 1).filter(|_| run.job.scores_prompt).map(Purpose::Score)
            };
            let entry = plan.entries.len();
            plan.outputs.extend(purpose.map(|purpose| Output { entry, sequence: id, purpose }));
            plan.entries.push(Entry {
                token: token(index).expect("a chunk ends with the last guess"),
                position: u32::try_from(place).unwrap_or(u32::MAX),
                sequence: id,
                output: purpose.is_some(),
            });
        }
        plan.guesses += run.guess.len();
        plan.prompt_tokens += if run.generated == 0 { chunk } else { 0 };
    }

    /// Forgets the older half of what is behind the first tokens, which hold attention together.
    pub(crate) fn shift(&mut self) -> (usize, usize) {
        const KEPT_TOKENS: usize = 4;
        let kept = KEPT_TOKENS.min(self.computed);
        let dropped = (self.computed - kept) / 2;
        self.tokens.drain(kept..kept + dropped);
        self.computed -= dropped;
        self.pure = self.pure.min(kept);
        (kept, dropped)
    }
}
