//! What the node tells the helper, and what the helper tells the node.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde::{Deserialize, Serialize};

use super::command::{Access, Bind};

/// A job, as the helper sets it up.
#[derive(Serialize, Deserialize)]
pub struct Spec {
    pub launch: Launch,
    pub enter: Enter,
}

/// From the outside.
#[derive(Serialize, Deserialize)]
pub struct Launch {
    pub bwrap: PathBuf,
    pub helper: PathBuf,
    /// The user to become is this plus the process id. `None`: stay who you are.
    pub uid_first: Option<u32>,
    pub binds: Vec<Bind>,
    pub disk_bytes: u64,
    pub disk_files: u64,
}

/// The numbers of the binds that are overlays, in the order in which their descriptors travel.
pub fn overlays(binds: &[Bind]) -> impl Iterator<Item = usize> {
    let binds = binds.iter().enumerate();
    binds.filter(|(_, bind)| bind.access == Access::Overlay).map(|(index, _)| index)
}

/// From the inside, just before the command.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enter {
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub directory: PathBuf,
    pub rlimits: Rlimits,
    pub landlock: Landlock,
}

/// Limits of each process.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Rlimits {
    pub file_bytes: u64,
    pub open_files: u64,
    pub processes: u64,
    /// Set where no cgroup limits memory.
    pub data_bytes: Option<u64>,
}

/// Landlock is required, or may fail, or is tried out: then `/tmp` is left out of what may be
/// written, which no other layer forbids.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Landlock {
    Required,
    Accepted,
    Probed,
}

/// A line on the status pipe.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The command is about to be executed behind every layer.
    Started {
        /// Does the kernel know all of Landlock's rules?
        landlock_whole: bool,
    },
    /// It could not be executed.
    NotExecuted(String),
    /// Landlock could not be enforced.
    NoLandlock(String),
    /// The helper failed before it came to that.
    Failed(String),
    /// Everything below the launcher is dead.
    Ended {
        /// As bubblewrap gives it: 128 + signal after a signal.
        code: Option<i32>,
        cpu_ms: u64,
    },
}

/// The last thing a pipe takes whole, with room to spare for JSON's escapes.
const TEXT_BYTES_MAX: usize = 1000;

impl Status {
    /// Writes one line, which a pipe takes whole. The node may be gone: nobody is left to tell.
    pub fn send(&self, mut pipe: impl Write) {
        if let Ok(mut line) = serde_json::to_vec(&self) {
            line.push(b'\n');
            let _ = pipe.write_all(&line);
        }
    }

    /// The lines in `bytes`; what is no line is left out.
    pub fn parse_all(bytes: &[u8]) -> Vec<Self> {
        bytes.split(|byte| *byte == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect()
    }
}

/// The beginning of `text`, short enough for a [`Status`].
pub fn short(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Bytes as a file that nobody can change any more, at its beginning.
///
/// # Errors
/// The kernel gives no file.
pub fn sealed(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("job", flags)?);
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&file, seals)?;
    Ok(file.into())
}

impl Spec {
    /// As a sealed file.
    ///
    /// # Errors
    /// A path is no UTF-8, or the kernel gives no file.
    pub fn to_file(&self) -> std::io::Result<OwnedFd> {
        sealed(&serde_json::to_vec(self)?)
    }

    /// # Errors
    /// The file is no spec.
    pub fn from_file(file: &File) -> std::io::Result<Self> {
        let mut file = file;
        let mut text = vec![];
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_no_status() {
        assert_eq!(Status::parse_all(b"hello\n{}\n\n\xff\n{\"Started\":"), []);
    }

    #[test]
    fn lines_come_back() {
        let mut pipe = vec![];
        Status::Started { landlock_whole: true }.send(&mut pipe);
        Status::Failed("a\nb".into()).send(&mut pipe);
        assert_eq!(
            Status::parse_all(&pipe),
            [Status::Started { landlock_whole: true }, Status::Failed("a\nb".into())]
        );
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short("short"), "short");
        assert_eq!(short(&"ä".repeat(700)).len(), 1000);
        assert_eq!(short(&format!("x{}", "ä".repeat(700))).len(), 999);
    }

    #[test]
    fn a_sealed_file_can_not_be_changed() {
        let mut file = File::from(sealed(b"abc").expect("a file"));
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
        let mut text = String::new();
        file.read_to_string(&mut text).expect("readable");
        assert_eq!(text, "abc");
    }
}
