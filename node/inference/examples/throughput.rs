//! Measures an engine alone: tokens per second and time to first token, by number of streams.
//!
//!     cargo run --release -p gaia-inference --example throughput -- MODEL.gguf [setting=value]…
//!
//! Settings: `streams=1,4,8,16,32`, `threads`, `poll`, `flash=auto|on|off`, `unified=true|false`,
//! `beside` (prompt tokens beside streams), `batch`, `ahead`, `prompt` and `tokens` (lengths),
//! `context`, `temperature`, `rounds`, `backends` (their folder), and `embed=COUNT` to embed so many texts instead, `sequences`
//! at once.

#![expect(clippy::print_stdout, reason = "a measurement is for standard output")]

use std::collections::HashMap;
use std::error::Error;
use std::str::FromStr;
use std::time::{Duration, Instant};

use gaia_inference::{
    Engine, EngineConfig, EngineKind, FlashAttention, GenerateOptions, Generation, Sampling, Step,
    Token, TokenizeOptions, Tuning,
};

const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("the first argument is a model file")?;
    let settings = Settings::parse(arguments)?;
    let embed: usize = settings.get("embed", 0)?;
    let kind = if embed > 0 { EngineKind::Embed } else { EngineKind::Generate };
    let engine = load(&model, kind, &settings)?;
    let info = engine.info();
    println!("{}, {} threads, {}", info.description, info.threads, info.cpu_variant);
    if embed > 0 {
        return embed_texts(&engine, embed, &settings);
    }
    println!("streams  tokens/s  first token p50 ms  max ms  between tokens ms");
    for streams in settings.list("streams", "1,4,8,16,32")? {
        for _ in 0..settings.get("rounds", 1)? {
            println!("{}", round(&engine, streams, &settings)?);
        }
    }
    Ok(())
}

struct Settings(HashMap<String, String>);

impl Settings {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let pair = |argument: String| match argument.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(format!("{argument} is no setting=value")),
        };
        Ok(Self(arguments.map(pair).collect::<Result<_, _>>()?))
    }

    fn get<T: FromStr>(&self, name: &str, default: T) -> Result<T, Box<dyn Error>> {
        let Some(value) = self.0.get(name) else { return Ok(default) };
        value.parse().map_err(|_| format!("{name}={value} can't be read").into())
    }

    fn list(&self, name: &str, default: &str) -> Result<Vec<usize>, Box<dyn Error>> {
        let list = self.0.get(name).map_or(default, String::as_str);
        Ok(list.split(',').map(str::parse).collect::<Result<_, _>>()?)
    }
}

fn load(model: &str, kind: EngineKind, settings: &Settings) -> Result<Engine, Box<dyn Error>> {
    let defaults = EngineConfig::new(model, kind);
    let streams = settings.list("streams", "1,4,8,16,32")?.into_iter().max().unwrap_or(1);
    let threads: u32 = settings.get("threads", 0)?;
    let sequences_max = settings.get("sequences", u32::try_from(streams)?)?;
    let config = EngineConfig {
        sequences_max,
        context_tokens: Some(settings.get("context", 512)?),
        batch_tokens: settings.get("batch", defaults.batch_tokens)?,
        run_ahead_tokens: settings.get("ahead", defaults.run_ahead_tokens)?,
        threads: (threads > 0).then_some(threads),
        flash_attention: match settings.get("flash", String::from("auto"))?.as_str() {
            "on" => FlashAttention::On,
            "off" => FlashAttention::Off,
            _ => FlashAttention::Auto,
        },
        backends_dir: settings.0.get("backends").map(Into::into),
        ..defaults
    };
    let chosen = Tuning::default();
    let tuning = Tuning {
        poll_level: settings.get("poll", chosen.poll_level)?,
        kv_unified: settings.get("unified", chosen.kv_unified)?,
        prompt_tokens_beside_streams: settings
            .get("beside", chosen.prompt_tokens_beside_streams)?,
        ..Tuning::default()
    };
    Ok(Engine::load_tuned(&config, &tuning, Box::new(|_| true))?)
}

/// What one stream saw.
struct Seen {
    first: Duration,
    last: Duration,
    tokens: u32,
}

fn round(engine: &Engine, streams: usize, settings: &Settings) -> Result<String, Box<dyn Error>> {
    let tokens_max = settings.get("tokens", 64)?;
    let length = settings.get("prompt", 78)?;
    let temperature = settings.get("temperature", 0.0)?;
    let sampling = Sampling { temperature, seed: Some(1), ..Sampling::default() };
    let options =
        GenerateOptions { sampling, tokens_max: Some(tokens_max), ..GenerateOptions::default() };
    let prompts: Vec<_> =
        (0..streams).map(|stream| prompt(engine, stream, length)).collect::<Result<_, _>>()?;
    let start = Instant::now();
    let mut readers = vec![];
    for prompt in prompts {
        let generation = engine.generate(prompt, options.clone())?;
        readers.push(std::thread::spawn(move || read(generation, start)));
    }
    let seen = readers.into_iter().map(|reader| reader.join().map_err(|_| "a reader panicked")?);
    let seen: Vec<Seen> = seen.collect::<Result<_, _>>()?;
    Ok(line(streams, &seen, start.elapsed()))
}

/// Text about another thing for each stream: the same experts of a mixture would be kind to caches.
fn prompt(engine: &Engine, stream: usize, length: usize) -> Result<Vec<Token>, Box<dyn Error>> {
    let text = format!("{stream}. Tell me a long story, number {stream}, about a machine. ");
    let options = TokenizeOptions { add_special: true, parse_special: true };
    let mut tokens = engine.tokenize(&text.repeat(length / 8 + 1), options)?;
    tokens.truncate(length);
    Ok(tokens)
}

fn read(mut generation: Generation, start: Instant) -> Result<Seen, String> {
    let mut seen = Seen { first: Duration::ZERO, last: Duration::ZERO, tokens: 0 };
    loop {
        let step = generation.next_timeout(PATIENCE).map_err(|error| error.to_string())?;
        match step.ok_or("no token in time")? {
            Step::Token(_) => seen.note(start.elapsed()),
            _ => return Ok(seen),
        }
    }
}

impl Seen {
    fn note(&mut self, now: Duration) {
        if self.tokens == 0 {
            self.first = now;
        }
        self.last = now;
        self.tokens += 1;
    }
}

fn line(streams: usize, seen: &[Seen], took: Duration) -> String {
    let tokens: u32 = seen.iter().map(|seen| seen.tokens).sum();
    let mut first: Vec<f64> = seen.iter().map(|seen| seen.first.as_secs_f64() * 1e3).collect();
    first.sort_by(f64::total_cmp);
    let between = |seen: &Seen| {
        (seen.last - seen.first).as_secs_f64() * 1e3 / f64::from(seen.tokens.max(2) - 1)
    };
    let mut between: Vec<f64> = seen.iter().map(between).collect();
    between.sort_by(f64::total_cmp);
    let rate = f64::from(tokens) / took.as_secs_f64();
    let (half, last) = (first[first.len() / 2], first[first.len() - 1]);
    let between = between[between.len() / 2];
    format!("{streams:7}  {rate:8.1}  {half:18.0}  {last:6.0}  {between:17.1}")
}

fn embed_texts(engine: &Engine, count: usize, settings: &Settings) -> Result<(), Box<dyn Error>> {
    let length = settings.get("prompt", 32)?;
    let texts: Vec<_> =
        (0..count).map(|text| prompt(engine, text, length)).collect::<Result<_, _>>()?;
    for _ in 0..settings.get("rounds", 3)? {
        let start = Instant::now();
        let steps = engine.stats().decode_steps;
        let pending: Vec<_> =
            texts.iter().map(|text| engine.embed(text.clone())).collect::<Result<_, _>>()?;
        for mut pending in pending {
            pending.wait_timeout(PATIENCE)?.ok_or("no vector in time")?;
        }
        let took = start.elapsed().as_secs_f64();
        let steps = engine.stats().decode_steps - steps;
        println!("{count} texts of {length} tokens: {took:.2} s in {steps} steps");
    }
    Ok(())
}
