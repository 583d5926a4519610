//! The jail's helper: sets one job up from the outside (`launch`) and from the inside (`enter`), and
//! is the command of the jail's own trials (`probe`). The node starts it; people have no use for it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    gaia_sandbox::jail::helper::main(std::env::args().skip(1))
}
