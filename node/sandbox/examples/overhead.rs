//! What the jail adds to an empty command: the bare command and the job in turn, medians of both.
//! Build and run with `--release`; the helper must be built too: `--bins`.

use std::io::Write;
use std::process::{Command as Program, ExitCode};
use std::time::{Duration, Instant};

use gaia_sandbox::jail::{Cancel, Command, Jail, Settings};

const ROUNDS: usize = 101;

fn main() -> ExitCode {
    match measure() {
        Ok(text) if std::io::stdout().write_all(text.as_bytes()).is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<String, Box<dyn std::error::Error>> {
    let path = std::env::current_exe()?;
    let folder = path.parent().and_then(|path| path.parent()).ok_or("no folder")?;
    let jail = Jail::new(Settings::new(folder.join("gaia-jail")))?;
    let (mut bare, mut jailed) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        Program::new("/bin/true").output()?;
        bare.push(start.elapsed());
        let start = Instant::now();
        jail.run(&Command::new(["/bin/true"]), &Cancel::never())?;
        jailed.push(start.elapsed());
    }
    let [bare, jailed] = [bare, jailed].map(summary);
    Ok(format!(
        "ms, median (best, 9 of 10) of {ROUNDS}\nbare   {}\njailed {}\n",
        show(bare),
        show(jailed)
    ))
}

fn summary(mut times: Vec<Duration>) -> [Duration; 3] {
    times.sort();
    [times[times.len() / 2], times[0], times[times.len() * 9 / 10]]
}

fn show([median, best, high]: [Duration; 3]) -> String {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    format!("{:6.1} ({:.1}, {:.1})", ms(median), ms(best), ms(high))
}
