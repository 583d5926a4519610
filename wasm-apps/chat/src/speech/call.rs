//! One function call, in whatever form it comes.
//!
//! | form | as in |
//! |---|---|
//! | `{"name": "f", "arguments": {…}}` | Hermes, Qwen, Llama, Mistral's list |
//! | `f[ARGS]{…}`, ``function<sep>f ```json {…}``` ``, `to=functions.f …{…}` | Mistral, DeepSeek, gpt-oss |
//! | `<function=f><parameter=a>…</parameter></function>` | Qwen3-Coder |
//!
//! A call is read character by character, so what it comes to can't depend on how its text was cut.

use gaia_app_sdk::{Event, Tool};

use super::header;
use super::json::{Found, Object, Scan};
use super::tags;
use crate::families::Meaning;

/// Bytes of a call that is not begun at most: arguments that stand before the name, or in tags. More
/// is no call. Two mebibytes are more than any context holds of arguments.
const HELD_BYTES_MAX: usize = 2 << 20;

/// What may end a call besides its own end.
#[derive(Clone, Copy, Debug)]
pub struct Marks {
    /// Those of the family.
    pub family: &'static [(&'static str, Meaning)],
    /// The one behind this call.
    pub close: Option<&'static str>,
}

impl Marks {
    /// The longest mark that a text ends with.
    fn at_end_of(self, text: &str) -> Option<&'static str> {
        let marks = self.family.iter().map(|(mark, _)| *mark).chain(self.close);
        marks.filter(|mark| text.ends_with(mark)).max_by_key(|mark| mark.len())
    }
}

/// A call on its way.
#[derive(Debug)]
pub struct Call<'a> {
    tools: &'a [Tool],
    marks: Marks,
    index: u32,
    /// All that was read and belongs to no form yet, to be given back if it is no call.
    text: String,
    form: Form,
    /// A list goes on: another object may come, or the list's end.
    goes_on: bool,
    /// What an object said its function is.
    name: Option<String>,
    begun: bool,
}

#[derive(Debug)]
enum Form {
    /// Not seen yet.
    Open,
    /// An object with name and arguments.
    Object(Object),
    /// A header with the name, then the arguments.
    Header(String),
    /// Tags.
    Tags(String),
    /// Arguments that are handed on as they come.
    Stream(Stream),
}

#[derive(Debug, Default)]
struct Stream {
    /// The call's end.
    outer: Scan,
    /// The arguments' end.
    inner: Scan,
    is_whole: bool,
    /// The last of what came behind the arguments.
    behind: String,
}

/// Bytes behind the arguments that are looked at for a mark; the longest has fewer.
const BEHIND_BYTES: usize = 128;

impl Stream {
    /// The mark that ends with this character, behind arguments that are whole.
    fn mark_behind(&mut self, character: char, marks: Marks) -> Option<&'static str> {
        if self.behind.len() >= BEHIND_BYTES {
            let half = self.behind.floor_char_boundary(BEHIND_BYTES / 2);
            self.behind.drain(..half);
        }
        self.behind.push(character);
        marks.at_end_of(&self.behind).filter(|_| !self.outer.is_in_string())
    }
}

/// How a call goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More text is needed.
    Needs,
    /// It is whole.
    Done,
    /// It is whole though its end is missing, for this mark came, which is to be read.
    DoneBefore(&'static str),
    /// It is no call but this text.
    NoCall(String),
    /// It is no call but this text, and a mark that is to be read.
    NoCallBefore(String, &'static str),
    /// There is no further call in the list, and this text is to be read anew.
    NoFurther(String),
}

impl<'a> Call<'a> {
    /// A call that begins with this mark, and with what is given back with it if it is none.
    pub fn new(tools: &'a [Tool], marks: Marks, index: u32, mark: String) -> Self {
        Self {
            tools,
            marks,
            index,
            text: mark,
            form: Form::Open,
            goes_on: false,
            name: None,
            begun: false,
        }
    }

    /// What may be the next call of a list.
    pub fn next_of_list(tools: &'a [Tool], marks: Marks, index: u32) -> Self {
        Self { goes_on: true, ..Self::new(tools, marks, index, String::new()) }
    }

    /// Takes the next character.
    pub fn read(&mut self, character: char, events: &mut Vec<Event>) -> Progress {
        if self.held_bytes() >= HELD_BYTES_MAX {
            return Progress::NoCall(self.take_text() + character.encode_utf8(&mut [0; 4]));
        }
        match self.form {
            Form::Open => self.open(character, events),
            Form::Object(_) => self.read_object(character, events),
            Form::Header(_) => self.read_header(character, events),
            Form::Tags(_) => self.read_tags(character, events),
            Form::Stream(_) => self.read_stream(character, events),
        }
    }

    /// What is left when the text ends: whether a call was begun, and text that was none.
    pub fn end(mut self) -> (bool, String) {
        if self.begun { (true, String::new()) } else { (false, self.take_text()) }
    }

    /// Bytes that wait for the call to begin.
    pub fn held_bytes(&self) -> usize {
        self.text.len()
            + match &self.form {
                Form::Open | Form::Stream(_) => 0,
                Form::Object(object) => object.text().len(),
                Form::Header(text) | Form::Tags(text) => text.len(),
            }
    }

    /// Finds out the form.
    fn open(&mut self, character: char, events: &mut Vec<Event>) -> Progress {
        match character {
            ' ' | '\n' | '\t' | '\r' | ',' | ';' => {
                self.text.push(character);
                return Progress::Needs;
            }
            '{' => self.form = Form::Object(Object::default()),
            // The list's end is no content.
            ']' if self.goes_on => return Progress::NoFurther(String::new()),
            _ if self.goes_on => {
                self.text.push(character);
                return Progress::NoFurther(self.take_text());
            }
            '[' => {
                self.text.push(character);
                return Progress::Needs;
            }
            '<' => self.form = Form::Tags(String::new()),
            _ => self.form = Form::Header(String::new()),
        }
        self.read(character, events)
    }

    fn read_object(&mut self, character: char, events: &mut Vec<Event>) -> Progress {
        let Form::Object(object) = &mut self.form else { return Progress::Needs };
        match object.push(character) {
            Found::Nothing => Progress::Needs,
            Found::Name(name) if is_tool(self.tools, &name) => {
                self.name = Some(name);
                Progress::Needs
            }
            Found::Name(_) => self.no_call(),
            Found::Arguments => {
                let outer = object.outside();
                self.stream(outer, character, events)
            }
            Found::End => self.whole_object(events),
        }
    }

    /// A whole object whose arguments did not come behind its name.
    fn whole_object(&mut self, events: &mut Vec<Event>) -> Progress {
        let Form::Object(object) = &self.form else { return Progress::Needs };
        let (Some(name), Some(arguments)) = (self.name.take(), object.whole_arguments()) else {
            return self.no_call();
        };
        self.whole(name, &arguments, events)
    }

    fn read_header(&mut self, character: char, events: &mut Vec<Event>) -> Progress {
        let Form::Header(text) = &mut self.form else { return Progress::Needs };
        if character != '{' {
            text.push(character);
            if let Some(mark) = self.mark_behind_no_name() {
                let mut text = self.take_text();
                text.truncate(text.len() - mark.len());
                return Progress::NoCallBefore(text, mark);
            }
            let is_long = self.held_bytes() > header::BYTES_MAX;
            return if is_long { self.no_call() } else { Progress::Needs };
        }
        let Some(name) = header::name(text, self.tools) else {
            text.push(character);
            return self.no_call();
        };
        self.name = Some(name);
        self.stream(Scan::default(), character, events)
    }

    /// A mark at the end of a header that says something else before it: only thought of, or spoken of.
    fn mark_behind_no_name(&self) -> Option<&'static str> {
        let Form::Header(text) = &self.form else { return None };
        let mark = self.marks.at_end_of(text)?;
        let before = &text[..text.len() - mark.len()];
        header::name(before, self.tools).is_none().then_some(mark)
    }

    fn read_tags(&mut self, character: char, events: &mut Vec<Event>) -> Progress {
        let Form::Tags(text) = &mut self.form else { return Progress::Needs };
        text.push(character);
        if text.len() <= tags::START.len() && !tags::START.starts_with(text.as_str()) {
            let held = std::mem::take(text);
            return self.header_instead(&held, events);
        }
        if character != '>' || !text.ends_with(tags::END) {
            return Progress::Needs;
        }
        match tags::read(text, self.tools) {
            Some((name, arguments)) => self.whole(name, &arguments, events),
            None => self.no_call(),
        }
    }

    /// What began like tags is none: it is read as a header.
    fn header_instead(&mut self, held: &str, events: &mut Vec<Event>) -> Progress {
        self.form = Form::Header(String::new());
        let mut progress = Progress::Needs;
        for character in held.chars() {
            progress = self.read(character, events);
        }
        progress
    }

    /// The arguments begin with this character. `outer` looks for the call's end.
    fn stream(&mut self, outer: Scan, character: char, events: &mut Vec<Event>) -> Progress {
        let name = self.name.take().unwrap_or_default();
        self.begin(name, events);
        self.form = Form::Stream(Stream { outer, ..Stream::default() });
        self.read_stream(character, events)
    }

    fn read_stream(&mut self, character: char, events: &mut Vec<Event>) -> Progress {
        let Form::Stream(stream) = &mut self.form else { return Progress::Needs };
        let ends = stream.outer.ends_with(character);
        if !stream.is_whole {
            stream.is_whole = stream.inner.ends_with(character);
            push_arguments(self.index, character.encode_utf8(&mut [0; 4]), events);
        } else if !ends && let Some(mark) = stream.mark_behind(character, self.marks) {
            return Progress::DoneBefore(mark);
        }
        if ends { Progress::Done } else { Progress::Needs }
    }

    fn whole(&mut self, name: String, arguments: &str, events: &mut Vec<Event>) -> Progress {
        self.begin(name, events);
        push_arguments(self.index, arguments, events);
        Progress::Done
    }

    fn begin(&mut self, name: String, events: &mut Vec<Event>) {
        (self.begun, self.text) = (true, String::new());
        events.push(Event::ToolCall { index: self.index, name, tokens: 0 });
    }

    fn no_call(&mut self) -> Progress {
        Progress::NoCall(self.take_text())
    }

    fn take_text(&mut self) -> String {
        let mut text = std::mem::take(&mut self.text);
        match std::mem::replace(&mut self.form, Form::Open) {
            Form::Object(object) => text.push_str(object.text()),
            Form::Header(held) | Form::Tags(held) => text.push_str(&held),
            Form::Open | Form::Stream(_) => {}
        }
        text
    }
}

/// Whether there is a function of this name.
pub fn is_tool(tools: &[Tool], name: &str) -> bool {
    tools.iter().any(|tool| tool.name == name)
}

/// Appends to a call's arguments, in the last event if that is of the same call.
fn push_arguments(call: u32, text: &str, events: &mut Vec<Event>) {
    if text.is_empty() {
        return;
    }
    if let Some(Event::ToolArguments { index, text: last, .. }) = events.last_mut()
        && *index == call
    {
        last.push_str(text);
        return;
    }
    events.push(Event::ToolArguments { index: call, text: text.into(), tokens: 0 });
}
