//! The scheduler with pictures in prompts, and a cache that remembers what llama.cpp's would.

use super::*;
use crate::ComputeError;
use crate::answer::Step;
use crate::picture::{CELL, Key, Spot};
use crate::queue::{Inlet, queue};

const BOUNDS: Bounds = Bounds {
    sequences_max: 2,
    context_tokens: 200,
    batch_tokens: 20,
    prompt_tokens_beside_streams: 6,
    abilities: Abilities { cuts: true, guesses: false, shifts: false, whole_pictures: false },
};

/// Foresees nothing.
struct Blind;

impl Choose for Blind {
    fn foreseen(&mut self) -> Vec<Token> {
        vec![]
    }
}

/// What stands in a cell of the cache: a token, or a row of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Token(Token),
    Row(u8, usize),
}

struct World {
    scheduler: Scheduler<Blind>,
    /// Positions and what stands there.
    cache: Vec<Vec<(usize, Cell)>>,
}

impl World {
    fn new(bounds: Bounds) -> Self {
        let cache = vec![vec![]; bounds.sequences_max as usize];
        Self { scheduler: Scheduler::new(bounds), cache }
    }

    /// A prompt: words before a picture of `rows`, and words behind it.
    fn ask(&mut self, before: i32, (picture, rows): (u8, usize), behind: i32) -> Inlet<Delivery> {
        let (outlet, inlet) = queue(4, Arc::default());
        let start = usize::try_from(before).expect("some words");
        let key = Key { pixels: [picture; 32], part: 0 };
        let mut prompt: Vec<Token> = (0..before).map(Token).collect();
        prompt.resize(start + rows, CELL);
        prompt.extend((100..100 + behind).map(Token));
        self.scheduler.add(Job {
            prompt,
            spots: vec![Spot { start, cells: rows, places: rows / 2, key }],
            chunks: vec![],
            tokens_max: 100,
            sampler: Blind,
            scores_prompt: false,
            outlet,
            cached_tokens: Arc::default(),
            _seat: None,
        });
        inlet
    }

    fn change(&mut self) {
        for change in self.scheduler.take_changes() {
            match change {
                CacheChange::Keep { sequence, tokens } => {
                    self.cache[sequence as usize].retain(|(position, _)| *position < tokens);
                }
                CacheChange::Copy { from, to, tokens } => {
                    let mut copy = self.cache[from as usize].clone();
                    copy.retain(|(position, _)| *position < tokens);
                    self.cache[to as usize] = copy;
                }
                CacheChange::Shift { .. } => panic!("nothing with pictures is shifted"),
            }
        }
    }

    /// Computes a step of tokens; how many of them, and whether rows may follow.
    fn tokens(&mut self) -> usize {
        self.scheduler.drop_abandoned();
        self.scheduler.admit();
        self.change();
        let plan = self.scheduler.plan(vec![]);
        for entry in &plan.entries {
            assert_ne!(entry.token, CELL, "a picture is no token");
            let cell = (entry.position as usize, Cell::Token(entry.token));
            self.cache[entry.sequence as usize].push(cell);
        }
        self.scheduler.computed(&plan);
        for output in &plan.outputs {
            let (token, delivery) = (Token(7), Step::Token(Token(7)).into());
            let sampled = Sampled { token, is_end: false, guess: None, delivery };
            self.scheduler.sampled(output.sequence, sampled);
        }
        self.scheduler.settle(&plan);
        self.change();
        plan.entries.len()
    }

    /// Computes rows of a picture; how many.
    fn rows(&mut self) -> usize {
        let Some(glance) = self.scheduler.glance() else { return 0 };
        for row in glance.first..glance.first + glance.rows {
            let cell = (glance.position + row / 2, Cell::Row(glance.spot.key.pixels[0], row));
            self.cache[glance.sequence as usize].push(cell);
        }
        self.scheduler.looked(&glance);
        glance.rows
    }

    fn run_until_idle(&mut self) {
        while self.tokens() + self.rows() > 0 {}
    }
}

#[test]
fn a_picture_is_read_between_the_words_around_it() {
    let mut world = World::new(BOUNDS);
    let _inlet = world.ask(4, (1, 30), 3);
    assert_eq!((world.tokens(), world.rows()), (4, 20));
    assert_eq!((world.tokens(), world.rows()), (0, 10));
    assert_eq!((world.tokens(), world.rows()), (3, 0));
    let mut expected: Vec<_> = (0..4).map(|word| (word, Cell::Token(Token(word as i32)))).collect();
    expected.extend((0..30).map(|row| (4 + row / 2, Cell::Row(1, row))));
    // The words behind it stand after its fifteen places.
    expected.extend((0..3).map(|word| (19 + word, Cell::Token(Token(100 + word as i32)))));
    assert_eq!(world.cache[0], expected);
    assert_eq!(world.tokens(), 1, "the answer goes on");
    assert_eq!(world.cache[0].last(), Some(&(22, Cell::Token(Token(7)))));
}

#[test]
fn a_stream_goes_on_beside_a_picture_of_which_little_is_read_at_a_time() {
    let mut world = World::new(BOUNDS);
    let first = world.ask(2, (1, 2), 2);
    while world.tokens() + world.rows() > 1 {}
    let _second = world.ask(2, (2, 30), 2);
    let mut steps = vec![];
    while world.scheduler.glance().is_some() || steps.is_empty() {
        while first.take(std::time::Duration::ZERO).expect("it goes on").is_some() {}
        steps.push((world.tokens(), world.rows()));
    }
    assert_eq!(steps, [(3, 6), (1, 6), (1, 6), (1, 6), (1, 6)]);
}

#[test]
fn rows_that_see_each_other_are_read_at_once() {
    let abilities = Abilities { whole_pictures: true, ..BOUNDS.abilities };
    let mut world = World::new(Bounds { abilities, ..BOUNDS });
    let _first = world.ask(2, (1, 2), 2);
    while world.tokens() + world.rows() > 1 {}
    let _second = world.ask(2, (2, 18), 2);
    assert_eq!((world.tokens(), world.rows()), (3, 18));
}

#[test]
fn the_same_picture_is_found_and_another_is_not() {
    for (picture, found) in [(1, 4 + 30 + 3 - 1), (2, 4)] {
        let mut world = World::new(Bounds { sequences_max: 1, ..BOUNDS });
        drop(world.ask(4, (1, 30), 3));
        let inlet = world.ask(4, (1, 30), 3);
        world.run_until_idle();
        drop(inlet);
        let before = world.cache[0].clone();
        let _inlet = world.ask(4, (picture, 30), 3);
        world.scheduler.drop_abandoned();
        world.scheduler.admit();
        world.change();
        assert_eq!(world.cache[0].len(), found, "picture {picture}");
        assert_eq!(world.cache[0], before[..found]);
    }
}

#[test]
fn a_picture_is_copied_to_another_sequence_as_a_whole() {
    let mut world = World::new(BOUNDS);
    let _first = world.ask(60, (1, 30), 3);
    let _second = world.ask(60, (1, 30), 5);
    world.run_until_idle();
    assert_eq!(world.cache[0][..93], world.cache[1][..93]);
    assert_eq!(world.scheduler.take_found(), [93]);
    let _third = world.ask(60, (3, 30), 3);
    assert!(world.scheduler.take_found().is_empty(), "nobody is free for it");
}

#[test]
fn half_a_picture_is_forgotten_with_its_request() {
    let mut world = World::new(Bounds { sequences_max: 1, ..BOUNDS });
    let inlet = world.ask(4, (1, 30), 3);
    assert_eq!((world.tokens(), world.rows()), (4, 20));
    drop(inlet);
    assert_eq!(world.tokens(), 0);
    assert_eq!(world.cache[0].len(), 4, "the words before it stay");
    let _inlet = world.ask(4, (1, 30), 3);
    world.run_until_idle();
    assert_eq!(world.scheduler.take_found(), [4]);
}

#[test]
fn a_picture_that_can_not_be_encoded_ends_its_request_alone() {
    let mut world = World::new(BOUNDS);
    let first = world.ask(4, (1, 30), 3);
    let second = world.ask(90, (2, 10), 3);
    world.tokens();
    let glance = world.scheduler.glance().expect("a picture");
    world.scheduler.fail_one(glance.sequence, ComputeError::Picture);
    assert_eq!(first.take(std::time::Duration::ZERO), Err(ComputeError::Picture));
    world.run_until_idle();
    assert!(second.take(std::time::Duration::ZERO).expect("it goes on").is_some());
}
