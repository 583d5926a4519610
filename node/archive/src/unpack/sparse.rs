//! Files with holes: which runs of them are in the archive.

use tar::{GnuExtSparseHeader, GnuSparseHeader, Header};

use super::UnpackError;
use super::entry::{BLOCK_BYTES, Body, Kind};
use super::extension::{Extension, number};
use crate::holes::{RUNS_MAX, Run};

/// A number in a map of format 1.0 has at most 20 digits.
const NUMBER_BYTES_MAX: usize = 20;

/// The old GNU format: four runs in the header, then 21 in each further block.
pub(super) fn gnu(header: &Header, body: &mut Body<'_, '_>) -> Result<Kind, UnpackError> {
    let unreadable = "a sparse file's header is malformed";
    let Some(header) = header.as_gnu() else { return Err(body.source.damaged(unreadable)) };
    let size = header.real_size().map_err(|_| body.source.damaged(unreadable))?;
    let mut runs = vec![];
    take_runs(&header.sparse, &mut runs, body)?;
    let mut extended = header.is_extended();
    while extended {
        let mut more = GnuExtSparseHeader::new();
        body.source.read_exact(more.as_mut_bytes())?;
        take_runs(more.sparse(), &mut runs, body)?;
        extended = more.is_extended();
    }
    judged(runs, size, body)
}

fn take_runs(
    headers: &[GnuSparseHeader],
    runs: &mut Vec<Run>,
    body: &Body<'_, '_>,
) -> Result<(), UnpackError> {
    for header in headers.iter().filter(|header| !header.is_empty()) {
        let (Ok(offset), Ok(bytes)) = (header.offset(), header.length()) else {
            return Err(body.source.damaged("a sparse file's map is malformed"));
        };
        push(runs, Run { offset, bytes }, body)?;
    }
    Ok(())
}

fn push(runs: &mut Vec<Run>, run: Run, body: &Body<'_, '_>) -> Result<(), UnpackError> {
    if runs.len() == RUNS_MAX {
        return Err(body.source.damaged("a sparse file is in too many pieces"));
    }
    runs.push(run);
    Ok(())
}

/// GNU's format 1.0 in a pax archive: the map stands in lines before the data, padded to a block.
pub(super) fn pax(extension: &Extension, body: &mut Body<'_, '_>) -> Result<Kind, UnpackError> {
    let sparse = extension.sparse.as_ref().filter(|sparse| sparse.is_understood());
    let Some(size) = sparse.and_then(|sparse| sparse.size) else {
        let reason = "a sparse file has another format than GNU's old one and 1.0";
        return Err(body.source.damaged(reason));
    };
    let mut lines = Lines { body, block: [0; BLOCK_BYTES], at: BLOCK_BYTES };
    let count = lines.number()?;
    let mut runs = vec![];
    for _ in 0..count {
        let run = Run { offset: lines.number()?, bytes: lines.number()? };
        push(&mut runs, run, lines.body)?;
    }
    judged(runs, size, body)
}

/// Lines of numbers at the beginning of a body.
struct Lines<'b, 'e, 'r> {
    body: &'b mut Body<'e, 'r>,
    block: [u8; BLOCK_BYTES],
    at: usize,
}

impl Lines<'_, '_, '_> {
    fn number(&mut self) -> Result<u64, UnpackError> {
        let mut digits = vec![];
        loop {
            match self.byte()? {
                b'\n' => break,
                digit if digits.len() < NUMBER_BYTES_MAX => digits.push(digit),
                _ => return Err(self.body.source.damaged("a sparse file's map is malformed")),
            }
        }
        number(&digits).map_err(|reason| self.body.source.damaged(reason))
    }

    fn byte(&mut self) -> Result<u8, UnpackError> {
        if self.at == BLOCK_BYTES {
            self.body.read_exact(&mut self.block)?;
            self.at = 0;
        }
        self.at += 1;
        Ok(self.block[self.at - 1])
    }
}

/// Runs must go upwards, lie in the file, and be what the archive holds.
fn judged(runs: Vec<Run>, size: u64, body: &Body<'_, '_>) -> Result<Kind, UnpackError> {
    let mut end = 0;
    let mut bytes = 0_u64;
    for run in &runs {
        let run_end = run.offset.checked_add(run.bytes);
        match run_end {
            Some(run_end) if run.offset >= end && run_end <= size => end = run_end,
            _ => return Err(body.source.damaged("a sparse file's runs overlap or lie outside")),
        }
        bytes += run.bytes;
    }
    match bytes == body.bytes_left {
        true => Ok(Kind::Sparse(runs, size)),
        false => Err(body.source.damaged("a sparse file's runs are not what the archive holds")),
    }
}
