//! Downloads and calls to other servers.
#![forbid(unsafe_code)]
