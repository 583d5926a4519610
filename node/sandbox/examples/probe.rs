//! Prints every layer of the jail as it holds here. The helper must be built: `--bins`.

use std::io::Write;
use std::process::ExitCode;

use gaia_sandbox::jail::{Jail, Settings};

fn main() -> ExitCode {
    let path = std::env::current_exe().ok();
    let folder = path.as_ref().and_then(|path| path.parent()?.parent());
    let helper = folder.map(|folder| folder.join("gaia-jail")).unwrap_or_default();
    match Jail::new(Settings::new(helper)).map(|jail| jail.probe()) {
        Ok(report) => {
            let told = write!(std::io::stdout(), "{report}");
            if told.is_ok() && report.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
