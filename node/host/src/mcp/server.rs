//! The protocol's server: what it offers, and each request to its place.

use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, DetailedTask, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult, Implementation,
    JsonObject, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, TaskPayload, Tool, UpdateTaskParams,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use serde_json::Value;

use super::call::{self, Held, Waiting};
use super::jobs::Seen;
use super::tools::WAIT_FOR_JOB;
use super::{Shared, answer, prompts, resources, streamable};
use crate::store::Owner;

const INSTRUCTIONS: &str = "Compiles, tests and runs Rust in a sandbox without network. Code is one \
    source file, or several files, each after a line `[filename: src/main.rs]`; name crates in a \
    `[filename: Cargo.toml]`. A call that takes long hands back a job: pass it to wait_for_job.";

/// What one client, or one request, talks to.
#[derive(Clone)]
pub struct Server {
    shared: Arc<Shared>,
    /// Whose session it is, where requests don't say.
    owner: Owner,
}

impl Server {
    /// A server for a client of this owner.
    pub fn new(shared: Arc<Shared>, owner: Owner) -> Self {
        Self { shared, owner }
    }

    /// Whose request it is: over HTTP each says so itself.
    fn owner(&self, context: &RequestContext<RoleServer>) -> Owner {
        let parts = context.extensions.get::<Parts>();
        let owner = parts.and_then(|parts| parts.extensions.get::<Owner>());
        owner.unwrap_or(&self.owner).clone()
    }

    fn begin(&self, owner: &Owner, request: CallToolRequestParams) -> Result<String, Refused> {
        let entry = self.shared.tools.get(&request.name).ok_or(Refused::NoSuchTool)?;
        let arguments = request.arguments.unwrap_or_default();
        let work = (entry.begin)(&self.shared, owner, arguments).map_err(Refused::Arguments)?;
        let begun = self.shared.jobs.begin(owner, work);
        begun.map_err(|full| Refused::Full(full.to_string()))
    }

    async fn wait(
        &self,
        context: RequestContext<RoleServer>,
        held: Held<'_>,
    ) -> Result<CallToolResponse, ErrorData> {
        let key = streamable::call_key(&self.owner(&context), &context);
        let (_place, taken_back) = self.shared.running.enter(key);
        let config = &self.shared.config;
        let (patience, keep) = (config.answer_time, config.jobs.keep);
        Waiting { context, taken_back, patience, keep }.run(held).await
    }
}

/// Why a call was not begun.
enum Refused {
    NoSuchTool,
    Arguments(String),
    Full(String),
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_resources()
            .enable_tasks()
            .build();
        let version = env!("CARGO_PKG_VERSION");
        let own = Implementation::new("gaia-node", version).with_title("Gaia node: Rust Coder");
        ServerConfig::new(capabilities).with_server_info(own).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.shared.tools.list()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.shared.tools.get(name).map(|entry| entry.tool.clone())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let owner = self.owner(&context);
        if request.name == WAIT_FOR_JOB {
            return match super::tools::wait::job(request.arguments.unwrap_or_default()) {
                Ok(job) => self.wait(context, Held::known(&self.shared.jobs, &owner, job)).await,
                Err(reason) => Ok(answer::failure(&reason).into()),
            };
        }
        match self.begin(&owner, request) {
            Ok(job) => self.wait(context, Held::new(&self.shared.jobs, &owner, job)).await,
            Err(Refused::Arguments(reason) | Refused::Full(reason)) => {
                Ok(answer::failure(&reason).into())
            }
            Err(Refused::NoSuchTool) => {
                let names = self.shared.tools.names();
                let message = format!("there is no such tool; the tools are: {names}");
                Err(ErrorData::invalid_params(message, None))
            }
        }
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        let id = &request.task_id;
        let seen = self.shared.jobs.look(&self.owner(&context), id);
        let seen = seen.ok_or_else(|| ErrorData::invalid_params(call::unknown(id), None))?;
        let task = call::task(id, &seen, self.shared.config.jobs.keep);
        Ok(GetTaskResult::new(DetailedTask::new(task, payload(&seen))))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // No task here asks for anything: what is sent is for nobody, which is no error.
        let seen = self.shared.jobs.look(&self.owner(&context), &request.task_id);
        seen.map(drop).ok_or_else(|| unknown_task(&request.task_id))
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        let was_there = self.shared.jobs.remove(&self.owner(&context), &request.task_id);
        if was_there { Ok(()) } else { Err(unknown_task(&request.task_id)) }
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        Ok(prompts::get(&request.name, &arguments, &self.shared.tools)?.into())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        resources::list(&self.shared).await.map(ListResourcesResult::with_all_items)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let owner = self.owner(&context);
        let read = resources::read(&self.shared, &owner, &request.uri);
        tokio::select! {
            read = read => Ok(read?.into()),
            () = context.ct.cancelled() => Err(ErrorData::invalid_request("cancelled", None)),
        }
    }

    async fn on_initialized(&self, _: rmcp::service::NotificationContext<RoleServer>) {}
}

/// What became of a job. Whether its work is over is asked first: an answer is there before that.
fn payload(seen: &Seen) -> TaskPayload {
    let is_over = seen.progress.has_changed().is_err();
    let answer = seen.progress.borrow().answer.clone();
    match answer {
        Some(answer) => TaskPayload::Completed { result: object(answer.as_ref()) },
        None if is_over => {
            let error = ErrorData::internal_error("this call failed inside the node", None);
            TaskPayload::Failed { error: object(&error) }
        }
        None => TaskPayload::Working,
    }
}

fn unknown_task(id: &str) -> ErrorData {
    ErrorData::invalid_params(call::unknown(id), None)
}

fn object(value: &impl serde::Serialize) -> JsonObject {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => JsonObject::new(),
    }
}

#[cfg(test)]
mod tests {
    use rmcp::model::CallToolResult;
    use tokio::sync::watch;

    use super::*;
    use crate::mcp::jobs::Progress;

    #[test]
    fn what_has_answered_is_completed_and_what_went_without_has_failed() {
        let (sender, progress) = watch::channel(Progress::default());
        let seen = Seen { progress, begun_at: String::new() };
        assert!(matches!(payload(&seen), TaskPayload::Working));
        sender.send_modify(|progress| progress.steps += 1);
        assert!(matches!(payload(&seen), TaskPayload::Working));
        let answer = Arc::new(CallToolResult::success(vec![]));
        sender.send_modify(|progress| progress.answer = Some(answer));
        assert!(matches!(payload(&seen), TaskPayload::Completed { .. }));
        drop(sender);
        assert!(matches!(payload(&seen), TaskPayload::Completed { .. }), "the work is over");
        let (sender, progress) = watch::channel(Progress::default());
        let seen = Seen { progress, begun_at: String::new() };
        sender.send_modify(|progress| progress.steps += 1);
        drop(sender);
        assert!(matches!(payload(&seen), TaskPayload::Failed { .. }));
    }
}
