//! Calls to other machines: downloads of large files, JSON calls, uploads and event streams.
//!
//! Rooms: [`download()`] with its [`Options`]; [`Client`] for [`Call`]s; [`Events`] read server-sent
//! events. Inside: `target` reads addresses and judges redirects, `address` tells public from private,
//! `http` owns the client, `sse` parses, `part` is a file that is not whole yet.
//!
//! Invariants: no call without a time-out and a limit on what is read; a file stands at its path only
//! when it is whole and verified; an address that came from a user reaches no private network
//! ([`PrivateAddresses::Refuse`]), whatever a name resolves to; a key follows no redirect to another
//! server; no error holds credentials or the query of a URL.
//! Absent on purpose: proxies from the environment, cookies, compressed answers, HTTP/2.
#![forbid(unsafe_code)]

mod address;
mod client;
mod download;
mod error;
mod events;
mod headers;
mod http;
mod sse;
mod target;

pub use address::PrivateAddresses;
pub use client::{Auth, Call, Client, ClientOptions, Method, Upload};
pub use download::{DownloadError, Downloaded, Options, Progress, Retry, download};
pub use error::{CallError, Refusal, TransportError};
pub use events::{EventLimits, Events};
pub use sse::{Event, SseError};
pub use target::base_url;
