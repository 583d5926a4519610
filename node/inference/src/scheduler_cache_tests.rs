//! The scheduler with a cache that remembers what llama.cpp's would: every entry must land where the
//! scheduler takes it to, and every answer must be what it would be alone.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::*;
use crate::answer::Step;
use crate::plan::Purpose;
use crate::queue::{Inlet, queue};
use crate::random::Random;

const BOUNDS: Bounds = Bounds {
    sequences_max: 4,
    context_tokens: 600,
    batch_tokens: 64,
    prompt_tokens_beside_streams: 48,
    abilities: ABILITIES,
};

const ABILITIES: Abilities =
    Abilities { cuts: true, guesses: true, shifts: false, whole_pictures: false };

/// Foresees what it was told, right or wrong.
struct Prophet(Vec<Token>);

impl Choose for Prophet {
    fn foreseen(&mut self) -> Vec<Token> {
        self.0.clone()
    }
}

struct World {
    scheduler: Scheduler<Prophet>,
    cache: Vec<Vec<Token>>,
    computed: usize,
    steps: usize,
}

struct Client {
    inlet: Inlet<Delivery>,
    cached: Arc<AtomicU32>,
    answer: Vec<Token>,
    end: Option<Step>,
}

impl World {
    fn new(bounds: Bounds) -> Self {
        let cache = vec![vec![]; bounds.sequences_max as usize];
        Self { scheduler: Scheduler::new(bounds), cache, computed: 0, steps: 0 }
    }

    fn ask(&mut self, prompt: &[Token], tokens_max: u32, foreseen: Vec<Token>) -> Client {
        let (outlet, inlet) = queue(8, Arc::default());
        let cached = Arc::<AtomicU32>::default();
        self.scheduler.add(Job {
            prompt: prompt.to_vec(),
            spots: vec![],
            chunks: vec![],
            tokens_max,
            sampler: Prophet(foreseen),
            scores_prompt: false,
            outlet,
            cached_tokens: Arc::clone(&cached),
            _seat: None,
        });
        Client { inlet, cached, answer: vec![], end: None }
    }

    fn change(&mut self) {
        for change in self.scheduler.take_changes() {
            match change {
                CacheChange::Keep { sequence, tokens } => {
                    self.cache[sequence as usize].truncate(tokens);
                }
                CacheChange::Copy { from, to, tokens } => {
                    self.cache[to as usize] = self.cache[from as usize][..tokens].to_vec();
                }
                CacheChange::Shift { sequence, kept, dropped } => {
                    self.cache[sequence as usize].drain(kept..kept + dropped);
                }
            }
        }
    }

    /// Computes a step; false: there was nothing to do.
    fn step(&mut self) -> bool {
        self.scheduler.drop_abandoned();
        self.scheduler.admit();
        self.change();
        let plan = self.scheduler.plan(vec![]);
        assert!(plan.entries.len() <= self.scheduler.bounds.batch_tokens as usize);
        let outputs = self.scheduler.bounds.sequences_max + OUTPUTS_EXTRA;
        assert!(plan.outputs.len() <= outputs as usize);
        let mut seen = vec![];
        for entry in &plan.entries {
            let cache = &mut self.cache[entry.sequence as usize];
            assert_eq!(cache.len(), entry.position as usize, "{entry:?}");
            cache.push(entry.token);
            seen.push(cache.clone());
        }
        self.computed += plan.entries.len();
        self.steps += usize::from(!plan.entries.is_empty());
        self.scheduler.computed(&plan);
        let mut passed = None;
        for output in &plan.outputs {
            let Purpose::Sample { guess } = output.purpose else { unreachable!("no scores") };
            if passed == Some(output.sequence) {
                continue;
            }
            let (token, is_end) = model(&seen[output.entry]);
            let sampled = Sampled { token, is_end, guess, delivery: Step::Token(token).into() };
            if !self.scheduler.sampled(output.sequence, sampled) {
                passed = Some(output.sequence);
            }
        }
        self.scheduler.settle(&plan);
        self.change();
        !plan.entries.is_empty()
    }

    fn finish(&mut self, clients: &mut [Client]) {
        while self.step() {
            clients.iter_mut().for_each(Client::read);
        }
    }
}

impl Client {
    fn read(&mut self) {
        while let Ok(Some(delivery)) = self.inlet.take(Duration::ZERO) {
            match delivery.step {
                Step::Token(token) => self.answer.push(token),
                end => self.end = Some(end),
            }
            if self.end.is_some() {
                return;
            }
        }
    }
}

/// A model whose next token depends on all tokens before it, and which likes to repeat itself.
fn model(tokens: &[Token]) -> (Token, bool) {
    let last = tokens.last().map_or(0, |token| token.0);
    let sum = tokens.iter().fold(7_i32, |sum, token| sum.wrapping_mul(31).wrapping_add(token.0));
    let next = if sum % 5 == 0 { sum.rem_euclid(9) } else { (last + 1) % 9 };
    (Token(next), sum % 97 == 3)
}

/// The answer that the model gives to a prompt alone.
fn alone(prompt: &[Token], tokens_max: u32) -> (Vec<Token>, Step) {
    let mut tokens = prompt.to_vec();
    for _ in 0..tokens_max {
        let (token, is_end) = model(&tokens);
        if is_end {
            return (tokens[prompt.len()..].to_vec(), Step::EndOfGeneration(token));
        }
        tokens.push(token);
        if tokens.len() - prompt.len() == tokens_max as usize {
            break;
        }
        if tokens.len() >= BOUNDS.context_tokens as usize {
            return (tokens[prompt.len()..].to_vec(), Step::ContextFull);
        }
    }
    (tokens[prompt.len()..].to_vec(), Step::LimitReached)
}

fn prompt(start: i32, length: i32) -> Vec<Token> {
    (start..start + length).map(|id| Token(id % 1000)).collect()
}

#[test]
fn a_prompt_seen_before_is_not_computed_again() {
    let mut world = World::new(BOUNDS);
    let text = prompt(100, 200);
    let mut first = [world.ask(&text, 5, vec![])];
    world.finish(&mut first);
    let computed = world.computed;
    let mut second = [world.ask(&text, 5, vec![])];
    world.finish(&mut second);
    assert_eq!(second[0].cached.load(Relaxed), 199);
    assert_eq!(world.scheduler.take_found(), [199]);
    assert!(world.computed - computed < 20, "{}", world.computed - computed);
    assert_eq!(first[0].answer, second[0].answer);
}

#[test]
fn a_conversation_goes_on_where_it_was() {
    let mut world = World::new(BOUNDS);
    let mut text = prompt(100, 100);
    let mut first = [world.ask(&text, 20, vec![])];
    world.finish(&mut first);
    text.extend(&first[0].answer);
    let known = text.len();
    text.extend(prompt(500, 30));
    let mut second = [world.ask(&text, 5, vec![])];
    world.finish(&mut second);
    // The answer's last token was sampled and never computed.
    assert!(second[0].cached.load(Relaxed) as usize >= known - 1);
    assert_eq!((second[0].answer.clone(), second[0].end), with_end(alone(&text, 5)));
}

fn with_end((answer, end): (Vec<Token>, Step)) -> (Vec<Token>, Option<Step>) {
    (answer, Some(end))
}

#[test]
fn prompts_with_one_beginning_that_arrive_together_compute_it_once() {
    let mut world = World::new(BOUNDS);
    let shared = prompt(100, 400);
    let texts: Vec<Vec<Token>> =
        (0..4).map(|own| [shared.clone(), prompt(600 + 50 * own, 20)].concat()).collect();
    let mut clients: Vec<_> = texts.iter().map(|text| world.ask(text, 8, vec![])).collect();
    world.finish(&mut clients);
    assert!(world.computed < 400 + 4 * 60, "{}", world.computed);
    for (client, text) in clients.iter().zip(&texts) {
        assert_eq!((client.answer.clone(), client.end), with_end(alone(text, 8)));
    }
    let cached: Vec<u32> = clients.iter().map(|client| client.cached.load(Relaxed)).collect();
    assert_eq!(cached, [0, 400, 400, 400]);
}

#[test]
fn a_source_that_goes_away_on_its_way_leaves_what_it_has() {
    let mut world = World::new(BOUNDS);
    let text = prompt(100, 400);
    let first = world.ask(&text, 8, vec![]);
    let mut others = [world.ask(&text, 8, vec![])];
    world.step();
    world.step();
    drop(first);
    world.finish(&mut others);
    assert_eq!(others[0].cached.load(Relaxed), 128);
    assert_eq!((others[0].answer.clone(), others[0].end), with_end(alone(&text, 8)));
}

#[test]
fn two_that_shared_with_one_that_goes_away_do_not_wait_for_each_other() {
    let mut world = World::new(Bounds { sequences_max: 2, ..BOUNDS });
    let text = prompt(100, 400);
    let first = world.ask(&text, 8, vec![]);
    // One waits for its beginning, and one for a sequence.
    let mut others = [(); 2].map(|()| world.ask(&text, 8, vec![]));
    world.step();
    world.step();
    drop(first);
    world.finish(&mut others);
    for other in &others {
        assert_eq!((other.answer.clone(), other.end), with_end(alone(&text, 8)));
    }
}

#[test]
fn right_guesses_save_steps_and_wrong_ones_change_nothing() {
    let text = prompt(100, 50);
    let (answer, end) = alone(&text, 40);
    for foreseen in [answer.clone(), prompt(3, 5)] {
        let mut world = World::new(BOUNDS);
        let mut clients = [world.ask(&text, 40, foreseen)];
        world.finish(&mut clients);
        assert_eq!((clients[0].answer.clone(), clients[0].end), (answer.clone(), Some(end)));
    }
    let plain = {
        let bounds =
            Bounds { abilities: Abilities { cuts: true, ..Abilities::default() }, ..BOUNDS };
        let mut world = World::new(bounds);
        let mut clients = [world.ask(&text, 40, vec![])];
        world.finish(&mut clients);
        world.steps
    };
    let mut world = World::new(BOUNDS);
    let mut clients = [world.ask(&text, 40, answer)];
    world.finish(&mut clients);
    assert!(world.steps < plain, "{} {plain}", world.steps);
}

#[test]
fn a_full_context_forgets_its_older_half_only_if_asked() {
    let bounds = Bounds { context_tokens: 60, ..BOUNDS };
    let mut world = World::new(bounds);
    let text = prompt(100, 50);
    let mut clients = [world.ask(&text, 500, vec![])];
    world.finish(&mut clients);
    assert!(matches!(clients[0].end, Some(Step::ContextFull | Step::EndOfGeneration(_))));
    let abilities = Abilities { shifts: true, cuts: true, ..Abilities::default() };
    let mut world = World::new(Bounds { abilities, ..bounds });
    let mut clients = [world.ask(&text, 30, vec![])];
    world.finish(&mut clients);
    assert!(!matches!(clients[0].end, Some(Step::ContextFull)), "{:?}", clients[0].end);
    assert!(world.cache.iter().all(|cache| cache.len() <= 60));
}

fn forgetful(context_tokens: u32) -> World {
    let abilities = Abilities { shifts: true, cuts: true, ..Abilities::default() };
    World::new(Bounds { context_tokens, abilities, ..BOUNDS })
}

#[test]
fn what_was_computed_behind_a_forgotten_middle_is_no_prompt_s_beginning() {
    let mut world = forgetful(60);
    let mut first = [world.ask(&prompt(100, 50), 30, vec![])];
    world.finish(&mut first);
    assert_eq!(first[0].end, Some(Step::LimitReached));
    let text = [world.cache[0].clone(), prompt(700, 3)].concat();
    assert!(text.len() > 40, "{}", text.len());
    let mut second = [world.ask(&text, 2, vec![])];
    world.finish(&mut second);
    assert_eq!(second[0].cached.load(Relaxed), 4, "the first tokens alone stand where they stood");
    assert_eq!((second[0].answer.clone(), second[0].end), with_end(alone(&text, 2)));
    // Now it was computed as a beginning.
    let mut third = [world.ask(&text, 2, vec![])];
    world.finish(&mut third);
    assert_eq!(third[0].cached.load(Relaxed) as usize, text.len() - 1);
}

#[test]
fn a_source_that_forgot_its_middle_gives_its_first_tokens_alone() {
    let mut world = forgetful(60);
    let text = vec![Token(5); 59];
    // The answer's first token fills the context, before the second prompt takes the beginning.
    let mut clients = [world.ask(&text, 9, vec![]), world.ask(&text, 1, vec![])];
    world.step();
    assert!(world.cache[0].len() < 40, "{}", world.cache[0].len());
    world.finish(&mut clients);
    assert_eq!(clients[1].cached.load(Relaxed), 4);
    assert_eq!(clients[1].answer, alone(&text, 1).0);
}

#[test]
fn whatever_comes_and_goes_every_answer_is_the_one_it_would_be_alone() {
    let mut random = Random::new(5);
    let mut below = move |limit: usize| (random.unit() * limit as f64) as usize;
    let mut world = World::new(BOUNDS);
    let mut clients: Vec<(Client, Vec<Token>, u32)> = vec![];
    let mut finished = 0;
    let mut heard: Vec<Vec<Token>> = vec![];
    for _ in 0..6000 {
        if below(4) == 0 && clients.len() < 9 {
            let beginning = match below(3) {
                0 => prompt(100, 150),
                1 if !heard.is_empty() => heard[below(heard.len())].clone(),
                _ => prompt(200 + 100 * below(3) as i32, 120),
            };
            let own = prompt(7 + below(900) as i32, 1 + below(60) as i32);
            let text: Vec<Token> = [beginning, own].concat();
            if text.len() < 400 {
                let limit = 1 + below(40) as u32;
                let foreseen = if below(5) == 0 { prompt(below(9) as i32, 3) } else { vec![] };
                clients.push((world.ask(&text, limit, foreseen), text, limit));
            }
        }
        if below(40) == 0 && !clients.is_empty() {
            clients.swap_remove(below(clients.len()));
        }
        world.step();
        for (client, _, _) in &mut clients {
            if below(3) > 0 {
                client.read();
            }
        }
        while let Some(index) = clients.iter().position(|(client, ..)| client.end.is_some()) {
            let (client, text, limit) = clients.swap_remove(index);
            assert_eq!((client.answer.clone(), client.end), with_end(alone(&text, limit)));
            heard.push([text, client.answer].concat());
            heard.truncate(20);
            finished += 1;
        }
    }
    assert!(finished > 300, "{finished}");
    // And nobody waits for ever.
    loop {
        clients.iter_mut().for_each(|(client, ..)| client.read());
        if !world.step() {
            break;
        }
    }
    for (client, text, limit) in clients {
        assert_eq!((client.answer, client.end), with_end(alone(&text, limit)));
    }
}
