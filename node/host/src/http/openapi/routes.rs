//! Routes with their descriptions.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::on;

use super::Operation;
use crate::http::State;
use crate::http::routes::admin::guard;

/// Routes, and what the document says of them.
#[derive(Default)]
pub struct Routes {
    router: Router<Arc<State>>,
    operations: Vec<Operation>,
}

impl Routes {
    /// The same with the route of `operation`, which `handler` answers.
    pub fn route<H, T>(mut self, operation: Operation, handler: H) -> Self
    where
        H: Handler<T, Arc<State>>,
        T: 'static,
    {
        let mut method = on(operation.filter(), handler);
        if operation.is_upload() {
            // It has a limit of its own, and is not held in memory.
            method = method.layer(DefaultBodyLimit::disable());
        }
        self.router = self.router.route(operation.path(), method);
        self.operations.push(operation);
        self
    }

    /// These and those.
    pub fn merge(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.operations.extend(others.operations);
        self
    }

    /// The same, for those alone who may manage the node.
    pub fn guarded(self, state: &Arc<State>) -> Self {
        Self {
            router: self.router.route_layer(from_fn_with_state(Arc::clone(state), guard::check)),
            operations: self.operations.into_iter().map(Operation::for_admins).collect(),
        }
    }

    /// What the document is made of.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The routes alone.
    pub fn into_router(self) -> Router<Arc<State>> {
        self.router
    }
}
