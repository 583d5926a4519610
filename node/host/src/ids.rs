//! Names for answers and requests.

use std::time::{SystemTime, UNIX_EPOCH};

/// `prefix` and 24 random hexadecimal digits.
pub fn new_id(prefix: &str) -> String {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).expect("the system has random numbers: the keys need them too");
    bytes.iter().fold(prefix.to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// Seconds since 1970.
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
