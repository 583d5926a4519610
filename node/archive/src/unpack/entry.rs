//! Reads what a tar file is made of: blocks of 512 bytes, headers, and bodies.

use std::io::{self, Read};
use std::path::PathBuf;

use tar::{EntryType, Header};

use super::extension::Extension;
use super::path::checked;
use super::{Limits, UnpackError, sparse};
use crate::holes::Run;

/// The unit of tar files.
pub(super) const BLOCK_BYTES: usize = 512;
/// Zeros that may follow the end; tar fills its last record, of 10 KiB by default.
const PADDING_BYTES_MAX: u64 = 16 << 20;
/// Headers that may stand before one entry to extend it.
const EXTENSIONS_MAX: usize = 8;
/// Bytes of one such header beside its path.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;

pub(super) type Block = [u8; BLOCK_BYTES];

/// The content of an archive, counted.
pub(super) struct Source<'r> {
    reader: &'r mut dyn Read,
    pub offset: u64,
}

impl Source<'_> {
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, UnpackError> {
        loop {
            match self.reader.read(buffer) {
                Ok(length) => {
                    self.offset += length as u64;
                    return Ok(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(UnpackError::reading(self.offset)(error)),
            }
        }
    }

    pub fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), UnpackError> {
        while !buffer.is_empty() {
            let length = self.read(buffer)?;
            if length == 0 {
                return Err(UnpackError::Cut { offset: self.offset });
            }
            buffer = &mut buffer[length..];
        }
        Ok(())
    }

    pub fn block(&mut self) -> Result<Block, UnpackError> {
        let mut block = [0; BLOCK_BYTES];
        self.read_exact(&mut block)?;
        Ok(block)
    }

    pub fn damaged(&self, reason: &'static str) -> UnpackError {
        UnpackError::Damaged { offset: self.offset, reason }
    }
}

/// What an entry is.
#[derive(Debug)]
pub(super) enum Kind {
    File,
    /// A file of this size, of which only these runs are in the archive.
    Sparse(Vec<Run>, u64),
    Folder,
}

/// One entry, whose body is still to be read.
pub(super) struct Entry<'e, 'r> {
    pub path: PathBuf,
    pub kind: Kind,
    pub body: Body<'e, 'r>,
}

impl<'e, 'r> Entry<'e, 'r> {
    /// The first block of the body, or all of a shorter one.
    pub fn peek(&mut self) -> Result<Vec<u8>, UnpackError> {
        let length = self.body.bytes_left.min(BLOCK_BYTES as u64) as usize;
        let mut beginning = vec![0; length];
        self.body.read_exact(&mut beginning)?;
        Ok(beginning)
    }

    /// The rest of the body.
    pub fn reader(&mut self) -> &mut Body<'e, 'r> {
        &mut self.body
    }

    /// Takes the padding behind the body.
    pub fn finish(self) -> Result<(), UnpackError> {
        let Body { source, bytes_left, padding } = self.body;
        debug_assert_eq!(bytes_left, 0, "whoever takes an entry reads its body");
        source.read_exact(&mut [0; BLOCK_BYTES][..padding])
    }
}

/// The content of one entry.
pub(super) struct Body<'e, 'r> {
    pub source: &'e mut Source<'r>,
    pub bytes_left: u64,
    padding: usize,
}

impl<'e, 'r> Body<'e, 'r> {
    fn new(source: &'e mut Source<'r>, bytes: u64) -> Self {
        let padding = bytes.wrapping_neg() % BLOCK_BYTES as u64;
        Self { source, bytes_left: bytes, padding: padding as usize }
    }

    /// Some of what is left; nothing at its end.
    pub fn some(&mut self, buffer: &mut [u8]) -> Result<usize, UnpackError> {
        let length = (buffer.len() as u64).min(self.bytes_left) as usize;
        if length == 0 {
            return Ok(0);
        }
        let length = self.source.read(&mut buffer[..length])?;
        if length == 0 {
            return Err(UnpackError::Cut { offset: self.source.offset });
        }
        self.bytes_left -= length as u64;
        Ok(length)
    }

    pub fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), UnpackError> {
        if buffer.len() as u64 > self.bytes_left {
            return Err(self.source.damaged("an entry is shorter than what should be in it"));
        }
        self.source.read_exact(buffer)?;
        self.bytes_left -= buffer.len() as u64;
        Ok(())
    }
}

impl Read for Body<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.some(buffer).map_err(io::Error::other)
    }
}

/// The entries of an archive, one after the other.
pub(super) struct Entries<'r> {
    source: Source<'r>,
    limits: Limits,
}

impl<'r> Entries<'r> {
    pub fn new(reader: &'r mut dyn Read, limits: Limits) -> Self {
        Self { source: Source { reader, offset: 0 }, limits }
    }

    /// The next entry; `None` when the archive has ended and nothing but padding follows.
    pub fn next<'e>(&'e mut self) -> Result<Option<Entry<'e, 'r>>, UnpackError> {
        let mut extension = Extension::default();
        for _ in 0..=EXTENSIONS_MAX {
            let block = self.source.block()?;
            if block == [0; BLOCK_BYTES] {
                return self.end(&extension).map(|()| None);
            }
            if !looks_like_header(&block) {
                return Err(self.source.damaged("a header's checksum is wrong"));
            }
            let header = Header::from_byte_slice(&block);
            match header.entry_type() {
                EntryType::GNULongName => extension.path = Some(self.long_name(header)?),
                EntryType::GNULongLink => drop(self.extension_body(header)?),
                EntryType::XHeader => {
                    let body = self.extension_body(header)?;
                    extension.take_pax(&body).map_err(|reason| self.source.damaged(reason))?;
                }
                EntryType::XGlobalHeader => {
                    let body = self.extension_body(header)?;
                    Extension::judge_global(&body).map_err(|reason| self.source.damaged(reason))?;
                }
                _ => return self.entry(header, extension).map(Some),
            }
        }
        Err(self.source.damaged("too many headers stand before an entry"))
    }

    fn entry<'e>(
        &'e mut self,
        header: &Header,
        extension: Extension,
    ) -> Result<Entry<'e, 'r>, UnpackError> {
        let bytes = match extension.size {
            Some(size) => size,
            None => self.size(header)?,
        };
        let name = extension.path.clone().unwrap_or_else(|| header.path_bytes().into_owned());
        let path = checked(&name, self.limits.path_bytes_max)?;
        let shown = || path.display().to_string();
        let mut body = Body::new(&mut self.source, bytes);
        let kind = match header.entry_type() {
            EntryType::Regular if extension.sparse.is_some() => sparse::pax(&extension, &mut body)?,
            EntryType::Regular if name.ends_with(b"/") => Kind::Folder,
            EntryType::Regular => Kind::File,
            EntryType::GNUSparse => sparse::gnu(header, &mut body)?,
            EntryType::Directory => Kind::Folder,
            EntryType::Symlink | EntryType::Link => {
                return Err(UnpackError::Link { path: shown() });
            }
            _ => return Err(UnpackError::Special { path: shown() }),
        };
        if matches!(kind, Kind::Folder) && bytes > 0 {
            return Err(body.source.damaged("a folder has content"));
        }
        if !matches!(kind, Kind::Folder) && path.as_os_str().is_empty() {
            return Err(UnpackError::BadPath { path: String::from_utf8_lossy(&name).into_owned() });
        }
        Ok(Entry { path, kind, body })
    }

    fn size(&self, header: &Header) -> Result<u64, UnpackError> {
        header.entry_size().map_err(|_| self.source.damaged("an entry's size is no number"))
    }

    /// A path that does not fit into a header, ended by a zero byte.
    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>, UnpackError> {
        let path_bytes_max = self.limits.path_bytes_max;
        if self.size(header)? > path_bytes_max as u64 + 1 {
            return Err(UnpackError::LongPath { path_bytes_max });
        }
        let mut name = self.extension_body(header)?;
        if name.last() == Some(&0) {
            name.pop();
        }
        Ok(name)
    }

    fn extension_body(&mut self, header: &Header) -> Result<Vec<u8>, UnpackError> {
        let size = self.size(header)?;
        if size > EXTENSION_BYTES_MAX + self.limits.path_bytes_max as u64 {
            return Err(self.source.damaged("a header is too large"));
        }
        let mut body = Body::new(&mut self.source, size);
        let mut bytes = vec![0; size as usize];
        body.read_exact(&mut bytes)?;
        let padding = body.padding;
        self.source.read_exact(&mut [0; BLOCK_BYTES][..padding])?;
        Ok(bytes)
    }

    /// Two blocks of zeros are the end. Without them a cut between two entries would go unnoticed.
    fn end(&mut self, extension: &Extension) -> Result<(), UnpackError> {
        if !extension.is_empty() {
            return Err(self.source.damaged("a header extends an entry that does not come"));
        }
        if self.source.block()? != [0; BLOCK_BYTES] {
            return Err(UnpackError::TrailingGarbage);
        }
        let mut piece = [0; 16 * BLOCK_BYTES];
        let end = self.source.offset.saturating_add(PADDING_BYTES_MAX);
        loop {
            let length = self.source.read(&mut piece)?;
            if length == 0 {
                return Ok(());
            }
            if piece[..length].iter().any(|byte| *byte != 0) || self.source.offset > end {
                return Err(UnpackError::TrailingGarbage);
            }
        }
    }
}

/// Whether a block is a tar header, by its checksum: the sum of its bytes, its own field as blanks.
pub(super) fn looks_like_header(block: &[u8]) -> bool {
    if block.len() != BLOCK_BYTES || block.iter().all(|byte| *byte == 0) {
        return false;
    }
    let sum = |range: &[u8]| range.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let expected = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
    Header::from_byte_slice(block).cksum().is_ok_and(|found| found == expected)
}
