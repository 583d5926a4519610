//! The Rust toolchain that jobs are compiled with.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A toolchain's own folder. Jobs call its cargo directly: rustup's would need rustup's home, and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    root: PathBuf,
    version: String,
}

/// Why there is no toolchain.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// `rustc` can't be started.
    #[error("{} can't be asked where its toolchain is: {source}; install Rust, or name its folder", program.display())]
    Compiler {
        /// Which program was asked.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// `rustc` failed.
    #[error("{} gave no answer: {said}", program.display())]
    Answer {
        /// Which program was asked.
        program: PathBuf,
        /// Its own words.
        said: String,
    },
    /// A part of it is missing.
    #[error("the toolchain {} has no {part}: install it with rustup, or name another folder", root.display())]
    Part {
        /// Its folder.
        root: PathBuf,
        /// What is missing.
        part: &'static str,
    },
}

/// Without these nothing can be done.
const PARTS: [&str; 2] = ["bin/cargo", "bin/rustc"];

impl Toolchain {
    /// The toolchain in this folder, or the one whose `rustc` is found first.
    ///
    /// # Errors
    /// There is none, or it lacks cargo.
    pub fn find(root: Option<&Path>) -> Result<Self, ToolchainError> {
        let root = match root {
            Some(root) => root.to_owned(),
            None => PathBuf::from(ask(Path::new("rustc"), &["--print", "sysroot"])?.trim()),
        };
        if let Some(part) = PARTS.into_iter().find(|part| !root.join(part).is_file()) {
            return Err(ToolchainError::Part { root, part });
        }
        let version = ask(&root.join("bin/rustc"), &["-vV"])?;
        Ok(Self { root, version: version.trim().to_owned() })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What `rustc -vV` says.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its compiler.
    pub fn rustc(&self) -> PathBuf {
        self.root.join("bin/rustc")
    }

    /// Whether one of its programs is there.
    pub fn has_program(&self, name: &str) -> bool {
        self.root.join("bin").join(name).is_file()
    }

    /// Whether it has the standard library of a target.
    pub fn has_target(&self, triple: &str) -> bool {
        self.root.join("lib/rustlib").join(triple).join("lib").is_dir()
    }
}

/// Nothing of a user's is run: a program of the operator's, with our arguments.
fn ask(program: &Path, arguments: &[&str]) -> Result<String, ToolchainError> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output
        .map_err(|source| ToolchainError::Compiler { program: program.to_owned(), source })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(ToolchainError::Answer { program: program.to_owned(), said: text(&output.stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_toolchain_is_refused() {
        let error = Toolchain::find(Some(Path::new("/nowhere"))).expect_err("refused");
        assert!(error.to_string().contains("bin/cargo"), "{error}");
    }

    #[test]
    fn the_machines_toolchain_is_found() {
        let toolchain = Toolchain::find(None).expect("there is one");
        assert!(toolchain.version().starts_with("rustc "));
        assert!(toolchain.has_target("x86_64-unknown-linux-gnu"));
        assert!(!toolchain.has_target("z80-unknown-spectrum"));
    }
}
