use super::*;

fn sampling() -> Sampling {
    Sampling {
        temperature: 1.0,
        top_p: 1.0,
        top_k: 0,
        min_p: 0.0,
        seed: Some(1),
        ..Sampling::default()
    }
}

/// How often each token of `logits` is chosen in 20,000 draws, as shares.
fn shares(sampling: &Sampling, logits: &[f32]) -> Vec<f64> {
    let mut sampler = Sampler::new(sampling.clone(), &[]);
    let mut scratch = Scratch::default();
    let mut counts = vec![0_u32; logits.len()];
    for _ in 0..20_000 {
        let token = sampler.choose(logits, &mut scratch).expect("logits are numbers");
        counts[usize::try_from(token.0).expect("an index")] += 1;
    }
    counts.into_iter().map(|count| f64::from(count) / 20_000.0).collect()
}

fn assert_shares(sampling: &Sampling, logits: &[f32], expected: &[f64]) {
    let shares = shares(sampling, logits);
    let near = shares.iter().zip(expected).all(|(share, expected)| (share - expected).abs() < 0.02);
    assert!(near, "{shares:?} is not {expected:?}");
}

/// Logits of these probabilities.
fn logits(probabilities: &[f32]) -> Vec<f32> {
    probabilities.iter().map(|probability| probability.ln()).collect()
}

fn choose_one(sampling: Sampling, prompt: &[Token], logits: &[f32]) -> Option<Token> {
    Sampler::new(sampling, prompt).choose(logits, &mut Scratch::default())
}

#[test]
fn logits_that_are_no_numbers_are_refused() {
    for logits in [[f32::NAN; 20], [f32::NEG_INFINITY; 20], [f32::INFINITY; 20]] {
        assert_eq!(choose_one(sampling(), &[], &logits), None);
        assert_eq!(choose_one(Sampling { temperature: 0.0, ..sampling() }, &[], &logits), None);
    }
    assert_eq!(choose_one(sampling(), &[], &[]), None);
}

#[test]
fn greedy_takes_the_first_of_the_likeliest() {
    let greedy = Sampling { temperature: 0.0, ..sampling() };
    for length in [3, 16, 17, 40] {
        let mut logits = vec![-1.0; length];
        logits[1] = 2.0;
        logits[length - 1] = 2.0;
        assert_eq!(choose_one(greedy.clone(), &[], &logits), Some(Token(1)));
        logits[length - 1] = 2.5;
        let last = i32::try_from(length - 1).expect("small");
        assert_eq!(choose_one(greedy.clone(), &[], &logits), Some(Token(last)));
    }
}

#[test]
fn a_stray_not_a_number_is_never_chosen() {
    let greedy = Sampling { temperature: 0.0, ..sampling() };
    assert_eq!(choose_one(greedy, &[], &[f32::NAN, 1.0]), Some(Token(1)));
    assert_eq!(choose_one(sampling(), &[], &[f32::NAN, 1.0]), Some(Token(1)));
}

#[test]
fn draws_follow_the_probabilities() {
    assert_shares(&sampling(), &logits(&[0.5, 0.3, 0.2]), &[0.5, 0.3, 0.2]);
}

#[test]
fn temperature_flattens_and_sharpens() {
    let hot = Sampling { temperature: 1e6, ..sampling() };
    assert_shares(&hot, &logits(&[0.9, 0.1]), &[0.5, 0.5]);
    let cold = Sampling { temperature: 0.5, ..sampling() };
    assert_shares(&cold, &logits(&[0.8, 0.2]), &[0.64 / 0.68, 0.04 / 0.68]);
}

#[test]
fn top_k_keeps_so_many() {
    let two = Sampling { top_k: 2, ..sampling() };
    assert_shares(&two, &logits(&[0.2, 0.5, 0.3]), &[0.0, 0.625, 0.375]);
}

#[test]
fn top_k_is_what_sorting_would_give() {
    let mut random = Random::new(3);
    #[expect(clippy::cast_possible_truncation, reason = "any number will do")]
    let logits: Vec<f32> = (0..5000).map(|_| (random.unit() * 500.0).floor() as f32).collect();
    for k in [1, 2, 40, 999, 4999, 5000, 9000] {
        let mut sorted: Vec<(f32, u32)> = (0..).zip(&logits).map(|(id, l)| (*l, id)).collect();
        sorted.sort_unstable_by(likelier_first);
        sorted.truncate(k);
        sorted.sort_unstable_by_key(|(_, id)| *id);
        let mut found = vec![];
        gather_top_k(&mut found, &logits, k);
        assert_eq!(found, sorted, "{k}");
    }
}

#[test]
fn top_p_keeps_the_smallest_set() {
    let nucleus = Sampling { top_p: 0.6, ..sampling() };
    assert_shares(&nucleus, &logits(&[0.2, 0.5, 0.3]), &[0.0, 0.625, 0.375]);
    let least = Sampling { top_p: f32::MIN_POSITIVE, ..sampling() };
    assert_shares(&least, &logits(&[0.2, 0.5, 0.3]), &[0.0, 1.0, 0.0]);
}

#[test]
fn a_nucleus_larger_than_the_first_guess_is_exact() {
    let flat = vec![0.0; 1000];
    let mut candidates = vec![];
    gather(&mut candidates, &flat, -1.0);
    keep_top_p(&mut candidates, 0.9, 0.0);
    assert!((899..=901).contains(&candidates.len()), "{}", candidates.len());
    assert!(candidates.is_sorted_by_key(|(_, id)| *id));
}

#[test]
fn min_p_is_a_share_of_the_best() {
    let min = Sampling { min_p: 0.5, ..sampling() };
    assert_shares(&min, &logits(&[0.2, 0.5, 0.3]), &[0.0, 0.625, 0.375]);
}

#[test]
fn the_same_seed_gives_the_same_choices() {
    let flat = vec![0.0; 500];
    let run = |seed| {
        let mut sampler = Sampler::new(Sampling { seed, ..sampling() }, &[]);
        let mut scratch = Scratch::default();
        (0..50).map(|_| sampler.choose(&flat, &mut scratch)).collect::<Vec<_>>()
    };
    assert_eq!(run(Some(5)), run(Some(5)));
    assert_ne!(run(Some(5)), run(Some(6)));
    assert_ne!(run(None), run(None));
}

#[test]
fn presence_and_frequency_count_the_answer_alone() {
    let prompt = [Token(0)];
    for penalty in [
        Sampling { presence_penalty: 1.0, temperature: 0.0, ..sampling() },
        Sampling { frequency_penalty: 1.0, temperature: 0.0, ..sampling() },
    ] {
        let mut sampler = Sampler::new(penalty, &prompt);
        let mut scratch = Scratch::default();
        let mut next = || sampler.choose(&[1.0, 0.5], &mut scratch);
        assert_eq!((next(), next()), (Some(Token(0)), Some(Token(1))));
    }
}

#[test]
fn frequency_grows_with_each_occurrence() {
    let penalty = Sampling { frequency_penalty: 1.0, temperature: 0.0, ..sampling() };
    let mut sampler = Sampler::new(penalty, &[]);
    let mut scratch = Scratch::default();
    let chosen: Vec<_> =
        (0..4).map(|_| sampler.choose(&[2.5, 0.0], &mut scratch).expect("numbers").0).collect();
    assert_eq!(chosen, [0, 0, 0, 1]);
}

#[test]
fn the_repetition_penalty_counts_the_prompt_and_forgets() {
    let penalty =
        Sampling { repeat_penalty: 4.0, penalty_last_tokens: 1, temperature: 0.0, ..sampling() };
    let logits = [1.0, 0.5];
    assert_eq!(choose_one(penalty.clone(), &[Token(1), Token(0)], &logits), Some(Token(1)));
    assert_eq!(choose_one(penalty, &[Token(0), Token(1)], &logits), Some(Token(0)));
}

#[test]
fn a_negative_logit_is_penalized_downwards() {
    let penalty = Sampling { repeat_penalty: 2.0, temperature: 0.0, ..sampling() };
    assert_eq!(choose_one(penalty, &[Token(0)], &[-1.0, -1.5]), Some(Token(1)));
}

#[test]
fn a_token_outside_the_vocabulary_is_no_danger() {
    let penalty = Sampling { repeat_penalty: 2.0, temperature: 0.0, ..sampling() };
    assert_eq!(choose_one(penalty, &[Token(-1), Token(99)], &[1.0]), Some(Token(0)));
}
