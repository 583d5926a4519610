//! One function call, in whatever form it comes.
//!
//! | form | as in |
//! |---|---|
//! | `{"name": "f", "arguments": {…}}` | Hermes, Qwen, Llama, Mistral's list |
//! | `f[ARGS]{…}`, ``function<sep>f ```json {…}``` ``, `to=functions.f …{…}` | Mistral, DeepSeek, gpt-oss |
//! | `<function=f><parameter=a>…</parameter></function>` | Qwen3-Coder |

use gaia_app_sdk::{Event, Tool};
use serde_json::{Map, Value};

use super::json::{Head, Scan, head};

/// Characters before a call's arguments at most: names and signs. More is no call.
const HEADER_BYTES_MAX: usize = 512;

/// A call on its way.
#[derive(Debug)]
pub struct Call<'a> {
    tools: &'a [Tool],
    index: u32,
    /// All that was read, to be given back if it is no call.
    text: String,
    /// Where the form begins in `text`, behind the mark.
    start: usize,
    form: Form,
    begun: bool,
}

#[derive(Debug)]
enum Form {
    /// Not seen yet.
    Open,
    /// An object with name and arguments.
    Object { scan: Scan, sent: Option<Sent> },
    /// A header with the name, then the arguments.
    Headed { sent: Option<Sent> },
    /// Tags.
    Tags,
}

/// Arguments that are handed on as they come.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// Up to where in `text`.
    to: usize,
    scan: Scan,
    is_whole: bool,
}

/// How a call goes on.
#[derive(Debug)]
pub enum Progress {
    /// More text is needed.
    Needs,
    /// It is whole.
    Done,
    /// It is no call but this text.
    NoCall(String),
}

impl<'a> Call<'a> {
    /// A call that begins with this mark.
    pub fn new(tools: &'a [Tool], index: u32, mark: String) -> Self {
        let start = mark.len();
        Self { tools, index, text: mark, start, form: Form::Open, begun: false }
    }

    /// Reads on. Takes from `held` what belongs to the call.
    pub fn read(&mut self, held: &mut String, events: &mut Vec<Event>) -> Progress {
        if matches!(self.form, Form::Open) && !self.open(held) {
            return self.undecided(held);
        }
        match self.form {
            Form::Object { .. } => self.read_object(held, events),
            Form::Headed { .. } => self.read_headed(held, events),
            Form::Tags => self.read_tags(held, events),
            Form::Open => Progress::Needs,
        }
    }

    /// What is left when the text ends: whether a call was begun, and text that was none.
    pub fn end(self, held: &str) -> (bool, String) {
        if self.begun { (true, String::new()) } else { (false, self.text + held) }
    }

    /// Finds out the form. False: blanks and signs only.
    fn open(&mut self, held: &mut String) -> bool {
        let skipped = held.trim_start_matches([' ', '\n', '\t', '[', ',', ';']);
        let taken = held.len() - skipped.len();
        self.text.extend(held.drain(..taken));
        self.start = self.text.len();
        self.form = match held.chars().next() {
            None | Some(']') => return false,
            Some('{') => Form::Object { scan: Scan::default(), sent: None },
            Some('<') if "<function=".starts_with(&held[..held.len().min(10)]) => Form::Tags,
            Some(_) => Form::Headed { sent: None },
        };
        true
    }

    /// Neither here nor there: the end of a list, or too little text.
    fn undecided(&mut self, held: &mut String) -> Progress {
        if held.starts_with(']') {
            // The list's end is no content.
            held.remove(0);
            return Progress::NoCall(String::new());
        }
        Progress::Needs
    }

    fn read_object(&mut self, held: &mut String, events: &mut Vec<Event>) -> Progress {
        let Form::Object { scan, sent } = &mut self.form else { return Progress::Needs };
        let end = held.char_indices().find(|(_, character)| scan.ends_with(*character));
        let taken = end.map_or(held.len(), |(index, _)| index + 1);
        self.text.extend(held.drain(..taken));
        if sent.is_none()
            && let Head::Named { name, arguments } = head(&self.text[self.start..])
        {
            if !self.tools.iter().any(|tool| tool.name == name) {
                return Progress::NoCall(std::mem::take(&mut self.text));
            }
            if let Some(at) = arguments {
                *sent = Some(Sent { to: self.start + at, scan: Scan::default(), is_whole: false });
                self.begin(name, events);
            }
        }
        self.send(events);
        match end {
            None => Progress::Needs,
            Some(_) if self.begun => Progress::Done,
            Some(_) => self.whole_object(events),
        }
    }

    /// A whole object whose arguments did not come behind its name.
    fn whole_object(&mut self, events: &mut Vec<Event>) -> Progress {
        let value: Value = serde_json::from_str(&self.text[self.start..]).unwrap_or_default();
        let name = value["name"].as_str().unwrap_or_default();
        if !self.tools.iter().any(|tool| tool.name == name) {
            return Progress::NoCall(std::mem::take(&mut self.text));
        }
        let arguments = ["arguments", "parameters"].iter().find_map(|key| value.get(*key));
        let text = match arguments {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "{}".into(),
        };
        self.begin(name.to_owned(), events);
        self.push_arguments(&text, events);
        Progress::Done
    }

    fn read_headed(&mut self, held: &mut String, events: &mut Vec<Event>) -> Progress {
        let Form::Headed { sent } = &mut self.form else { return Progress::Needs };
        if sent.is_none() {
            let Some(at) = held.find('{') else {
                self.text.push_str(held);
                held.clear();
                let is_long = self.text.len() - self.start > HEADER_BYTES_MAX;
                return if is_long { self.no_call() } else { Progress::Needs };
            };
            self.text.extend(held.drain(..at));
            let Some(name) = self.name_in_header() else { return self.no_call() };
            let to = self.text.len();
            self.form =
                Form::Headed { sent: Some(Sent { to, scan: Scan::default(), is_whole: false }) };
            self.begin(name, events);
        }
        let Form::Headed { sent: Some(sent) } = &self.form else { return Progress::Needs };
        let mut scan = sent.scan;
        let end = held.char_indices().find(|(_, character)| scan.ends_with(*character));
        let taken = end.map_or(held.len(), |(index, _)| index + 1);
        self.text.extend(held.drain(..taken));
        self.send(events);
        if end.is_some() { Progress::Done } else { Progress::Needs }
    }

    fn name_in_header(&self) -> Option<String> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let mut words = self.text[self.start..].split(|c| !is_name(c));
        words.find(|word| self.tools.iter().any(|tool| tool.name == *word)).map(str::to_owned)
    }

    fn read_tags(&mut self, held: &mut String, events: &mut Vec<Event>) -> Progress {
        const END: &str = "</function>";
        self.text.push_str(held);
        held.clear();
        let Some(end) = self.text[self.start..].find(END) else { return Progress::Needs };
        let end = self.start + end;
        held.push_str(&self.text[end + END.len()..]);
        self.text.truncate(end + END.len());
        let Some((tool, arguments)) = tags(&self.text[self.start..end], self.tools) else {
            return self.no_call();
        };
        self.begin(tool, events);
        self.push_arguments(&Value::Object(arguments).to_string(), events);
        Progress::Done
    }

    fn no_call(&mut self) -> Progress {
        Progress::NoCall(std::mem::take(&mut self.text))
    }

    fn begin(&mut self, name: String, events: &mut Vec<Event>) {
        self.begun = true;
        events.push(Event::ToolCall { index: self.index, name, tokens: 0 });
    }

    /// Hands on what came of the arguments.
    fn send(&mut self, events: &mut Vec<Event>) {
        let (Form::Object { sent: Some(sent), .. } | Form::Headed { sent: Some(sent) }) =
            &mut self.form
        else {
            return;
        };
        if sent.is_whole {
            return;
        }
        let fresh = &self.text[sent.to..];
        let end = fresh.char_indices().find(|(_, character)| sent.scan.ends_with(*character));
        let fresh = &fresh[..end.map_or(fresh.len(), |(index, _)| index + 1)];
        sent.to += fresh.len();
        sent.is_whole = end.is_some();
        let text = fresh.to_owned();
        self.push_arguments(&text, events);
    }

    fn push_arguments(&self, text: &str, events: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        if let Some(Event::ToolArguments { index, text: last, .. }) = events.last_mut()
            && *index == self.index
        {
            last.push_str(text);
            return;
        }
        events.push(Event::ToolArguments { index: self.index, text: text.into(), tokens: 0 });
    }
}

/// Name and arguments of `<function=f><parameter=a>…</parameter>`.
fn tags(text: &str, tools: &[Tool]) -> Option<(String, Map<String, Value>)> {
    let (name, mut rest) = text.strip_prefix("<function=")?.split_once('>')?;
    let tool = tools.iter().find(|tool| tool.name == name.trim())?;
    let mut arguments = Map::new();
    while let Some((_, after)) = rest.split_once("<parameter=") {
        let (key, after) = after.split_once('>')?;
        let (value, after) = after.split_once("</parameter>")?;
        let value = value.strip_prefix('\n').unwrap_or(value);
        let value = value.strip_suffix('\n').unwrap_or(value);
        arguments.insert(key.trim().to_owned(), typed(tool, key.trim(), value));
        rest = after;
    }
    Some((tool.name.clone(), arguments))
}

/// A value as the function's schema wants it: text where it says so or says nothing.
fn typed(tool: &Tool, key: &str, text: &str) -> Value {
    let schema = tool.parameters.as_ref().map(|schema| &schema["properties"][key]["type"]);
    let is_text = match schema {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        _ => false,
    };
    let parsed = if is_text { None } else { serde_json::from_str(text).ok() };
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}
