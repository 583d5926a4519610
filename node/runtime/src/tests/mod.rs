//! Guests written as text, in a real WasmEdge, over a fake model.

mod apps;
mod cache;
mod guest;
mod hostile;
mod limits;
mod pointers;
mod requests;
