//! Compiles and runs what strangers send, so that it can't hurt the machine.
#![forbid(unsafe_code)]
