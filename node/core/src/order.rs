//! The order that the events of an answer keep. An app is foreign code: nothing it says is taken on
//! trust.

use std::future::poll_fn;

use gaia_protocol::{Event, Usage};

use crate::answer::no_end;
use crate::{EventStream, ServeError};

/// What a task's events must be.
#[derive(Debug)]
pub(crate) struct Order {
    shape: Shape,
    prompt_seen: bool,
    finished: bool,
}

#[derive(Debug)]
enum Shape {
    /// How many functions were called so far, and whether the last call may have more arguments.
    Text {
        calls: u32,
        calling: bool,
    },
    Tokens,
    /// Which inputs have their vector, and how long the vectors are.
    Vectors {
        seen: Vec<bool>,
        dimension: Option<usize>,
    },
    /// Which documents have their score.
    Scores {
        seen: Vec<bool>,
    },
}

impl Order {
    pub(crate) fn of_text() -> Self {
        Self {
            shape: Shape::Text { calls: 0, calling: false },
            prompt_seen: false,
            finished: false,
        }
    }

    pub(crate) fn of_tokens() -> Self {
        Self { shape: Shape::Tokens, prompt_seen: false, finished: false }
    }

    pub(crate) fn of_vectors(inputs: usize) -> Self {
        let shape = Shape::Vectors { seen: vec![false; inputs], dimension: None };
        Self { shape, prompt_seen: false, finished: false }
    }

    pub(crate) fn of_scores(documents: usize) -> Self {
        let shape = Shape::Scores { seen: vec![false; documents] };
        Self { shape, prompt_seen: false, finished: false }
    }

    /// Hands out the events of a task, in their order, until its good end; what it took.
    ///
    /// # Errors
    /// The task's failure, or [`ServeError::App`]: an event came where it may not, or no end did.
    pub(crate) async fn follow(
        mut self,
        mut events: EventStream,
        mut take: impl FnMut(Event),
    ) -> Result<Usage, ServeError> {
        loop {
            let next = poll_fn(|context| events.as_mut().poll_next(context)).await;
            let event = next.unwrap_or_else(|| Err(no_end()))?;
            self.accept(&event)?;
            match event {
                Event::Finish { usage, .. } => return Ok(usage),
                event => take(event),
            }
        }
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// [`ServeError::App`]: the event may not come here.
    pub(crate) fn accept(&mut self, event: &Event) -> Result<(), ServeError> {
        let fault = match event {
            _ if self.finished => Some("said something after the end".to_owned()),
            Event::Prompt { .. } if self.prompt_seen => Some("reported the prompt twice".into()),
            Event::Prompt { .. } => None,
            Event::Delta { .. } => self.shape.text_fault(),
            Event::ToolCall { index, .. } => self.shape.call_fault(*index),
            Event::ToolArguments { index, .. } => self.shape.arguments_fault(*index),
            Event::Tokens { .. } => self.shape.tokens_fault(),
            Event::Embedding { index, vector, .. } => self.shape.vector_fault(*index, vector),
            Event::Score { index, score, .. } => self.shape.score_fault(*index, *score),
            Event::Finish { .. } => self.shape.end_fault(),
            Event::Error { .. } => Some("passed an error off as an answer".into()),
        };
        self.prompt_seen |= matches!(event, Event::Prompt { .. });
        self.finished |= matches!(event, Event::Finish { .. });
        fault.map_or(Ok(()), |message| Err(ServeError::App { message: format!("it {message}") }))
    }
}

impl Shape {
    fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Tokens => "tokens",
            Self::Vectors { .. } => "vectors",
            Self::Scores { .. } => "scores",
        }
    }

    fn text_fault(&mut self) -> Option<String> {
        let Self::Text { calling, .. } = self else {
            return Some(format!("answered with text instead of {}", self.name()));
        };
        *calling = false;
        None
    }

    fn tokens_fault(&self) -> Option<String> {
        let is_tokens = matches!(self, Self::Tokens);
        (!is_tokens).then(|| format!("answered with tokens instead of {}", self.name()))
    }

    fn call_fault(&mut self, index: u32) -> Option<String> {
        let Self::Text { calls, calling } = self else { return self.text_fault() };
        if index != *calls {
            return Some(format!("began function call {index} after {calls} calls"));
        }
        *calls += 1;
        *calling = true;
        None
    }

    /// Every API streams one call after the other: only the last one can go on, and nothing else may
    /// have come since.
    fn arguments_fault(&mut self, index: u32) -> Option<String> {
        let Self::Text { calls, calling } = self else { return self.text_fault() };
        let fits = *calling && index.checked_add(1) == Some(*calls);
        (!fits).then(|| format!("gave arguments for function call {index}, which is not open"))
    }

    fn vector_fault(&mut self, index: u32, vector: &[f32]) -> Option<String> {
        let Self::Vectors { seen, dimension } = self else {
            return Some(format!("answered with a vector instead of {}", self.name()));
        };
        let Some(place) = seen.get_mut(index as usize) else {
            return Some(format!("gave a vector for input {index}, which does not exist"));
        };
        if std::mem::replace(place, true) {
            return Some(format!("gave two vectors for input {index}"));
        }
        if vector.is_empty() || !vector.iter().all(|value| value.is_finite()) {
            return Some(format!("gave a vector for input {index} that is empty or not finite"));
        }
        let wanted = *dimension.get_or_insert(vector.len());
        (wanted != vector.len()).then(|| "gave vectors of different lengths".into())
    }

    fn score_fault(&mut self, index: u32, score: f32) -> Option<String> {
        let Self::Scores { seen } = self else {
            return Some(format!("answered with a score instead of {}", self.name()));
        };
        let Some(place) = seen.get_mut(index as usize) else {
            return Some(format!("gave a score for document {index}, which does not exist"));
        };
        if std::mem::replace(place, true) {
            return Some(format!("gave two scores for document {index}"));
        }
        (!(0.0..=1.0).contains(&score)).then(|| format!("gave a score of {score}"))
    }

    fn end_fault(&self) -> Option<String> {
        let (seen, what) = match self {
            Self::Vectors { seen, .. } => (seen, "vector for input"),
            Self::Scores { seen } => (seen, "score for document"),
            Self::Text { .. } | Self::Tokens => return None,
        };
        let missing = seen.iter().position(|seen| !seen)?;
        Some(format!("gave no {what} {missing}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gaia_protocol::{FinishReason, Usage};

    fn delta() -> Event {
        Event::text("a", 1)
    }

    fn finish() -> Event {
        Event::finish(FinishReason::Stop, Usage::default())
    }

    fn vector(index: u32, vector: &[f32]) -> Event {
        Event::Embedding { index, vector: vector.to_vec(), tokens: 1 }
    }

    fn score(index: u32, score: f32) -> Event {
        Event::Score { index, score, tokens: 1 }
    }

    fn fault(mut order: Order, events: &[Event]) -> String {
        let (last, good) = events.split_last().expect("events");
        for event in good {
            order.accept(event).expect("fine so far");
        }
        order.accept(last).expect_err("refused").to_string()
    }

    #[test]
    fn every_breach_of_order_is_named() {
        let prompt = Event::Prompt { tokens: 1, cached_tokens: 0 };
        let call = |index| Event::ToolCall { index, name: "f".into(), tokens: 1 };
        let more = |index| Event::ToolArguments { index, text: "{".into(), tokens: 1 };
        let cases = [
            (Order::of_text(), vec![call(1)], "function call 1 after 0"),
            (Order::of_text(), vec![more(0)], "call 0, which is not open"),
            (Order::of_text(), vec![call(0), more(0), call(1), more(0)], "call 0, which is not"),
            (Order::of_text(), vec![call(0), delta(), more(0)], "call 0, which is not open"),
            (Order::of_text(), vec![prompt.clone(), prompt.clone()], "prompt twice"),
            (Order::of_text(), vec![finish(), delta()], "after the end"),
            (Order::of_text(), vec![vector(0, &[1.0])], "instead of text"),
            (Order::of_vectors(1), vec![delta()], "instead of vectors"),
            (Order::of_vectors(1), vec![vector(1, &[1.0])], "does not exist"),
            (Order::of_vectors(1), vec![vector(0, &[1.0]), vector(0, &[1.0])], "two vectors"),
            (Order::of_vectors(1), vec![vector(0, &[])], "empty or not finite"),
            (Order::of_vectors(1), vec![vector(0, &[f32::NAN])], "empty or not finite"),
            (Order::of_vectors(2), vec![vector(0, &[1.0]), vector(1, &[1.0, 2.0])], "lengths"),
            (Order::of_vectors(2), vec![vector(0, &[1.0]), finish()], "no vector for input 1"),
            (Order::of_text(), vec![score(0, 0.5)], "a score instead of text"),
            (Order::of_scores(1), vec![vector(0, &[1.0])], "a vector instead of scores"),
            (Order::of_scores(1), vec![score(1, 0.5)], "document 1, which does not exist"),
            (Order::of_scores(1), vec![score(0, 0.5), score(0, 0.5)], "two scores"),
            (Order::of_scores(1), vec![score(0, f32::NAN)], "a score of NaN"),
            (Order::of_scores(1), vec![score(0, 1.5)], "a score of 1.5"),
            (Order::of_scores(2), vec![score(1, 0.5), finish()], "no score for document 0"),
        ];
        for (order, events, words) in cases {
            let message = fault(order, &events);
            assert!(message.contains(words), "{message} should say {words}");
        }
    }

    #[test]
    fn vectors_may_come_in_any_order() {
        let mut order = Order::of_vectors(2);
        for event in [vector(1, &[1.0]), vector(0, &[2.0]), finish()] {
            order.accept(&event).expect("in order");
        }
    }
}
