//! What can be wrong with a project.

use serde::Serialize;

/// Why a project is refused. The text is for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectError {
    /// A path that may not be in a project.
    #[error("the path {path:?} is refused: {fault}")]
    Path {
        /// The path, cut if it is long.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// Two files that would be one on some machine.
    #[error(
        "{second:?} is there twice, or differs from {first:?} in upper and lower case alone, or one is a folder and the other a file"
    )]
    Duplicate {
        /// The path that came first.
        first: String,
        /// The path that came later.
        second: String,
    },
    /// More files than the limit.
    #[error("the project has more than {max} files")]
    TooManyFiles {
        /// The limit.
        max: usize,
    },
    /// One file above the limit.
    #[error("{path:?} has more than {max} bytes")]
    FileTooLarge {
        /// Which file.
        path: String,
        /// The limit.
        max: usize,
    },
    /// All files together above the limit.
    #[error("the files have more than {max} bytes together")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// Nothing to compile.
    #[error(
        "there is no Cargo.toml at the top of the project; add one, or send a single source file"
    )]
    NoManifest,
    /// Flat text without a block.
    #[error("the text has no line \"[filename: path]\"; put one before each file")]
    NoBlock,
    /// Flat text can't carry this file.
    #[error("{path:?} is no UTF-8 text; take the project as an archive")]
    NotText {
        /// Which file.
        path: String,
    },
    /// An archive that can't be unpacked, or may not be.
    #[error("the archive is refused: {0}")]
    Archive(ArchiveFault),
    /// A manifest that cargo could not read, or may not.
    #[error("{0}")]
    Manifest(ManifestProblem),
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum PathFault {
    /// Nothing, or a name that is nothing, as in `a//b`.
    #[error("a name in it is empty")]
    Empty,
    /// Begins at a root or a drive.
    #[error("it is absolute; paths begin at the top of the project")]
    Absolute,
    /// Goes up, or stays.
    #[error("it has \".\" or \"..\" in it")]
    Dots,
    /// A separator on some machines, and a letter on others.
    #[error("it has a backslash in it; folders are separated by \"/\"")]
    Backslash,
    /// A control character, NUL among them.
    #[error("it has a control character in it")]
    Control,
    /// Not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// More bytes than the limit.
    #[error("it is too long")]
    TooLong,
    /// More folders than the limit.
    #[error("it is too deep")]
    TooDeep,
    /// A character that can't be in a file's name everywhere.
    #[error(
        "it has a character that not every system allows in names, or a blank or dot at a name's end"
    )]
    Unportable,
    /// A name that means a device somewhere.
    #[error("it has a name that some systems keep for devices")]
    Reserved,
    /// A text that looks like another text.
    #[error(
        "it has invisible characters, letters in an unusual form, or letters of two scripts in one word"
    )]
    Confusable,
    /// `.cargo` and all below.
    #[error("a project may not bring settings for cargo")]
    CargoSettings,
    /// `rust-toolchain` and `rust-toolchain.toml`.
    #[error("a project may not choose the toolchain")]
    Toolchain,
    /// Folders of version control.
    #[error("version control's folders stay at home")]
    VersionControl,
    /// What cargo writes.
    #[error("the folder target is made by cargo; leave it out")]
    Target,
}

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveFault {
    /// Not such an archive, or a damaged one.
    #[error("it is damaged or no {format} archive: {reason}")]
    Damaged {
        /// `zip` or `tar.gz`.
        format: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// Something that is neither file nor folder.
    #[error("{path:?} is a link or a special file; only files and folders are taken")]
    Special {
        /// Which entry.
        path: String,
    },
    /// An entry that asks for a password.
    #[error("{path:?} is encrypted")]
    Encrypted {
        /// Which entry.
        path: String,
    },
    /// A bomb, or nearly.
    #[error("it unpacks to more than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// More entries than could hold the files.
    #[error("it has more than {max} entries")]
    TooManyEntries {
        /// The limit.
        max: usize,
    },
}

/// What is wrong with a manifest, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {fault}")]
pub struct ManifestProblem {
    /// Which manifest.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub fault: ManifestFault,
}

/// What is wrong in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// Not UTF-8.
    #[error("the manifest is not UTF-8")]
    NotUtf8,
    /// More bytes than the limit.
    #[error("the manifest has more than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
    /// Not TOML.
    #[error("{message}")]
    Syntax {
        /// What the parser said.
        message: String,
    },
    /// A key that a project may not set.
    #[error("{place:?} may not be set: {reason}")]
    Refused {
        /// The key with its tables.
        place: String,
        /// Why.
        reason: &'static str,
    },
    /// A key with a value of a wrong type.
    #[error("{place:?} should be {wanted}")]
    WrongType {
        /// The key with its tables.
        place: String,
        /// What is expected.
        wanted: &'static str,
    },
    /// A path that leaves the project.
    #[error("{place:?} points outside the project: {path:?}")]
    Outside {
        /// The key with its tables.
        place: String,
        /// The path as written.
        path: String,
    },
    /// A path dependency without a package.
    #[error("{place:?} is to be at {path:?}, and no Cargo.toml is there")]
    NotThere {
        /// The key with its tables.
        place: String,
        /// The path as written.
        path: String,
    },
    /// A requirement that is none.
    #[error("{place:?}: {text:?} is no version requirement: {reason}")]
    Requirement {
        /// The key with its tables.
        place: String,
        /// The requirement as written.
        text: String,
        /// What the parser said.
        reason: String,
    },
    /// More dependencies than a project may have.
    #[error("the project has more than {max} dependencies")]
    TooManyDependencies {
        /// The limit.
        max: usize,
    },
}

/// The beginning of a foreign text, for a message.
pub(super) fn excerpt(text: &str) -> String {
    let mut cut: String = text.chars().take(120).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
