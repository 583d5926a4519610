//! The rules of ARCHITECTURE.md that a compiler does not hold: layering, one crate per outside
//! library, sizes, and where `unsafe` may stand.

mod layering;
mod sizes;
mod sources;
mod text;
