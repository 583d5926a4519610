//! Makes events of the chunks of a streamed answer, one by one, and believes none of them.

use gaia_protocol::{Channel, Event, FinishReason, TokenLogprob, TokenText, Usage};
use serde_json::Value;

use super::wire::{CallDelta, Choice, Chunk, Delta};

/// Functions that one answer calls at most.
const CALLS_MAX: u32 = 1024;

/// A chunk that may not come here.
#[derive(Debug, PartialEq)]
pub enum Fault {
    /// The server tells an error.
    Told(Value),
    /// It is not what was asked for; goes on from "the server".
    Wrong(String),
}

/// What an answer was so far.
#[derive(Debug, Default)]
pub struct Chunks {
    calls: u32,
    /// How the server knows the call that is open.
    open: Option<(Option<u32>, Option<String>)>,
    reason: Option<FinishReason>,
    usage: Option<Usage>,
    /// Pieces of the answer: about its tokens, for a server that counts none.
    pieces: u32,
}

impl Chunks {
    /// Takes the data of the next chunk; the events that it makes.
    pub fn take(&mut self, data: &str) -> Result<Vec<Event>, Fault> {
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|error| Fault::Wrong(format!("sent a chunk that can't be read: {error}")))?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Fault::Told(error));
        }
        self.usage = chunk.usage.map(Usage::from).or(self.usage);
        let mut events = vec![];
        for choice in chunk.choices.into_iter().flatten() {
            self.choice(choice, &mut events)?;
        }
        Ok(events)
    }

    /// Whether the answer said why it ended: then nothing is missing if the connection ends.
    pub fn has_ended(&self) -> bool {
        self.reason.is_some()
    }

    /// The last event, once the stream has ended.
    pub fn end(&self) -> Result<Event, Fault> {
        let Some(reason) = self.reason else {
            return wrong("broke off its answer; try again");
        };
        let counted = Usage { completion_tokens: self.pieces, ..Usage::default() };
        // Some servers say `stop` after calls, some `tool_calls` before none.
        let reason = match reason {
            FinishReason::Length => FinishReason::Length,
            _ if self.calls > 0 => FinishReason::ToolCalls,
            _ => FinishReason::Stop,
        };
        Ok(Event::finish(reason, self.usage.unwrap_or(counted)))
    }

    fn choice(&mut self, choice: Choice, events: &mut Vec<Event>) -> Result<(), Fault> {
        if choice.index != 0 {
            return wrong("answered more often than it was asked to");
        }
        let before = events.len();
        let logprobs = logprobs(choice.logprobs)?;
        let delta = choice.delta.unwrap_or_default();
        let reasoning = [delta.reasoning_content.as_deref(), delta.reasoning.as_deref()];
        if let Some(text) = reasoning.into_iter().flatten().find(|text| !text.is_empty()) {
            events.push(said(text.to_owned(), Channel::Reasoning, vec![]));
        }
        let text = text(&delta) + choice.text.as_deref().unwrap_or_default();
        if !text.is_empty() || !logprobs.is_empty() {
            events.push(said(text, Channel::Content, logprobs));
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call(call, events)?;
        }
        if self.has_ended() && events.len() > before {
            return wrong("went on after the end of its answer");
        }
        let pieces = u32::try_from(events.len() - before).unwrap_or(u32::MAX);
        self.pieces = self.pieces.saturating_add(pieces);
        // Some servers write an empty one into each piece.
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.reason = Some(finish_reason(&reason)?);
        }
        Ok(())
    }

    /// A call begins where its name stands. Some servers number calls, some only give them ids, and
    /// some repeat the name in each piece.
    fn call(&mut self, delta: CallDelta, events: &mut Vec<Event>) -> Result<(), Fault> {
        let CallDelta { index, id, function } = delta;
        let Some(function) = function else { return Ok(()) };
        let id = id.filter(|id| !id.is_empty());
        let name = function.name.filter(|name| !name.is_empty());
        if self.is_new(index, id.as_deref()) {
            let Some(name) = name else { return wrong("calls a function without a name") };
            if self.calls >= CALLS_MAX {
                return wrong("calls functions without end");
            }
            events.push(Event::ToolCall { index: self.calls, name, tokens: 1 });
            self.calls += 1;
            self.open = Some((index, id));
        } else if self.open.as_ref().is_some_and(|(open, _)| index.is_some() && index != *open) {
            return wrong("mixes the arguments of several function calls");
        }
        let more = function.arguments.unwrap_or_default();
        if !more.is_empty() {
            events.push(Event::ToolArguments { index: self.calls - 1, text: more, tokens: 1 });
        }
        Ok(())
    }

    fn is_new(&self, index: Option<u32>, id: Option<&str>) -> bool {
        let Some((open_index, open_id)) = &self.open else { return true };
        let is_next = matches!((index, open_index), (Some(new), Some(open)) if new > *open);
        let is_other = id.is_some() && id != open_id.as_deref();
        is_next || is_other
    }
}

fn text(delta: &Delta) -> String {
    [&delta.content, &delta.refusal].into_iter().flatten().map(String::as_str).collect()
}

fn said(text: String, channel: Channel, logprobs: Vec<TokenLogprob>) -> Event {
    let tokens = u32::try_from(logprobs.len()).unwrap_or(u32::MAX).max(1);
    Event::Delta { text, tokens, channel, logprobs }
}

fn finish_reason(word: &str) -> Result<FinishReason, Fault> {
    match word {
        "stop" | "eos" | "end_turn" => Ok(FinishReason::Stop),
        "length" | "max_tokens" => Ok(FinishReason::Length),
        "tool_calls" | "function_call" => Ok(FinishReason::ToolCalls),
        "content_filter" => wrong("stopped the answer by its content filter"),
        _ => wrong("ended the answer for a reason that this node does not know"),
    }
}

/// Probabilities in the shape of conversations (`content`) or of texts (`tokens` and lists beside).
fn logprobs(value: Option<Value>) -> Result<Vec<TokenLogprob>, Fault> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(vec![]) };
    let read = match value.get("content") {
        Some(Value::Array(tokens)) => tokens.iter().map(of_conversation).collect(),
        Some(_) => Some(vec![]),
        None => of_text(&value),
    };
    read.ok_or_else(|| Fault::Wrong("sent probabilities that can't be read".into()))
}

fn of_conversation(token: &Value) -> Option<TokenLogprob> {
    let top = token.get("top_logprobs").and_then(Value::as_array).into_iter().flatten();
    Some(TokenLogprob {
        token: token_text(token)?,
        logprob: Some(number(token.get("logprob")?)?),
        top: top
            .map(|rival| Some((token_text(rival)?, number(rival.get("logprob")?)?)))
            .collect::<Option<_>>()?,
    })
}

/// Its bytes where they are told: a token may be a part of a character.
fn token_text(token: &Value) -> Option<TokenText> {
    let text = token.get("token")?.as_str()?;
    let bytes = match token.get("bytes").and_then(Value::as_array) {
        Some(bytes) => {
            bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect::<Option<_>>()?
        }
        None => text.into(),
    };
    Some(TokenText { id: 0, bytes })
}

fn of_text(value: &Value) -> Option<Vec<TokenLogprob>> {
    let tokens = value.get("tokens")?.as_array()?;
    let own = value.get("token_logprobs")?.as_array()?;
    let rivals = value.get("top_logprobs").and_then(Value::as_array);
    let token = |(place, token): (usize, &Value)| {
        let logprob = own.get(place)?;
        let logprob = if logprob.is_null() { None } else { Some(number(logprob)?) };
        let top = rivals.and_then(|list| list.get(place)).and_then(Value::as_object);
        let top = top.into_iter().flatten();
        let mut top: Vec<_> = top
            .map(|(text, logprob)| Some((spelled(text), number(logprob)?)))
            .collect::<Option<_>>()?;
        top.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        Some(TokenLogprob { token: spelled(token.as_str()?), logprob, top })
    };
    tokens.iter().enumerate().map(token).collect()
}

fn spelled(text: &str) -> TokenText {
    TokenText { id: 0, bytes: text.into() }
}

#[expect(clippy::cast_possible_truncation, reason = "no probability needs more digits")]
fn number(value: &Value) -> Option<f32> {
    value.as_f64().map(|number| number as f32).filter(|number| number.is_finite())
}

fn wrong<T>(what: &str) -> Result<T, Fault> {
    Err(Fault::Wrong(what.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(chunks: &[Value]) -> Result<Vec<Event>, Fault> {
        let mut reading = Chunks::default();
        let mut events = vec![];
        for chunk in chunks {
            events.extend(reading.take(&chunk.to_string())?);
        }
        events.push(reading.end()?);
        Ok(events)
    }

    fn delta(delta: Value) -> Value {
        json!({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
    }

    fn end(reason: &str) -> Value {
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    }

    fn call(index: Option<u32>, id: &str, name: &str, arguments: &str) -> Value {
        let function = json!({"name": name, "arguments": arguments});
        delta(json!({"tool_calls": [{"index": index, "id": id, "function": function}]}))
    }

    fn text(text: &str) -> Event {
        Event::text(text, 1)
    }

    fn begun(index: u32, name: &str) -> Event {
        Event::ToolCall { index, name: name.into(), tokens: 1 }
    }

    fn more(index: u32, text: &str) -> Event {
        Event::ToolArguments { index, text: text.into(), tokens: 1 }
    }

    fn finish(reason: FinishReason, completion_tokens: u32) -> Event {
        Event::finish(reason, Usage { completion_tokens, ..Usage::default() })
    }

    #[test]
    fn what_is_no_answer_is_refused_with_its_fault() {
        let hello = || delta(json!({"content": "Hello"}));
        for (chunks, words) in [
            (vec![json!("hi")], "can't be read"),
            (vec![delta(json!({"content": 1}))], "can't be read"),
            (vec![json!({"choices": [{"index": 1, "delta": {"content": "x"}}]})], "more often"),
            (vec![hello()], "broke off"),
            (vec![hello(), end("stop"), hello()], "after the end"),
            (vec![hello(), end("content_filter")], "content filter"),
            (vec![hello(), end("bored")], "does not know"),
            (vec![call(Some(0), "a", "", "{}")], "without a name"),
            (vec![call(Some(0), "a", "f", ""), call(Some(1), "b", "", "{")], "without a name"),
            (
                vec![
                    call(Some(0), "a", "f", ""),
                    call(Some(1), "b", "g", ""),
                    call(Some(0), "", "", "{"),
                ],
                "mixes",
            ),
            (
                vec![json!({"choices": [{"logprobs": {"content": [{"token": 1}]}}]})],
                "probabilities",
            ),
        ] {
            let fault = read(&chunks).expect_err("refused");
            assert!(matches!(&fault, Fault::Wrong(said) if said.contains(words)), "{fault:?}");
        }
        let told = read(&[hello(), json!({"error": {"message": "no memory"}})]);
        assert_eq!(told, Err(Fault::Told(json!({"message": "no memory"}))));
    }

    #[test]
    fn thoughts_text_and_usage_are_told() {
        let usage = json!({"prompt_tokens": 9, "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 4, "x": 1},
            "completion_tokens_details": {"reasoning_tokens": 2}});
        let events = read(&[
            json!({"choices": [], "prompt_filter_results": []}),
            delta(json!({"role": "assistant", "content": ""})),
            delta(json!({"reasoning_content": "hm", "content": null})),
            delta(json!({"content": "Hi"})),
            end("length"),
            json!({"choices": [], "usage": usage}),
        ]);
        let thought = Event::Delta {
            text: "hm".into(),
            tokens: 1,
            channel: Channel::Reasoning,
            logprobs: vec![],
        };
        let usage =
            Usage { prompt_tokens: 9, completion_tokens: 5, cached_tokens: 4, reasoning_tokens: 2 };
        let end = Event::finish(FinishReason::Length, usage);
        assert_eq!(events, Ok(vec![thought, text("Hi"), end]));
        let uncounted = read(&[json!({"choices": [{"text": "a"}]}), end_of_text()]);
        assert_eq!(uncounted, Ok(vec![text("a"), finish(FinishReason::Stop, 1)]));
    }

    fn end_of_text() -> Value {
        json!({"choices": [{"index": 0, "text": "", "finish_reason": "stop"}], "usage": null})
    }

    #[test]
    fn calls_are_told_apart_however_the_server_counts_them() {
        let calls = [begun(0, "f"), more(0, "{"), more(0, "}"), begun(1, "g"), more(1, "[]")];
        let numbered = |index: u32| Some(index);
        let unnumbered = |_| None;
        let all_zero = |_| Some(0);
        for number in [numbered, unnumbered, all_zero] {
            let events = read(&[
                call(number(0), "a", "f", "{"),
                call(number(0), "", "", "}"),
                call(number(1), "b", "g", "[]"),
                end("stop"),
            ]);
            let wanted = calls.iter().cloned().chain([finish(FinishReason::ToolCalls, 5)]);
            assert_eq!(events, Ok(wanted.collect()));
        }
    }

    #[test]
    fn probabilities_of_both_shapes_are_read() {
        let chat = json!({"content": [{"token": "ä", "logprob": -0.5, "bytes": [195, 164],
            "top_logprobs": [{"token": "b", "logprob": -1, "bytes": null}]}]});
        let legacy = json!({"tokens": ["ä"], "token_logprobs": [-0.5], "text_offset": [0],
            "top_logprobs": [{"b": -1.0}]});
        for value in [chat, legacy] {
            let read = logprobs(Some(value)).expect("good");
            assert_eq!(read[0].token.bytes, "ä".as_bytes());
            assert_eq!((read[0].logprob, read[0].top[0].1), (Some(-0.5), -1.0));
            assert_eq!(read[0].top[0].0.bytes, b"b");
        }
        assert_eq!(logprobs(Some(json!({"content": null}))), Ok(vec![]));
    }
}
