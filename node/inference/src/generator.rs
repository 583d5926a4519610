//! The thread that generates text: plan, decode, sample, hand out.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use crate::answer::Delivery;
use crate::batch::Entry;
use crate::chooser::Chooser;
use crate::counters::Counters;
use crate::draft::{Draft, Reader};
use crate::eye::Eye;
use crate::ffi::{Context, Model};
use crate::inbox::Inbox;
use crate::plan::{CacheChange, Glance, Output, Plan, Purpose};
use crate::sampler::Scratch;
use crate::scheduler::{self, Sampled, Scheduler};
use crate::toll::{MEASURED_TOKENS, Toll};
use crate::{ComputeError, Token};

/// Steps are measured for so long before the first request, and at least once.
const MEASURING_TIME: Duration = Duration::from_millis(250);

/// A request for an answer.
pub(crate) type Job = scheduler::Job<Chooser>;

/// What the thread owns.
pub(crate) struct Generator {
    pub(crate) context: Context,
    pub(crate) model: Arc<Model>,
    pub(crate) scheduler: Scheduler<Chooser>,
    pub(crate) inbox: Arc<Inbox<Job>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) scratch: Scratch,
    /// What guesses cost, if it is not to be measured.
    pub(crate) toll: Option<Toll>,
    /// A small model that guesses ahead.
    pub(crate) draft: Option<Draft>,
    /// What reads pictures.
    pub(crate) eye: Option<Eye>,
}

impl Generator {
    /// Computes until the inbox is closed.
    pub(crate) fn run(mut self) {
        if self.scheduler.guesses_cost() || self.draft.is_some() {
            let toll = self.toll.unwrap_or_else(|| self.context.measure_toll());
            tracing::debug!(?toll, "what a guess costs");
            self.scheduler.charge(toll);
        }
        while let Some(jobs) = self.inbox.take() {
            jobs.into_iter().for_each(|job| self.scheduler.add(job));
            let dropped = self.scheduler.drop_abandoned();
            Counters::add(&self.counters.cancelled, dropped);
            self.scheduler.admit();
            self.count_found();
            self.change_cache();
            let readers = self.draft();
            let plan = self.scheduler.plan(readers);
            self.counters.active.store(count(self.scheduler.active()), Relaxed);
            let is_empty = plan.entries.is_empty();
            if !is_empty {
                self.step(&plan);
            }
            match self.scheduler.glance() {
                Some(glance) => self.look(&glance),
                None if is_empty => self.inbox.wait(),
                None => {}
            }
        }
    }

    /// Encodes a picture or, if that was done, computes some of its rows: one of the two between the
    /// steps of the others.
    fn look(&mut self, glance: &Glance) {
        let sequence = glance.sequence;
        let Some(eye) = &mut self.eye else {
            return self.scheduler.fail_one(sequence, ComputeError::Picture);
        };
        let chunk = self.scheduler.chunk(glance);
        let Some(rows) = eye.rows(&chunk, glance) else {
            if let Err(error) = eye.encode(&chunk, glance, &self.counters) {
                self.scheduler.fail_one(sequence, error);
            }
            return;
        };
        Counters::add(&self.counters.decode_steps, 1);
        match self.context.decode_rows(&rows) {
            Ok(()) => {
                self.scheduler.looked(glance);
                Counters::add(&self.counters.prompt_tokens, glance.rows);
            }
            Err(code) => {
                tracing::error!(code, rows = glance.rows, "a step with a picture failed");
                self.scheduler.fail_one(sequence, ComputeError::Decode(code));
            }
        }
    }

    /// What the small model guesses. If it fails it guesses no more; the answers go on without.
    fn draft(&mut self) -> Vec<Reader> {
        let Some(draft) = &mut self.draft else { return vec![] };
        let mut readers = self.scheduler.readers();
        if let Err(error) = draft.guess(&mut readers) {
            tracing::error!(%error, "the draft model failed; going on without it");
            self.draft = None;
            return vec![];
        }
        readers
    }

    fn count_found(&mut self) {
        for tokens in self.scheduler.take_found() {
            Counters::add(&self.counters.cached_tokens, tokens);
            Counters::add(&self.counters.cache_hits, 1);
        }
    }

    /// Brings the cache to where the scheduler takes it to be.
    fn change_cache(&mut self) {
        for change in self.scheduler.take_changes() {
            if let Some(lost) = self.context.change(change) {
                tracing::warn!(sequence = lost, ?change, "llama.cpp could not change its cache");
                self.scheduler.lose(lost);
            }
        }
    }

    fn step(&mut self, plan: &Plan) {
        Counters::add(&self.counters.decode_steps, 1);
        if let Err(code) = self.context.decode(&plan.entries) {
            tracing::error!(code, tokens = plan.entries.len(), "a decode step failed");
            self.scheduler.fail(plan, &ComputeError::Decode(code));
            return;
        }
        self.scheduler.computed(plan);
        Counters::add(&self.counters.prompt_tokens, plan.prompt_tokens);
        Counters::add(&self.counters.draft_tokens, plan.guesses);
        let mut passed = None;
        for output in &plan.outputs {
            // Behind a wrong guess the rest of the sequence was computed in vain.
            if passed != Some(output.sequence) && !self.hand_out(*output) {
                passed = Some(output.sequence);
            }
        }
        self.scheduler.settle(plan);
        // Before new requests look at the cache.
        self.change_cache();
    }

    /// Deals with one output. True: the next one of its sequence counts too.
    fn hand_out(&mut self, output: Output) -> bool {
        let sequence = output.sequence;
        let Some(logits) = self.context.logits(output.entry) else {
            self.scheduler.fail_one(sequence, ComputeError::NotFinite);
            return false;
        };
        let guess = match output.purpose {
            Purpose::Score(token) => {
                self.scheduler.sampler(sequence).score_prompt(logits, token, &mut self.scratch);
                return true;
            }
            Purpose::Sample { guess } => guess,
        };
        if self.scheduler.wants_no_token(sequence) {
            let scores = self.scheduler.sampler(sequence).take_prompt_scores();
            self.scheduler.end_at_prompt(sequence, scores);
            return false;
        }
        let sampler = self.scheduler.sampler(sequence);
        match sampler.choose(logits, &mut self.scratch) {
            Ok(token) => {
                let delivery = sampler.delivery(token, logits, &mut self.scratch);
                self.pass_on(sequence, guess, (token, delivery))
            }
            Err(error) => {
                self.scheduler.fail_one(sequence, error);
                false
            }
        }
    }

    fn pass_on(&mut self, sequence: u32, guess: Option<Token>, chosen: (Token, Delivery)) -> bool {
        let (token, delivery) = chosen;
        Counters::add(&self.counters.generated_tokens, 1);
        if guess == Some(token) {
            Counters::add(&self.counters.draft_accepted, 1);
        }
        let is_end = self.model.is_end_of_generation(token);
        self.scheduler.sampled(sequence, Sampled { token, is_end, guess, delivery })
    }
}

impl Context {
    /// Measures what one more token costs in a step, while the cache is empty; it is empty again after.
    fn measure_toll(&mut self) -> Toll {
        let more = usize::from(MEASURED_TOKENS);
        let (mut best_one, mut best_more) = (Duration::MAX, Duration::MAX);
        let start = Instant::now();
        // The first step of all reads the weights from the disk.
        self.time_step(1);
        loop {
            let (Some(one), Some(more)) = (self.time_step(1), self.time_step(more)) else {
                return Toll::default();
            };
            (best_one, best_more) = (best_one.min(one), best_more.min(more));
            if start.elapsed() > MEASURING_TIME {
                return Toll::measured(best_one, best_more);
            }
        }
    }

    fn time_step(&mut self, tokens: usize) -> Option<Duration> {
        if tokens > self.batch_tokens() || tokens > self.sequence_tokens() as usize {
            return None;
        }
        let entry = |position| Entry { token: Token(0), position, sequence: 0, output: true };
        let entries: Vec<Entry> = (0..count(tokens)).map(entry).collect();
        let start = Instant::now();
        let done = self.decode(&entries).is_ok() && self.logits(tokens - 1).is_some();
        let time = start.elapsed();
        self.forget(0);
        done.then_some(time)
    }

    /// Changes the cache. A sequence whose part could not be kept is empty and returned.
    fn change(&mut self, change: CacheChange) -> Option<u32> {
        let (sequence, done) = match change {
            CacheChange::Keep { sequence, tokens } => (sequence, self.keep(sequence, tokens)),
            CacheChange::Copy { from, to, tokens } => (to, self.copy(from, to, tokens)),
            CacheChange::Shift { sequence, kept, dropped } => {
                (sequence, self.shift(sequence, kept, dropped))
            }
        };
        (!done).then(|| {
            self.forget(sequence);
            sequence
        })
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
