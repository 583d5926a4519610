//! The third stage: a model proposes changes, several in a round, and hears why they were not taken.

use std::time::Duration;

use gaia_protocol::{ChatTask, Event, ModelKind, Sampling, Task};

use super::prompt::{STOP, Told, messages, region_messages};
use super::regions::{self, Region, regions};
use super::search::search;
use super::workshop::{Candidate, Tried, Workshop};
use super::{answer, recall};
use crate::answers::Batch;
use crate::build::Files;
use crate::coder::clock::before;
use crate::coder::{Edits, Progress, Stage};
use crate::{Answers, Gathering, ModelStatus, ServeError};

/// Tokens of one answer.
const ANSWER_TOKENS_MAX: u32 = 2048;
const ANSWER_TOKENS_MIN: u32 = 64;
/// Bytes of code that a token stands for at least, by and large.
const BYTES_PER_TOKEN: usize = 3;
/// The context of a model that does not tell.
const CONTEXT_TOKENS: u32 = 4096;
/// How often a model that has no room is asked again.
const PATIENCE_ROUNDS: u32 = 20;
/// Builds for the compiler's proposals after each round.
const SEARCH_BUILDS_MAX: u32 = 8;
const REASON_BYTES_MAX: usize = 200;

/// Parameters of a model that copies lines well enough for search and replace blocks.
const LARGE_PARAMETERS: u64 = 7_000_000_000;
/// Rounds in one form that help nothing before the other form is tried.
const ROUNDS_IN_VAIN_MAX: u32 = 2;

/// What came of a round.
enum Round {
    Answers(Vec<String>, Vec<Region>),
    TooLong,
    Over,
    Failed(String),
}

/// Lets the model try until the goal or the end of the budget is reached.
pub(super) async fn write(shop: &mut Workshop<'_>) {
    let name = shop.request.model.clone().or_else(|| shop.coder.model.clone());
    let Some(name) = name else {
        return shop.remark("There is no coding model that could go on.".to_owned());
    };
    let in_regions = begins_in_regions(shop, &name);
    let mut writer = Writer { name, objections: vec![], prompt_share: 1, in_regions, in_vain: 0 };
    let mut round = 1;
    while round <= shop.request.budget.attempts && shop.done().is_none() && !shop.is_over() {
        (shop.tell)(Progress::Writing { round });
        let (from, furthest) = (writer.start(shop), shop.furthest());
        match writer.round(shop, from).await {
            Round::Answers(answers, regions) => {
                writer.try_answers(shop, (from, &regions), answers).await;
            }
            Round::TooLong if writer.prompt_share < 8 => {
                writer.prompt_share *= 2;
                continue;
            }
            Round::TooLong => {
                return shop.remark("The model's context is too small for this.".to_owned());
            }
            Round::Over => return,
            Round::Failed(reason) => return shop.remark(format!("The model failed: {reason}.")),
        }
        search(shop, SEARCH_BUILDS_MAX).await;
        writer.change_form(shop, furthest);
        round += 1;
    }
    if shop.done().is_none() && !writer.objections.is_empty() {
        let last = writer.objections.swap_remove(0);
        shop.remark(format!("The model's last answer was not taken: {last}."));
    }
}

/// Whether the first round asks for regions: where nobody says otherwise, of small models.
fn begins_in_regions(shop: &Workshop<'_>, name: &str) -> bool {
    let is_small = || {
        let Ok(model) = shop.coder.node.models.find(name) else { return false };
        match model.status() {
            ModelStatus::Ready(card) if card.parameters > 0 => card.parameters < LARGE_PARAMETERS,
            // A model that another server holds does not tell its size, and is seldom a small one.
            _ => model.has_tokenizer(),
        }
    };
    match shop.coder.edits {
        Edits::Regions => true,
        Edits::Blocks => false,
        Edits::Auto => is_small(),
    }
}

struct Writer {
    name: String,
    /// Why the last answers were not taken.
    objections: Vec<String>,
    /// The prompt has this part of the room that there should be.
    prompt_share: usize,
    /// Whether the next answers are items written anew, or else blocks.
    in_regions: bool,
    /// Rounds in this form that brought nothing.
    in_vain: u32,
}

impl Writer {
    async fn round(&mut self, shop: &mut Workshop<'_>, from: usize) -> Round {
        let similar = recall::similar(shop, from).await;
        let fixes: Vec<_> = similar.into_iter().map(|(fix, _)| fix).collect();
        let context = self.context_tokens(shop) as usize;
        let room = context.saturating_sub(ANSWER_TOKENS_MAX as usize).max(context / 2);
        let told = Told {
            state: &shop.states[from],
            description: shop.request.description.as_deref(),
            fixes: &fixes,
            objections: &self.objections,
            drafted: shop.request.drafted,
            bytes_max: room * BYTES_PER_TOKEN / self.prompt_share,
        };
        let found = regions(told.state, told.drafted);
        let regions = if self.in_regions { found } else { vec![] };
        let ((messages, answer_bytes), stop) = match regions.is_empty() {
            true => (messages(&told), vec![]),
            false => (region_messages(&told, &regions), vec![STOP.to_owned()]),
        };
        let tokens = u32::try_from(answer_bytes / BYTES_PER_TOKEN).unwrap_or(ANSWER_TOKENS_MAX);
        let tokens = tokens.clamp(ANSWER_TOKENS_MIN, ANSWER_TOKENS_MAX);
        let task = ChatTask { messages, max_tokens: Some(tokens), stop, ..ChatTask::default() };
        match self.ask(shop, task).await {
            Round::Answers(answers, _) => Round::Answers(answers, regions),
            other => other,
        }
    }

    /// The state to go on from. Where tests fail after changes that were made by rule, these may be what
    /// is wrong: then the model sees the project as it came, every other time.
    fn start(&self, shop: &Workshop<'_>) -> usize {
        let furthest = shop.furthest();
        let is_guessed = shop.states[furthest].stage != Stage::Model;
        let is_suspect = shop.states[furthest].measure.compiles() && is_guessed;
        let turns = self.in_vain + u32::from(is_suspect);
        if turns % 2 == 1 && !shop.states[0].measure.compiles() { 0 } else { furthest }
    }

    /// Goes over to the other form where this one brought nothing some times.
    fn change_form(&mut self, shop: &Workshop<'_>, before: usize) {
        self.in_vain = if shop.furthest() == before { self.in_vain + 1 } else { 0 };
        if shop.coder.edits == Edits::Auto && self.in_vain >= ROUNDS_IN_VAIN_MAX {
            (self.in_regions, self.in_vain) = (!self.in_regions, 0);
        }
    }

    fn context_tokens(&self, shop: &Workshop<'_>) -> u32 {
        let model = shop.coder.node.models.choose(Some(&self.name), ModelKind::Chat);
        match model.map(|model| model.status()) {
            Ok(ModelStatus::Ready(card)) => card.context_tokens,
            _ => CONTEXT_TOKENS,
        }
    }

    /// Asks for as many answers as tokens are left for; with less room, for fewer.
    async fn ask(&self, shop: &mut Workshop<'_>, mut task: ChatTask) -> Round {
        let mut count = shop.request.budget.candidates.max(1);
        for _ in 0..PATIENCE_ROUNDS {
            let used = u32::try_from(shop.spent.completion_tokens).unwrap_or(u32::MAX);
            let left = shop.request.budget.tokens.saturating_sub(used);
            count = count.min((left / ANSWER_TOKENS_MIN).max(1));
            let each = task.max_tokens.unwrap_or(ANSWER_TOKENS_MAX).min(left / count);
            if each < ANSWER_TOKENS_MIN {
                shop.remark("The model's tokens are used up.".to_owned());
                return Round::Over;
            }
            task.max_tokens = Some(each);
            let tasks =
                (0..count).map(|choice| Task::Chat(sampled(task.clone(), choice))).collect();
            let batch = Batch { tasks, choices_per_prompt: count, lookup: None };
            let wait = match Answers::start(&shop.coder.node, Some(&self.name), batch) {
                Ok(answers) => match self.collect(shop, answers).await {
                    Err(ServeError::Overloaded { retry_after }) => retry_after,
                    Err(ServeError::Unavailable { retry_after, .. }) => retry_after,
                    Err(ServeError::PromptTooLong { .. }) => return Round::TooLong,
                    Err(ServeError::TimeLimit) => return Round::Over,
                    Err(error) => return Round::Failed(error.to_string()),
                    Ok(texts) => return Round::Answers(texts, vec![]),
                },
                Err(ServeError::Overloaded { .. } | ServeError::Invalid { .. }) if count > 1 => {
                    count /= 2;
                    continue;
                }
                Err(ServeError::Overloaded { retry_after }) => retry_after,
                Err(ServeError::Unavailable { retry_after, .. }) => retry_after,
                Err(error) => return Round::Failed(error.to_string()),
            };
            if shop.is_over() {
                return Round::Over;
            }
            pause(shop, wait).await;
        }
        Round::Failed("it had no room for a long time".to_owned())
    }

    /// Waits for all answers, until the time is over.
    async fn collect(
        &self,
        shop: &mut Workshop<'_>,
        mut answers: Answers,
    ) -> Result<Vec<String>, ServeError> {
        shop.model = Some(answers.model().to_owned());
        let mut open: Vec<_> = (0..answers.count()).map(|_| Gathering::default()).collect();
        let mut texts = vec![];
        let mut has_prompt = false;
        loop {
            let alarm = shop.coder.clock.until(shop.deadline());
            let Some(next) = before(alarm, answers.next()).await else {
                shop.remark("The model was still writing.".to_owned());
                return Err(ServeError::TimeLimit);
            };
            let Some(next) = next else { return Ok(texts) };
            let (choice, event) = next?;
            let tokens = tokens_of(&event);
            shop.spent.completion_tokens += u64::from(tokens);
            if let Event::Prompt { tokens, .. } = event {
                let new = !std::mem::replace(&mut has_prompt, true);
                shop.spent.prompt_tokens += if new { u64::from(tokens) } else { 0 };
            }
            let gathering = open.get_mut(choice as usize);
            if let Some(completion) = gathering.and_then(|gathering| gathering.take(event)) {
                texts.push(completion.text);
            }
        }
    }

    async fn try_answers(
        &mut self,
        shop: &mut Workshop<'_>,
        (from, regions): (usize, &[Region]),
        answers: Vec<String>,
    ) {
        self.objections.clear();
        let mut candidates = vec![];
        for text in answers {
            match changed(&shop.states[from].files, regions, &text) {
                Ok((files, words)) => {
                    let reason = reason(&words);
                    candidates.push(Candidate { files, stage: Stage::Model, reason });
                }
                Err(reason) => {
                    shop.refuse(from, &reason);
                    self.objections.push(reason);
                }
            }
        }
        for tried in shop.try_all(from, candidates).await {
            match tried {
                Tried::Refused(reason) => self.objections.push(reason),
                Tried::Worse(_) => {
                    let said = shop.attempts.last().map_or("", |attempt| attempt.output.as_str());
                    self.objections.push(format!("it is no better: {said}"));
                }
                Tried::Known => self.objections.push("it was tried before".to_owned()),
                Tried::Kept(_) | Tried::Late => {}
            }
        }
        self.objections.dedup();
    }
}

/// The files that an answer makes, and what it says beside.
///
/// # Errors
/// Why it makes none.
fn changed(files: &Files, regions: &[Region], text: &str) -> Result<(Files, String), String> {
    if regions.is_empty() {
        let answered = answer::read(text);
        return Ok((answer::apply(files, &answered)?, answered.words));
    }
    let (words, code) = regions::code(text).ok_or("the answer has no block of code")?;
    Ok((regions::replaced(files, regions, &code)?, words))
}

/// The first answer is the likeliest one; the others differ.
fn sampled(task: ChatTask, choice: u32) -> ChatTask {
    let temperature = if choice == 0 { 0.0 } else { 0.7 };
    let sampling =
        Sampling { temperature: Some(temperature), seed: Some(choice), ..Sampling::default() };
    ChatTask { sampling, ..task }
}

fn tokens_of(event: &Event) -> u32 {
    match event {
        Event::Delta { tokens, .. }
        | Event::ToolCall { tokens, .. }
        | Event::ToolArguments { tokens, .. } => *tokens,
        _ => 0,
    }
}

/// The model's first sentence.
fn reason(words: &str) -> String {
    let line = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut reason = line.trim_end_matches([':', '.']).to_owned();
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

async fn pause(shop: &Workshop<'_>, wait: Duration) {
    let clock = &shop.coder.clock;
    let moment = clock.now().saturating_add(wait.max(Duration::from_millis(100)));
    clock.until(moment.min(shop.deadline())).await;
}
