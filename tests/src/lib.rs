//! What the end-to-end tests share: a running node, a plain HTTP client, a reader of event streams.
#![forbid(unsafe_code)]
