//! Long text, in events that the host takes.
//!
//! Most text comes token by token, but an echo, the text of what turned out to be no function call, or
//! the arguments of one whose name came last are as long as a request and an answer allow. The host
//! ends an answer with an event over `event_bytes_max`, which an app is not told.

use gaia_protocol::{Channel, Event, TokenLogprob};

/// Bytes of text in an event: six times as many in JSON at worst, which is below the least
/// `event_bytes_max` (4 KiB).
const TEXT_BYTES_MAX: usize = 512;

/// Bytes of text where each token brings its probability, and up to twenty others, along.
const SCORED_BYTES_MAX: usize = 128;

/// Tokens with probabilities in an event.
const SCORED_TOKENS_MAX: usize = 64;

/// The event, or several that come to the same. `scores`: probabilities will be added.
pub fn of(event: Event, scores: bool) -> Vec<Event> {
    let bytes_max = if scores { SCORED_BYTES_MAX } else { TEXT_BYTES_MAX };
    match event {
        Event::Delta { text, tokens, channel, logprobs } if text.len() > bytes_max => {
            let logprobs = std::iter::once(logprobs).chain(std::iter::repeat(vec![]));
            let delta = |((text, tokens), logprobs): ((&str, u32), _)| Event::Delta {
                text: text.to_owned(),
                tokens,
                channel,
                logprobs,
            };
            cut(&text, bytes_max).zip(first(tokens)).zip(logprobs).map(delta).collect()
        }
        Event::ToolArguments { index, text, tokens } if text.len() > bytes_max => {
            let arguments = |(text, tokens): (&str, u32)| Event::ToolArguments {
                index,
                text: text.to_owned(),
                tokens,
            };
            cut(&text, bytes_max).zip(first(tokens)).map(arguments).collect()
        }
        event => vec![event],
    }
}

/// A text that the model did not write, and the probabilities of its tokens, side by side.
pub fn of_echo(text: &str, logprobs: Vec<TokenLogprob>) -> Vec<Event> {
    let count = text.len().div_ceil(TEXT_BYTES_MAX);
    let count = count.max(logprobs.len().div_ceil(SCORED_TOKENS_MAX)).max(1);
    // A character more or less: the last piece takes what is left.
    let mut texts = cut(text, text.len().div_ceil(count).max(4));
    let tokens_each = logprobs.len().div_ceil(count).max(1);
    let mut logprobs = logprobs.into_iter().peekable();
    let mut events = vec![];
    loop {
        let text = texts.next().unwrap_or_default().to_owned();
        let logprobs_here: Vec<TokenLogprob> = logprobs.by_ref().take(tokens_each).collect();
        if text.is_empty() && logprobs_here.is_empty() && !events.is_empty() {
            return events;
        }
        let channel = Channel::Content;
        events.push(Event::Delta { text, tokens: 0, channel, logprobs: logprobs_here });
    }
}

/// The number once, then nothing.
fn first(tokens: u32) -> impl Iterator<Item = u32> {
    std::iter::once(tokens).chain(std::iter::repeat(0))
}

/// Pieces of at most so many bytes (four at least), cut between characters.
fn cut(mut text: &str, bytes_max: usize) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let mut end = text.len().min(bytes_max);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        text = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaia_protocol::TokenText;

    fn texts(events: &[Event]) -> String {
        let text = |event: &Event| match event {
            Event::Delta { text, .. } | Event::ToolArguments { text, .. } => text.clone(),
            other => panic!("{other:?}"),
        };
        events.iter().map(text).collect()
    }

    fn is_small(event: &Event) -> bool {
        serde_json::to_vec(event).expect("JSON").len() < 4096
    }

    #[test]
    fn a_short_event_stays_as_it_is() {
        for event in [Event::text("é", 3), Event::text("", 0)] {
            assert_eq!(of(event.clone(), false), [event]);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters_and_its_tokens_count_once() {
        let text = "a☃\u{0}".repeat(2000);
        let arguments = Event::ToolArguments { index: 4, text: text.clone(), tokens: 7 };
        for event in [Event::text(text.clone(), 7), arguments] {
            let events = of(event, false);
            assert_eq!(texts(&events), text);
            assert!(events.len() > 10 && events.iter().all(is_small));
            let tokens = |event: &Event| match event {
                Event::Delta { tokens, .. } | Event::ToolArguments { tokens, .. } => *tokens,
                other => panic!("{other:?}"),
            };
            assert_eq!(events.iter().map(tokens).sum::<u32>(), 7);
        }
    }

    #[test]
    fn an_echo_loses_neither_text_nor_probabilities() {
        let scored = |id| TokenLogprob {
            token: TokenText { id, bytes: vec![] },
            logprob: None,
            top: vec![],
        };
        for (characters, tokens) in
            [(0, 0), (0, 1), (1, 0), (10, 10), (3000, 0), (3, 1000), (3000, 500)]
        {
            let text = "☃".repeat(characters);
            let events = of_echo(&text, (0..tokens).map(scored).collect());
            assert_eq!(texts(&events), text);
            let ids = events.iter().flat_map(|event| match event {
                Event::Delta { logprobs, .. } => logprobs.iter().map(|scored| scored.token.id),
                other => panic!("{other:?}"),
            });
            assert!(ids.eq(0..tokens), "{characters} {tokens}");
            assert!(events.iter().all(is_small));
            assert_eq!(events.len() == 1, characters <= 10 && tokens <= 64);
        }
    }
}
