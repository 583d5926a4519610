//! Which tokens the next step computes. Pure: it knows no model.
//!
//! Running sequences come first, one token each, so that no prompt stalls a stream; what is left of
//! the batch goes to prompts in the order of arrival. A sequence whose reader lags is left out until
//! its queue has room. The lowest free sequence is given out first: llama.cpp computes sequences
//! with neighbouring numbers together.

use std::collections::VecDeque;

use crate::answer::Step;
use crate::batch::Entry;
use crate::inbox::Seat;
use crate::queue::Outlet;
use crate::{ComputeError, Token};

/// A request for a sequence.
pub(crate) struct Job<S> {
    /// The prompt, never empty and shorter than the context.
    pub(crate) prompt: Vec<Token>,
    /// Tokens to generate at most.
    pub(crate) tokens_max: u32,
    /// Chooses its tokens.
    pub(crate) sampler: S,
    /// Where its steps go.
    pub(crate) outlet: Outlet<Step>,
    /// Its place among the engine's requests.
    pub(crate) _seat: Option<Seat>,
}

/// A sequence that a request holds.
struct Sequence<S> {
    job: Job<S>,
    /// Tokens in the cache.
    computed: usize,
    /// The sampled token that a next step computes.
    next: Option<Token>,
    generated: u32,
}

/// An entry of a step after which a token is to be sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Index of the entry in the step.
    pub(crate) entry: usize,
    /// Its sequence.
    pub(crate) sequence: u32,
}

/// One step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The tokens to compute, by sequence and position.
    pub(crate) entries: Vec<Entry>,
    /// Where a token is to be sampled.
    pub(crate) outputs: Vec<Output>,
    /// How many entries are prompt.
    pub(crate) prompt_tokens: usize,
}

/// The sizes that bound a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Sequences at once.
    pub(crate) sequences_max: u32,
    /// Tokens one sequence may hold.
    pub(crate) context_tokens: u32,
    /// Tokens of one step.
    pub(crate) batch_tokens: u32,
    /// Prompt tokens of a step that also carries streams.
    pub(crate) prompt_tokens_beside_streams: u32,
}

/// All requests of one engine.
pub(crate) struct Scheduler<S> {
    sequences: Vec<Option<Sequence<S>>>,
    /// Sequences in the order in which their requests came.
    order: Vec<u32>,
    waiting: VecDeque<Job<S>>,
    bounds: Bounds,
}

impl<S> Scheduler<S> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let sequences = (0..bounds.sequences_max).map(|_| None).collect();
        Self { sequences, order: vec![], waiting: VecDeque::new(), bounds }
    }

    /// Takes a request; it waits until a sequence is free.
    pub(crate) fn add(&mut self, job: Job<S>) {
        self.waiting.push_back(job);
    }

    /// Sequences in use.
    pub(crate) fn active(&self) -> usize {
        self.order.len()
    }

    /// Drops requests whose reader is gone. Returns the sequences that are free now and how many
    /// requests were dropped in all.
    pub(crate) fn drop_abandoned(&mut self) -> (Vec<u32>, usize) {
        let before = self.waiting.len();
        self.waiting.retain(|job| !job.outlet.is_abandoned());
        let is_gone = |id: &u32| self.sequence(*id).job.outlet.is_abandoned();
        let gone: Vec<u32> = self.order.iter().copied().filter(is_gone).collect();
        gone.iter().for_each(|id| self.release(*id));
        let dropped = before - self.waiting.len() + gone.len();
        (gone, dropped)
    }

    /// Gives free sequences to waiting requests.
    pub(crate) fn admit(&mut self) {
        for id in 0..self.bounds.sequences_max {
            if self.sequences[id as usize].is_none() {
                let Some(job) = self.waiting.pop_front() else { return };
                let sequence = Sequence { job, computed: 0, next: None, generated: 0 };
                self.sequences[id as usize] = Some(sequence);
                self.order.push(id);
            }
        }
    }

    /// The next step; empty if nothing can be computed now.
    pub(crate) fn plan(&self) -> Plan {
        let mut chunks = vec![0; self.sequences.len()];
        let streams = self.order.iter().filter(|id| self.sequence(**id).can_stream());
        streams.for_each(|id| chunks[*id as usize] = 1);
        let streams: usize = chunks.iter().sum();
        let mut room = self.bounds.batch_tokens as usize - streams;
        if streams > 0 {
            room = room.min(self.bounds.prompt_tokens_beside_streams as usize);
        }
        let prompts = self.order.iter().filter(|id| self.sequence(**id).next.is_none());
        for id in prompts {
            let chunk = self.sequence(*id).prompt_left().min(room);
            chunks[*id as usize] = chunk;
            room -= chunk;
        }
        self.step(&chunks)
    }

    fn step(&self, chunks: &[usize]) -> Plan {
        let mut plan = Plan::default();
        for (id, chunk) in (0..).zip(chunks) {
            if *chunk > 0 {
                self.sequence(id).append(&mut plan, id, *chunk);
            }
        }
        plan
    }

    /// The sampler of a sequence.
    pub(crate) fn sampler(&mut self, id: u32) -> &mut S {
        &mut self.sequence_mut(id).job.sampler
    }

    /// Notes that a step was computed.
    pub(crate) fn computed(&mut self, plan: &Plan) {
        for entry in &plan.entries {
            let sequence = self.sequence_mut(entry.sequence);
            sequence.computed += 1;
            sequence.next = None;
        }
    }

    /// Takes a sampled token. True: the sequence has ended and is free.
    pub(crate) fn sampled(&mut self, id: u32, token: Token, is_end: bool) -> bool {
        let context_tokens = self.bounds.context_tokens as usize;
        let sequence = self.sequence_mut(id);
        sequence.generated += 1;
        sequence.next = Some(token);
        let end = if is_end {
            Some(Step::EndOfGeneration(token))
        } else {
            sequence.job.outlet.push(Step::Token(token));
            sequence.end_after(context_tokens)
        };
        let Some(end) = end else { return false };
        sequence.job.outlet.push(end);
        self.release(id);
        true
    }

    /// Ends the sequences of a step that could not be computed. Returns them: they are free.
    pub(crate) fn fail(&mut self, plan: &Plan, error: &ComputeError) -> Vec<u32> {
        let mut ids: Vec<u32> = plan.entries.iter().map(|entry| entry.sequence).collect();
        ids.dedup();
        ids.iter().for_each(|id| self.fail_one(*id, error.clone()));
        ids
    }

    /// Ends one sequence with an error; it is free.
    pub(crate) fn fail_one(&mut self, id: u32, error: ComputeError) {
        self.sequence(id).job.outlet.fail(error);
        self.release(id);
    }

    fn release(&mut self, id: u32) {
        self.sequences[id as usize] = None;
        self.order.retain(|other| *other != id);
    }

    fn sequence(&self, id: u32) -> &Sequence<S> {
        self.sequences[id as usize].as_ref().expect("a sequence in `order` is in use")
    }

    fn sequence_mut(&mut self, id: u32) -> &mut Sequence<S> {
        self.sequences[id as usize].as_mut().expect("a sequence in a plan is in use")
    }
}

impl<S> Sequence<S> {
    fn can_stream(&self) -> bool {
        self.next.is_some() && self.job.outlet.has_room()
    }

    fn prompt_left(&self) -> usize {
        self.job.prompt.len().saturating_sub(self.computed)
    }

    fn append(&self, plan: &mut Plan, id: u32, chunk: usize) {
        for index in self.computed..self.computed + chunk {
            let token = self.next.unwrap_or_else(|| self.job.prompt[index]);
            let output = self.next.is_some() || index + 1 == self.job.prompt.len();
            if output {
                plan.outputs.push(Output { entry: plan.entries.len(), sequence: id });
            }
            let position = u32::try_from(index).expect("a context is below 2^32 tokens");
            plan.entries.push(Entry { token, position, sequence: id, output });
        }
        plan.prompt_tokens += if self.next.is_none() { chunk } else { 0 };
    }

    /// Why nothing may follow the token just generated, if so.
    fn end_after(&self, context_tokens: usize) -> Option<Step> {
        if self.generated >= self.job.tokens_max {
            return Some(Step::LimitReached);
        }
        let tokens = self.job.prompt.len() + self.generated as usize;
        (tokens >= context_tokens).then_some(Step::ContextFull)
    }
}

#[cfg(test)]
#[path = "scheduler_tests.rs"]
mod tests;
