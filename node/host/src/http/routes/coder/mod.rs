//! Rust Coder's use cases over HTTP: repairing, generating, explaining and scoring, and Rust Coder's own
//! API over the first two.

mod budget;
mod deliver;
mod describe;
mod desk;
mod errors;
mod explain;
mod generate;
mod repair;
mod rust_coder;
mod score;
pub mod wire;

pub use self::describe::made;
use crate::http::openapi::Routes;

/// The routes.
pub fn router() -> Routes {
    Routes::default()
        .route(describe::repair(), repair::post)
        .route(describe::generate(), generate::post)
        .route(describe::explain(), explain::post)
        .route(describe::score(), score::post)
        .merge(rust_coders())
}

/// Rust Coder's own.
fn rust_coders() -> Routes {
    use rust_coder::describe;
    Routes::default()
        .route(describe::compile_and_fix(), rust_coder::compile_and_fix)
        .route(describe::generate(), rust_coder::generate)
        .route(describe::generate_sync(), rust_coder::generate_sync)
        .route(describe::project(), rust_coder::project)
        .route(describe::file(), rust_coder::file)
        .route(describe::download(), rust_coder::download)
}
