//! A search that a model asks for while it answers.

use gaia_protocol::{ChatTask, Message, ModelKind, Role, Tool, ToolCall};
use serde::Deserialize;
use serde_json::json;

use super::ground::{RAG_PROMPT, Room, shown};
use super::{Citation, Passage, Plan, Sources, retrieve};
use crate::{Admission, CompletedCall, Completion, Node, ServeError};

/// What the function is called that a model searches with.
pub(crate) const SEARCH_FUNCTION: &str = "search_knowledge";

/// Bytes of a call's arguments at most: a question is a few words.
const ARGUMENTS_BYTES_MAX: usize = 4 << 10;

/// Calls of one turn that are searched for; models that call in parallel ask two or three.
const SEARCHES_PER_TURN: usize = 4;

const DESCRIPTION: &str = "Searches the knowledge base for passages that answer a question. Use it \
    before you answer whatever the knowledge base may know, and search again with other words if the \
    passages do not answer it. Cite passages by number, like [1].";

const NO_HIT: &str = "The knowledge base has nothing about this. Do not make up sources; say so if you can't answer.";

const NO_ROOM: &str = "There is no room for more passages: answer with what you have.";

const TOO_MANY: &str = "This was not searched for: too many searches at once.";

const LAST: &str = "\nThis was the last search: answer now.";

/// Searches as a plan says, for the models that answer one request.
#[derive(Clone)]
pub(crate) struct Lookup {
    node: Node,
    model: String,
    plan: Plan,
    sources: Sources,
}

/// A conversation in which searches are asked for.
#[derive(Default)]
pub(crate) struct Talk {
    /// What was said so far.
    pub(crate) task: ChatTask,
    /// Searches that were asked for so far.
    searches: usize,
    /// Tokens that their passages took.
    spent_tokens: usize,
}

/// What a model must write to search.
#[derive(Deserialize)]
struct Arguments {
    query: String,
}

impl Lookup {
    /// Searches for one request to `model`. They run under the permits of its answers: a full node
    /// lets no answer begin, but never starves one that has.
    pub(crate) fn new(node: &Node, model: Option<&str>, plan: Plan) -> Result<Self, ServeError> {
        node.knowledge()?;
        let model = node.models.choose(model, ModelKind::Chat)?.name().to_owned();
        let node = Node { admission: Admission::new(u32::MAX), ..node.clone() };
        Ok(Self { node, model, plan, sources: Sources::growing() })
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The function as a model is told of it.
    pub(crate) fn function() -> Tool {
        let query = json!({"type": "string", "description": "What to search for, in whole words."});
        let parameters =
            json!({"type": "object", "properties": {"query": query}, "required": ["query"]});
        Tool {
            name: SEARCH_FUNCTION.into(),
            description: Some(DESCRIPTION.into()),
            parameters: Some(parameters),
            strict: false,
        }
    }

    /// Searches for what a turn asks for, and adds the turn and what was found to the conversation.
    pub(crate) async fn go_on(self, mut talk: Talk, turn: Completion, is_last: bool) -> Talk {
        let calls: Vec<_> = turn.tool_calls.iter().filter(|call| is_search(call)).collect();
        let calls: Vec<_> = calls.into_iter().map(|call| talk.call(call)).collect();
        talk.task.messages.push(Message {
            role: Role::Assistant,
            content: turn.text,
            reasoning: Some(turn.reasoning).filter(|text| !text.is_empty()),
            tool_calls: calls.clone(),
            ..Message::default()
        });
        for (place, call) in calls.into_iter().enumerate() {
            let mut content = if place < SEARCHES_PER_TURN {
                self.told(&mut talk, &call).await
            } else {
                TOO_MANY.to_owned()
            };
            content.push_str(if is_last { LAST } else { "" });
            talk.answer(call, content);
        }
        talk
    }

    /// A failure is the model's to deal with.
    async fn told(&self, talk: &mut Talk, call: &ToolCall) -> String {
        let query = match serde_json::from_str(&call.arguments) {
            Ok(Arguments { query }) => query,
            Err(_) => {
                return format!(
                    "The search failed: give {{\"query\": \"…\"}}, of at most \
                     {ARGUMENTS_BYTES_MAX} bytes."
                );
            }
        };
        let found = self.search(talk, query).await;
        found.unwrap_or_else(|error| format!("The search failed: {error}"))
    }

    async fn search(&self, talk: &mut Talk, query: String) -> Result<String, ServeError> {
        let grounding = &self.plan.grounding;
        let retrieval = self.plan.retrieval(query);
        let passages = retrieve(&self.node, &retrieval).await?;
        self.sources.note(&retrieval.query, &passages);
        if passages.is_empty() {
            return Ok(grounding.no_hit_prompt.clone().unwrap_or_else(|| NO_HIT.into()));
        }
        let citations = self.fit(talk, passages).await?;
        if citations.is_empty() {
            return Ok(NO_ROOM.into());
        }
        let passages: Vec<_> = citations.iter().map(shown).collect();
        let rag_prompt = grounding.rag_prompt.as_deref().unwrap_or(RAG_PROMPT);
        Ok(format!("{rag_prompt}\n{}", passages.join("\n")))
    }

    /// As many passages as have room beside the conversation.
    async fn fit(
        &self,
        talk: &mut Talk,
        passages: Vec<Passage>,
    ) -> Result<Vec<Citation>, ServeError> {
        let mut grounding = self.plan.grounding.clone();
        let spent = u32::try_from(talk.spent_tokens).unwrap_or(u32::MAX);
        grounding.tokens_max = grounding.tokens_max.map(|tokens| tokens.saturating_sub(spent));
        let mut room = Room::beside(&self.node, Some(&self.model), &talk.task, &grounding).await?;
        let before = room.left();
        let mut citations = vec![];
        for passage in passages {
            let citation = self.sources.cite(passage);
            if room.take(&shown(&citation)).await? {
                citations.push(self.sources.add(citation.passage));
            }
        }
        talk.spent_tokens += before - room.left();
        Ok(citations)
    }
}

impl Talk {
    pub(crate) fn new(task: ChatTask) -> Self {
        Self { task, ..Self::default() }
    }

    /// A call with an id of nine letters and digits, which is what the strictest templates take. They
    /// read the arguments as JSON, too.
    fn call(&mut self, call: &CompletedCall) -> ToolCall {
        self.searches += 1;
        let fits = call.arguments.len() <= ARGUMENTS_BYTES_MAX
            && serde_json::from_str::<Arguments>(&call.arguments).is_ok();
        ToolCall {
            id: format!("search{:03}", self.searches),
            name: call.name.clone(),
            arguments: if fits { call.arguments.clone() } else { "{}".into() },
        }
    }

    fn answer(&mut self, call: ToolCall, content: String) {
        self.task.messages.push(Message {
            role: Role::Tool,
            content,
            name: Some(call.name),
            tool_call_id: Some(call.id),
            ..Message::default()
        });
    }
}

/// Whether a call is for the node and not for its client.
pub(crate) fn is_search(call: &CompletedCall) -> bool {
    call.name == SEARCH_FUNCTION
}
