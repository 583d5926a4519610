//! Makes a tar file of a folder: always in the same order, with the same headers, so that the same
//! content is the same bytes.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tar::{EntryType, GnuExtSparseHeader, Header};

use crate::compression::{Compression, Writer};
use crate::holes::{Run, runs};
use crate::newfile::NewFile;

const BLOCK_BYTES: u64 = 512;
/// The field for a path in a header; a longer path gets an entry of its own.
const NAME_BYTES: usize = 100;
/// Runs that a header holds itself, and those of each further block.
const RUNS_IN_HEADER: usize = 4;
const RUNS_IN_BLOCK: usize = 21;
const LONG_NAME: &str = "././@LongLink";

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Regular files.
    pub files: u64,
    /// Their bytes, holes included.
    pub bytes: u64,
}

/// A folder was not packed; nothing is left of the file.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A link, pipe, socket or device.
    #[error("{path} is neither file nor folder; leave it out by the filter or remove it")]
    Special {
        /// Its path.
        path: String,
    },
    /// A name that could not be unpacked.
    #[error("{path:?} is no name for other machines: it must be UTF-8 without control characters")]
    BadPath {
        /// Its path.
        path: String,
    },
    /// A file was written while it was packed.
    #[error("{path} changed while it was packed; stop what writes to it and try again")]
    Changed {
        /// Its path.
        path: String,
    },
    /// A file or folder can't be read or written.
    #[error("can't {attempted} {path}: {source}")]
    File {
        /// What was attempted.
        attempted: &'static str,
        /// On which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

impl PackError {
    fn file(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PackError {
        move |source| Self::File { attempted, path: path.display().to_string(), source }
    }
}

/// Packs what is in `dir` to `file`, which replaces one that stands there. `filter` is asked for each
/// path, relative to `dir`; a folder that it leaves out is left out with all that is in it. Holes take
/// no room in the archive.
///
/// # Errors
/// See [`PackError`].
pub fn pack(
    dir: &Path,
    file: &Path,
    compression: Compression,
    filter: &dyn Fn(&Path) -> bool,
) -> Result<Packed, PackError> {
    let target = NewFile::create(file).map_err(PackError::file("make", file))?;
    let writer = Writer::new(compression, BufWriter::with_capacity(256 << 10, target));
    let writer = writer.map_err(PackError::file("write", file))?;
    let packed = Packed { files: 0, bytes: 0 };
    let mut packing = Packing { dir, file, filter, writer, packed };
    packing.walk()?;
    packing.finish()
}

struct Packing<'a> {
    dir: &'a Path,
    file: &'a Path,
    filter: &'a dyn Fn(&Path) -> bool,
    writer: Writer<BufWriter<NewFile>>,
    packed: Packed,
}

impl Packing<'_> {
    /// Goes down in the order of names; each folder comes before what is in it.
    fn walk(&mut self) -> Result<(), PackError> {
        let mut waiting = self.children(Path::new(""))?;
        while let Some(path) = waiting.pop() {
            let full = self.dir.join(&path);
            let metadata = fs::symlink_metadata(&full).map_err(PackError::file("read", &full))?;
            if metadata.is_dir() {
                self.folder(&path)?;
                waiting.append(&mut self.children(&path)?);
            } else if metadata.is_file() {
                self.regular(&path)?;
            } else {
                return Err(PackError::Special { path: path.display().to_string() });
            }
        }
        Ok(())
    }

    /// What is in a folder and wanted, the last first.
    fn children(&self, folder: &Path) -> Result<Vec<PathBuf>, PackError> {
        let full = self.dir.join(folder);
        let failed = |error| PackError::file("read", &full)(error);
        let mut children = vec![];
        for child in fs::read_dir(&full).map_err(failed)? {
            let path = folder.join(child.map_err(failed)?.file_name());
            if (self.filter)(&path) && !self.is_ours(&path) {
                children.push(path);
            }
        }
        children.sort_unstable_by(|one, other| other.as_os_str().cmp(one.as_os_str()));
        Ok(children)
    }

    /// The archive may be made in the folder that it is made of.
    fn is_ours(&self, path: &Path) -> bool {
        let ours = match &self.writer {
            Writer::None(file) => file.get_ref(),
            Writer::Gzip(encoder) => encoder.get_ref().get_ref(),
            Writer::Zstd(encoder) => encoder.get_ref().get_ref(),
        };
        fs::symlink_metadata(self.dir.join(path)).is_ok_and(|there| ours.is(&there))
    }

    fn folder(&mut self, path: &Path) -> Result<(), PackError> {
        let mut header = new_header(EntryType::Directory, 0o755);
        self.header(path, &mut header)
    }

    fn regular(&mut self, path: &Path) -> Result<(), PackError> {
        let full = self.dir.join(path);
        let failed = |error| PackError::file("read", &full)(error);
        let file = open(&full).map_err(failed)?;
        let before = file.metadata().map_err(failed)?;
        let runs = runs(&file, before.len()).map_err(failed)?;
        match runs.as_slice() {
            [] if before.len() == 0 => self.dense(path, &file, 0)?,
            [run] if run.bytes == before.len() => self.dense(path, &file, run.bytes)?,
            _ => self.sparse(path, &file, (runs, before.len()))?,
        }
        let after = file.metadata().map_err(failed)?;
        if after.len() != before.len() || after.modified().ok() != before.modified().ok() {
            return Err(changed(path));
        }
        self.packed.files += 1;
        self.packed.bytes += before.len();
        Ok(())
    }

    fn dense(&mut self, path: &Path, file: &File, size: u64) -> Result<(), PackError> {
        let mut header = new_header(EntryType::Regular, 0o644);
        header.set_size(size);
        self.header(path, &mut header)?;
        self.body(path, file, &[Run { offset: 0, bytes: size }])
    }

    fn sparse(
        &mut self,
        path: &Path,
        file: &File,
        (mut runs, size): (Vec<Run>, u64),
    ) -> Result<(), PackError> {
        let mut header = new_header(EntryType::GNUSparse, 0o644);
        header.set_size(runs.iter().map(|run| run.bytes).sum());
        // The end of the file, where a hole is last.
        runs.push(Run { offset: size, bytes: 0 });
        let (first, further) = runs.split_at(runs.len().min(RUNS_IN_HEADER));
        let gnu = header.as_gnu_mut().expect("it was made as a GNU header");
        gnu.set_real_size(size);
        gnu.set_is_extended(!further.is_empty());
        for (field, run) in gnu.sparse.iter_mut().zip(first) {
            field.set_offset(run.offset);
            field.set_length(run.bytes);
        }
        self.header(path, &mut header)?;
        self.further_runs(further)?;
        self.body(path, file, &runs)
    }

    fn further_runs(&mut self, runs: &[Run]) -> Result<(), PackError> {
        let mut blocks = runs.chunks(RUNS_IN_BLOCK).peekable();
        while let Some(runs) = blocks.next() {
            let mut block = GnuExtSparseHeader::new();
            block.set_is_extended(blocks.peek().is_some());
            for (field, run) in block.sparse_mut().iter_mut().zip(runs) {
                field.set_offset(run.offset);
                field.set_length(run.bytes);
            }
            self.write(block.as_bytes())?;
        }
        Ok(())
    }

    /// Writes the header, behind an entry for the path if that is long.
    fn header(&mut self, path: &Path, header: &mut Header) -> Result<(), PackError> {
        let name = name_of(path, header.entry_type())?;
        if name.len() > NAME_BYTES {
            let mut long = new_header(EntryType::GNULongName, 0o644);
            long.set_size(name.len() as u64 + 1);
            set_name(&mut long, LONG_NAME.as_bytes());
            self.write(long.as_bytes())?;
            self.write(&[&name[..], &[0]].concat())?;
            self.pad(name.len() as u64 + 1)?;
        }
        set_name(header, &name[..name.len().min(NAME_BYTES)]);
        self.write(header.as_bytes())
    }

    fn body(&mut self, path: &Path, mut file: &File, runs: &[Run]) -> Result<(), PackError> {
        let mut sum = 0;
        for run in runs {
            let sought = file.seek(SeekFrom::Start(run.offset));
            sought.map_err(PackError::file("read", path))?;
            let copied = io::copy(&mut file.take(run.bytes), &mut self.writer);
            // Either side may have failed; both are files of this machine.
            if copied.map_err(PackError::file("copy", path))? != run.bytes {
                return Err(changed(path));
            }
            sum += run.bytes;
        }
        self.pad(sum)
    }

    fn pad(&mut self, bytes: u64) -> Result<(), PackError> {
        let padding = bytes.wrapping_neg() % BLOCK_BYTES;
        self.write(&[0; BLOCK_BYTES as usize][..padding as usize])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.writer.write_all(bytes).map_err(PackError::file("write", self.file))
    }

    /// Two blocks of zeros end an archive.
    fn finish(mut self) -> Result<Packed, PackError> {
        self.write(&[0; 2 * BLOCK_BYTES as usize])?;
        let file = self.writer.finish().map_err(PackError::file("write", self.file))?;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error);
        let kept = file.and_then(NewFile::keep);
        kept.map_err(PackError::file("write", self.file))?;
        Ok(self.packed)
    }
}

/// Opens a file and no link that took its place meanwhile, and waits for no pipe.
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

/// A header that says nothing of this machine: no owner, no time.
fn new_header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(0);
    header
}

/// The name is set as it is: the crate's own way splits and judges paths.
fn set_name(header: &mut Header, name: &[u8]) {
    let field = &mut header.as_old_mut().name;
    field.fill(0);
    field[..name.len()].copy_from_slice(name);
    header.set_cksum();
}

fn name_of(path: &Path, kind: EntryType) -> Result<Vec<u8>, PackError> {
    let good = path.to_str().is_some_and(|text| !text.contains(char::is_control));
    if !good {
        return Err(PackError::BadPath { path: path.to_string_lossy().into_owned() });
    }
    let mut name = path.as_os_str().as_bytes().to_vec();
    if kind == EntryType::Directory {
        name.push(b'/');
    }
    Ok(name)
}

fn changed(path: &Path) -> PackError {
    PackError::Changed { path: path.display().to_string() }
}
