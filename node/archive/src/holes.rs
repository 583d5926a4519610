//! Holes in files: where they are, and how they are made.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use rustix::fs::{SeekFrom as Whence, seek};
use rustix::io::Errno;

/// The unit in which file systems keep data; a shorter run of zeros makes no hole.
const BLOCK_BYTES: usize = 4096;

/// The most runs of one file that are written or read; they are held in memory.
pub(crate) const RUNS_MAX: usize = 65_536;

/// A run of data in a file; what lies between runs reads as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub offset: u64,
    pub bytes: u64,
}

/// The runs of data in a file of `size` bytes; one run if the file system knows no holes. At most
/// [`RUNS_MAX`], less one for the end: a file in more pieces counts as one piece.
pub(crate) fn runs(file: &File, size: u64) -> io::Result<Vec<Run>> {
    let mut runs = vec![];
    let mut end = 0;
    while let Some(offset) = seek_to(file, Whence::Data(end))?.filter(|offset| *offset < size) {
        end = seek_to(file, Whence::Hole(offset))?.unwrap_or(size).min(size);
        if end <= offset || runs.len() == RUNS_MAX - 1 {
            return Ok(vec![Run { offset: 0, bytes: size }]);
        }
        runs.push(Run { offset, bytes: end - offset });
    }
    Ok(runs)
}

fn seek_to(file: &File, whence: Whence) -> io::Result<Option<u64>> {
    match (seek(file, whence), whence) {
        (Ok(offset), _) => Ok(Some(offset)),
        (Err(Errno::NXIO), _) => Ok(None),
        // No holes are known here: data begins where it is looked for and goes on to the end.
        (Err(Errno::INVAL | Errno::OPNOTSUPP), Whence::Data(offset)) => Ok(Some(offset)),
        (Err(Errno::INVAL | Errno::OPNOTSUPP), _) => Ok(None),
        (Err(error), _) => Err(error.into()),
    }
}

/// Writes a new file from its beginning and leaves holes where zeros come.
pub(crate) struct HoleyWriter {
    file: File,
    bytes: u64,
}

impl HoleyWriter {
    pub fn new(file: File) -> Self {
        Self { file, bytes: 0 }
    }

    /// Leaves a hole.
    pub fn skip(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Writes, without the blocks that are zeros.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for block in bytes.chunks(BLOCK_BYTES) {
            if block.len() < BLOCK_BYTES || block.iter().any(|byte| *byte != 0) {
                self.file.seek(SeekFrom::Start(self.bytes))?;
                self.file.write_all(block)?;
            }
            self.bytes += block.len() as u64;
        }
        Ok(())
    }

    /// Gives the file its size, the last hole included, and puts it on the disk.
    pub fn finish(self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.sync_all()
    }
}
