//! The crates that a project may depend on.
//!
//! `config/crates.toml` lists them ([`Catalog`]); `scripts/setup` fetches them with all they need and
//! writes down what came ([`Index`]), then compiles common sets of them ([`Prebuilt`]). A job sees only
//! the crates that its project can reach: cargo reads every manifest of a folder of crates, and doing so
//! for all of them takes longer than checking a small program. [`JobLayout`] says which files and links
//! that makes in the job's folder.
//!
//! What was compiled before counts for cargo as long as it lies where it lay: sources, cargo's home
//! and the folder of results have the paths of [`layout`] in jobs and in setup alike.

mod error;
mod index;
pub mod layout;
mod list;
mod manifests;
mod nearest;
mod prebuilt;
mod together;

pub use error::{CatalogError, CatalogProblem};
pub use index::{Index, Package};
pub use layout::JobLayout;
pub use list::{Catalog, Listed};
pub use manifests::{fetch_manifest, set_manifests};
pub use prebuilt::{Prebuilt, Unit};
pub use together::with_features_together;
