//! The OpenAPI document: what this node's routes take and answer, in OpenAPI 3.1.
//!
//! A route can only be added together with its [`Operation`] ([`Routes`]), so the document has every
//! route and no other. Bodies are described by hand ([`Schema`]) beside the code that reads them, and
//! a test holds each description to the names that this code asks for; answers that have a type are
//! described by that type.
//!
//! Proxies turn the document into tools for agents. For them: one `application/json` object a body,
//! names for all operations, and no property that is called `key`, which some of them drop.

mod document;
mod operation;
mod routes;
mod schema;
mod shared;

pub use self::document::Document;
pub use self::operation::{Operation, Tag};
pub use self::routes::Routes;
pub use self::schema::Schema;
