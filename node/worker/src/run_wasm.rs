//! `gaia-worker run-wasm FILE.wasm --end FILE --instructions N [--folder DIR] -- ARGS`: a stranger's
//! program, from inside the compile sandbox's jail. `gaia-worker libraries` tells that sandbox what this
//! program needs in there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use gaia_runtime::Program;
use serde_json::json;

/// The parsed command line.
#[derive(Debug)]
struct Arguments {
    program: Program,
    /// Where it is written how the program ended.
    end: PathBuf,
}

/// Runs the program, and writes down how it ended: an exit code can't tell a trap from a code.
///
/// # Errors
/// The command line, or the end can't be written down.
pub fn run(arguments: &[String]) -> Result<ExitCode> {
    let Arguments { program, end } = parse(arguments)?;
    let ended = serde_json::to_vec(&gaia_runtime::run_program(&program))?;
    std::fs::write(&end, ended).with_context(|| format!("writing {}", end.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn parse(arguments: &[String]) -> Result<Arguments> {
    let mut arguments = arguments.iter();
    let path = arguments.next().context("expected FILE.wasm")?.into();
    let (mut end, mut instructions) = (None, None);
    let (mut folder, mut rest) = (None, vec![]);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--end" => end = Some(value()?.into()),
            "--folder" => folder = Some(value()?.into()),
            "--instructions" => {
                instructions = Some(value()?.parse().context("--instructions needs a number")?);
            }
            "--" => {
                rest = arguments.cloned().collect();
                break;
            }
            other => bail!("unexpected {other:?}: the program's own arguments come after --"),
        }
    }
    let instructions_max = instructions.context("--instructions is missing")?;
    let program = Program { path, arguments: rest, folder, instructions_max };
    Ok(Arguments { program, end: end.context("--end is missing")? })
}

/// Prints the loader that started this program and the folders of its libraries, as JSON.
///
/// # Errors
/// The system does not tell.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub fn libraries() -> Result<()> {
    let maps = std::fs::read_to_string("/proc/self/maps").context("reading /proc/self/maps")?;
    let files = mapped_libraries(&maps);
    let is_loader = |file: &&PathBuf| {
        file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ld-"))
    };
    let loader = files.iter().find(is_loader).context("this program has no loader")?;
    let folders: BTreeSet<_> = files.iter().filter_map(|file| file.parent()).collect();
    println!("{}", json!({"loader": loader, "folders": folders}));
    Ok(())
}

/// Files that are named as libraries are.
fn mapped_libraries(maps: &str) -> BTreeSet<PathBuf> {
    let files = maps.lines().filter_map(|line| line.split_once('/').map(|(_, path)| path));
    let files = files.map(|path| Path::new("/").join(path));
    let is_library = |file: &PathBuf| {
        file.file_name().is_some_and(|name| name.to_string_lossy().contains(".so"))
    };
    files.filter(is_library).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, word) in [
            ("a.wasm --end /e", "--instructions"),
            ("a.wasm --instructions 1", "--end"),
            ("a.wasm --instructions x", "number"),
            ("a.wasm --folder", "value"),
            ("a.wasm x", "--"),
        ] {
            let error = parse(&words(line)).expect_err("refused").to_string();
            assert!(error.contains(word), "{error}");
        }
        let line = "a.wasm --end /e --instructions 7 -- --end x";
        assert_eq!(parse(&words(line)).expect("fine").program.arguments, ["--end", "x"]);
    }

    #[test]
    fn libraries_are_told_from_other_files() {
        let maps = "7f00-7f01 r-xp 00000000 fe:00 12   /usr/lib/libc.so.6\n\
            7f02-7f03 r-xp 00000000 fe:00 13   /opt/a b/ld-linux-x86-64.so.2\n\
            7f04-7f05 r--p 00000000 fe:00 14   /opt/gaia-worker\n7f06-7f07 rw-p 0 0:0 0 [heap]\n";
        let files: Vec<_> = mapped_libraries(maps).into_iter().collect();
        let expected = ["/opt/a b/ld-linux-x86-64.so.2", "/usr/lib/libc.so.6"];
        assert_eq!(files, expected.map(PathBuf::from));
    }
}
