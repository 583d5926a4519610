//! Reads a `text/event-stream` answer event by event.

use std::collections::VecDeque;
use std::io::BufReader;
use std::net::TcpStream;

use serde_json::Value;

use crate::http::read_chunk;

/// A streamed answer. Dropping it hangs up.
pub struct EventStream {
    reader: BufReader<TcpStream>,
    unread: String,
    ready: VecDeque<String>,
}

impl EventStream {
    pub(crate) fn new(reader: BufReader<TcpStream>) -> Self {
        Self { reader, unread: String::new(), ready: VecDeque::new() }
    }

    /// The next event's data; `None` when the connection ends.
    pub fn next_data(&mut self) -> Option<String> {
        while self.ready.is_empty() {
            let chunk = read_chunk(&mut self.reader)?;
            self.unread += std::str::from_utf8(&chunk).expect("events are UTF-8");
            self.split_events();
        }
        self.ready.pop_front()
    }

    /// The next event as JSON; `None` at `[DONE]` or when the connection ends.
    pub fn next_json(&mut self) -> Option<Value> {
        let data = self.next_data().filter(|data| data != "[DONE]")?;
        Some(serde_json::from_str(&data).expect("event data is JSON"))
    }

    /// Reads on until some text has arrived, and returns it.
    ///
    /// # Panics
    /// The stream ends without text.
    pub fn wait_for_text(&mut self) -> String {
        loop {
            let event = self.next_json().expect("the stream goes on");
            if let Some(text) = delta_text(&event).filter(|text| !text.is_empty()) {
                return text.to_owned();
            }
        }
    }

    /// All text to the end, and the events.
    pub fn collect(mut self) -> (String, Vec<Value>) {
        let mut events = vec![];
        while let Some(event) = self.next_json() {
            events.push(event);
        }
        (events.iter().filter_map(delta_text).collect(), events)
    }

    fn split_events(&mut self) {
        while let Some(end) = self.unread.find("\n\n") {
            let event: String = self.unread.drain(..end + 2).collect();
            let data = event.lines().filter_map(|line| line.strip_prefix("data: "));
            self.ready.extend(data.map(str::to_owned));
        }
    }
}

fn delta_text(event: &Value) -> Option<&str> {
    let choice = &event["choices"][0];
    choice["delta"]["content"].as_str().or_else(|| choice["text"].as_str())
}
