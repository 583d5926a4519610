use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::ComputeError;
use crate::answer::{Step, TokenScores};
use crate::batch::Entry;
use crate::queue::{Inlet, queue};

const BOUNDS: Bounds = Bounds {
    sequences_max: 3,
    context_tokens: 100,
    batch_tokens: 10,
    prompt_tokens_beside_streams: 6,
    abilities: ABILITIES,
};

const ABILITIES: Abilities =
    Abilities { cuts: false, guesses: false, shifts: false, whole_pictures: false };

/// Foresees nothing.
struct Blind;

impl Choose for Blind {
    fn foreseen(&mut self) -> Vec<Token> {
        vec![]
    }
}

fn job<S>(prompt: Vec<Token>, tokens_max: u32, sampler: S) -> (Job<S>, Inlet<Delivery>) {
    let (outlet, inlet) = queue(2, Arc::default());
    let cached_tokens = Arc::default();
    let scores_prompt = false;
    let (spots, chunks) = (vec![], vec![]);
    let job = Job {
        prompt,
        spots,
        chunks,
        tokens_max,
        sampler,
        scores_prompt,
        outlet,
        cached_tokens,
        _seat: None,
    };
    (job, inlet)
}

/// A scheduler whose model always answers with token 7.
struct World {
    scheduler: Scheduler<Blind>,
}

impl World {
    fn new(bounds: Bounds) -> Self {
        Self { scheduler: Scheduler::new(bounds) }
    }

    fn request(&mut self, prompt_tokens: i32, tokens_max: u32) -> Inlet<Delivery> {
        let (job, inlet) = job((0..prompt_tokens).map(Token).collect(), tokens_max, Blind);
        self.scheduler.add(job);
        inlet
    }

    /// Computes one step and says how many tokens each sequence had in it.
    fn step(&mut self) -> Vec<(u32, usize)> {
        self.step_sampling(Token(7), false)
    }

    fn step_sampling(&mut self, token: Token, is_end: bool) -> Vec<(u32, usize)> {
        self.scheduler.drop_abandoned();
        self.scheduler.admit();
        let plan = self.scheduler.plan(vec![]);
        self.scheduler.computed(&plan);
        for output in &plan.outputs {
            assert_eq!(plan.entries[output.entry].sequence, output.sequence);
            let delivery = Step::Token(token).into();
            let sampled = Sampled { token, is_end, guess: None, delivery };
            self.scheduler.sampled(output.sequence, sampled);
        }
        self.scheduler.settle(&plan);
        shape(&plan)
    }
}

fn shape(plan: &Plan) -> Vec<(u32, usize)> {
    let runs = plan.entries.chunk_by(|left, right| left.sequence == right.sequence);
    runs.map(|run| (run[0].sequence, run.len())).collect()
}

fn taken(inlet: &Inlet<Delivery>) -> Vec<Step> {
    let next = || inlet.take(Duration::ZERO).ok().flatten();
    std::iter::from_fn(next).map(|delivery| delivery.step).collect()
}

#[test]
fn nothing_to_do_is_an_empty_step() {
    assert_eq!(World::new(BOUNDS).step(), []);
}

#[test]
fn a_prompt_is_cut_into_steps_and_only_its_end_is_sampled() {
    let mut world = World::new(BOUNDS);
    let inlet = world.request(23, 9);
    assert_eq!(world.step(), [(0, 10)]);
    assert_eq!(world.step(), [(0, 10)]);
    assert_eq!(taken(&inlet), []);
    assert_eq!(world.step(), [(0, 3)]);
    assert_eq!(taken(&inlet), [Step::Token(Token(7))]);
    assert_eq!(world.step(), [(0, 1)]);
}

#[test]
fn tokens_have_their_places_and_the_sampled_one_follows_the_prompt() {
    let mut world = World::new(BOUNDS);
    let _inlet = world.request(2, 9);
    world.step();
    let plan = world.scheduler.plan(vec![]);
    let expected = Entry { token: Token(7), position: 2, sequence: 0, output: true };
    assert_eq!(plan.entries, [expected]);
    assert_eq!(plan.prompt_tokens, 0);
}

#[test]
fn prompts_share_a_step_in_the_order_of_arrival() {
    let mut world = World::new(BOUNDS);
    let _inlets = [world.request(4, 9), world.request(9, 9), world.request(4, 9)];
    assert_eq!(world.step(), [(0, 4), (1, 6)]);
    assert_eq!(world.step(), [(0, 1), (1, 3), (2, 3)]);
}

#[test]
fn a_prompt_beside_a_stream_stays_small_and_the_stream_goes_on() {
    let mut world = World::new(BOUNDS);
    let stream = world.request(1, 50);
    world.step();
    let _prompt = world.request(20, 9);
    for _ in 0..3 {
        assert_eq!(world.step(), [(0, 1), (1, 6)]);
        taken(&stream);
    }
    assert_eq!(world.step(), [(0, 1), (1, 2)]);
}

#[test]
fn a_request_waits_for_a_sequence_and_gets_the_lowest_free_one() {
    let mut world = World::new(BOUNDS);
    let mut inlets: Vec<_> = (0..4).map(|_| world.request(1, 50)).collect();
    assert_eq!(world.step(), [(0, 1), (1, 1), (2, 1)]);
    assert_eq!(world.scheduler.active(), 3);
    drop(inlets.remove(1));
    assert_eq!(world.scheduler.drop_abandoned(), 1);
    world.step();
    assert_eq!(taken(&inlets[2]), [Step::Token(Token(7))], "the fourth has sequence 1 now");
}

#[test]
fn a_full_queue_pauses_its_sequence_alone() {
    let mut world = World::new(BOUNDS);
    let lagging = world.request(1, 50);
    let reading = world.request(1, 50);
    world.step();
    world.step();
    taken(&reading);
    assert_eq!(world.step(), [(1, 1)]);
    assert_eq!(taken(&lagging).len(), 2);
    assert_eq!(world.step(), [(0, 1), (1, 1)]);
}

#[test]
fn when_every_reader_lags_there_is_nothing_to_do() {
    let mut world = World::new(BOUNDS);
    let _lagging = world.request(1, 50);
    world.step();
    world.step();
    assert_eq!(world.step(), []);
}

#[test]
fn an_abandoned_request_leaves_at_once_running_or_waiting() {
    let mut world = World::new(BOUNDS);
    let inlets: Vec<_> = (0..5).map(|_| world.request(5, 50)).collect();
    world.step();
    drop(inlets);
    assert_eq!(world.scheduler.drop_abandoned(), 5);
    assert_eq!(world.scheduler.active(), 0);
    assert_eq!(world.step(), []);
}

#[test]
fn a_limit_ends_after_so_many_tokens() {
    let mut world = World::new(BOUNDS);
    let inlet = world.request(1, 2);
    world.step();
    world.step();
    let token = Step::Token(Token(7));
    assert_eq!(taken(&inlet), [token, token, Step::LimitReached]);
    assert_eq!(world.scheduler.active(), 0);
}

#[test]
fn an_end_token_ends() {
    let mut world = World::new(BOUNDS);
    let inlet = world.request(1, 1);
    world.step_sampling(Token(2), true);
    assert_eq!(taken(&inlet), [Step::EndOfGeneration(Token(2))]);
    assert_eq!(world.scheduler.active(), 0);
}

#[test]
fn an_end_in_place_of_the_first_token_brings_the_prompt_s_scores() {
    let mut world = World::new(BOUNDS);
    let inlet = world.request(2, 1);
    world.scheduler.admit();
    let plan = world.scheduler.plan(vec![]);
    world.scheduler.computed(&plan);
    let token = Token(2);
    let prompt_scores = vec![TokenScores { token: Token(1), logprob: -0.5, top: vec![] }];
    let came = Delivery { prompt_scores, ..Step::Token(token).into() };
    let sampled = Sampled { token, is_end: true, guess: None, delivery: came.clone() };
    assert!(!world.scheduler.sampled(0, sampled));
    let end = Delivery { step: Step::EndOfGeneration(token), ..came };
    assert_eq!(inlet.take(Duration::ZERO), Ok(Some(end)));
}

#[test]
fn prompt_and_answer_never_exceed_the_context() {
    let mut world = World::new(Bounds { context_tokens: 5, ..BOUNDS });
    let inlet = world.request(3, 50);
    let mut steps = vec![];
    let mut last_position = 0;
    while !steps.contains(&Step::ContextFull) {
        world.scheduler.admit();
        let entries = world.scheduler.plan(vec![]).entries;
        last_position = entries.iter().map(|entry| entry.position).max().expect("a step");
        world.step();
        steps.extend(taken(&inlet));
    }
    let token = Step::Token(Token(7));
    assert_eq!(steps, [token, token, Step::ContextFull]);
    assert!(last_position < 5);
}

#[test]
fn a_failed_step_ends_its_sequences_and_no_other() {
    let mut world = World::new(BOUNDS);
    let paused = world.request(1, 50);
    world.step();
    world.step();
    let failing = world.request(1, 50);
    world.scheduler.admit();
    let plan = world.scheduler.plan(vec![]);
    world.scheduler.fail(&plan, &ComputeError::Decode(-3));
    let lost = CacheChange::Keep { sequence: 1, tokens: 0 };
    assert!(world.scheduler.take_changes().contains(&lost));
    assert_eq!(failing.take(Duration::ZERO), Err(ComputeError::Decode(-3)));
    assert_eq!(taken(&paused).len(), 2);
    assert_eq!(world.step(), [(0, 1)]);
}

#[test]
fn a_dropped_scheduler_ends_every_queue() {
    let mut world = World::new(Bounds { sequences_max: 1, ..BOUNDS });
    let inlets = [world.request(1, 50), world.request(1, 50)];
    world.step();
    drop(world);
    taken(&inlets[0]);
    for inlet in inlets {
        assert_eq!(inlet.take(Duration::ZERO), Err(ComputeError::Stopped));
    }
}

#[test]
fn every_sequence_full_leaves_room_for_all_streams() {
    let bounds = Bounds { batch_tokens: 3, prompt_tokens_beside_streams: 3, ..BOUNDS };
    let mut world = World::new(bounds);
    let inlets: Vec<_> = (0..3).map(|_| world.request(2, 50)).collect();
    for _ in 0..20 {
        let tokens: usize = world.step().iter().map(|(_, tokens)| tokens).sum();
        assert!(tokens <= 3);
        inlets.iter().for_each(|inlet| drop(taken(inlet)));
    }
    assert_eq!(world.step(), [(0, 1), (1, 1), (2, 1)]);
}

#[test]
fn a_small_model_whose_guesses_failed_is_asked_again_and_not_the_lookup_alone() {
    let abilities = Abilities { cuts: true, guesses: true, ..ABILITIES };
    let mut world = World::new(Bounds { context_tokens: 1000, abilities, ..BOUNDS });
    let inlet = world.request(2, 900);
    world.step();
    let mut asked = vec![];
    for step in 0..200 {
        taken(&inlet);
        let mut readers = world.scheduler.readers();
        readers.iter_mut().for_each(|reader| reader.guess = vec![Token(5)]);
        asked.extend(readers.first().map(|_| step));
        let plan = world.scheduler.plan(readers);
        world.scheduler.computed(&plan);
        let (token, is_end) = (Token(1000 + step), false);
        let delivery = Step::Token(token).into();
        world.scheduler.sampled(0, Sampled { token, is_end, guess: None, delivery });
        world.scheduler.settle(&plan);
    }
    let late = asked.iter().filter(|step| **step >= 32).count();
    assert!(asked.len() < 20 && late >= 5, "{asked:?}");
}
