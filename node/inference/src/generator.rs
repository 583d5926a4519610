//! The thread that generates text: plan, decode, sample, hand out.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::counters::Counters;
use crate::ffi::{Context, Model};
use crate::inbox::Inbox;
use crate::sampler::{Sampler, Scratch};
use crate::scheduler::{self, Output, Plan, Scheduler};
use crate::{ComputeError, Token};

/// A request for an answer.
pub(crate) type Job = scheduler::Job<Sampler>;

/// What the thread owns.
pub(crate) struct Generator {
    pub(crate) context: Context,
    pub(crate) model: Arc<Model>,
    pub(crate) scheduler: Scheduler<Sampler>,
    pub(crate) inbox: Arc<Inbox<Job>>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) scratch: Scratch,
}

impl Generator {
    /// Computes until the inbox is closed.
    pub(crate) fn run(mut self) {
        while let Some(jobs) = self.inbox.take() {
            jobs.into_iter().for_each(|job| self.scheduler.add(job));
            self.forget_abandoned();
            self.scheduler.admit();
            let plan = self.scheduler.plan();
            self.counters.active.store(count(self.scheduler.active()), Relaxed);
            if plan.entries.is_empty() {
                self.inbox.wait();
            } else {
                self.step(&plan);
            }
        }
    }

    fn forget_abandoned(&mut self) {
        let (freed, dropped) = self.scheduler.drop_abandoned();
        freed.into_iter().for_each(|sequence| self.context.forget(sequence));
        Counters::add(&self.counters.cancelled, dropped);
    }

    fn step(&mut self, plan: &Plan) {
        Counters::add(&self.counters.decode_steps, 1);
        if let Err(code) = self.context.decode(&plan.entries) {
            tracing::error!(code, tokens = plan.entries.len(), "a decode step failed");
            let freed = self.scheduler.fail(plan, &ComputeError::Decode(code));
            freed.into_iter().for_each(|sequence| self.context.forget(sequence));
            return;
        }
        self.scheduler.computed(plan);
        Counters::add(&self.counters.prompt_tokens, plan.prompt_tokens);
        for output in &plan.outputs {
            if self.hand_out(*output) {
                self.context.forget(output.sequence);
            }
        }
    }

    /// Samples one token and hands it to its reader. True: the sequence has ended.
    fn hand_out(&mut self, output: Output) -> bool {
        let Some(token) = self.sample(output) else {
            self.scheduler.fail_one(output.sequence, ComputeError::NotFinite);
            return true;
        };
        Counters::add(&self.counters.generated_tokens, 1);
        let is_end = self.model.is_end_of_generation(token);
        self.scheduler.sampled(output.sequence, token, is_end)
    }

    fn sample(&mut self, output: Output) -> Option<Token> {
        let logits = self.context.logits(output.entry)?;
        self.scheduler.sampler(output.sequence).choose(logits, &mut self.scratch)
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
