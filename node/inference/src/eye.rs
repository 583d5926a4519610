//! Reads pictures: cuts them up where requests come in, encodes them on the engine's thread.

use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::counters::Counters;
use crate::ffi::{self, Chunk, Projector, Rows, Seen};
use crate::picture::Key;
use crate::plan::Glance;
use crate::prompt::{Part, Sight};
use crate::{ComputeError, LookError};

/// Cuts a picture into what a model is going to read.
///
/// # Errors
/// See [`LookError`].
pub(crate) fn look(
    projector: &Projector,
    (width, height): (u32, u32),
    rgb: &[u8],
    batch_tokens: usize,
) -> Result<Sight, LookError> {
    let bytes = rgb.len();
    let pixels = u64::from(width) * u64::from(height);
    if bytes == 0 || Some(bytes as u64) != pixels.checked_mul(3) {
        return Err(LookError::Size { width, height, bytes });
    }
    ffi::take_errors();
    let seen = projector.cut((width, height), rgb);
    let seen = seen.ok_or_else(|| LookError::Refused(ffi::take_errors()))?;
    let pixels = digest((width, height), rgb);
    let mut parts = vec![];
    for (part, seen) in (0..).zip(seen) {
        parts.push(match seen {
            Seen::Text(tokens) => Part::Text(tokens),
            Seen::Rows { rows, .. } if rows > batch_tokens && projector.looks_ahead() => {
                return Err(LookError::TooManyRows { rows });
            }
            Seen::Rows { rows, places, chunk } => {
                Part::Rows { key: Key { pixels, part }, rows, places, chunk: Arc::new(chunk) }
            }
        });
    }
    Ok(Sight(parts))
}

fn digest((width, height): (u32, u32), rgb: &[u8]) -> [u8; 32] {
    let size = [width.to_le_bytes(), height.to_le_bytes()].concat();
    Sha256::new().chain_update(size).chain_update(rgb).finalize().into()
}

/// The projector at work, with the picture that it looked at last.
pub(crate) struct Eye {
    projector: Arc<Projector>,
    /// The rows of a picture, kept until another one is encoded: they are read in pieces, and the
    /// choices of a request look at the same picture.
    last: Option<(Key, Vec<f32>)>,
}

impl Eye {
    pub(crate) fn new(projector: Arc<Projector>) -> Self {
        Self { projector, last: None }
    }

    /// The rows that a step asks for, if their picture is the one encoded last.
    pub(crate) fn rows(&self, chunk: &Chunk, glance: &Glance) -> Option<Rows<'_>> {
        let (_, numbers) = self.last.as_ref().filter(|(key, _)| *key == glance.spot.key)?;
        let width = self.projector.width();
        let numbers = &numbers[glance.first * width..][..glance.rows * width];
        Some(Rows {
            numbers,
            width,
            sequence: glance.sequence,
            positions: chunk.positions(glance.position, glance.first..glance.first + glance.rows),
            looks_ahead: self.projector.looks_ahead(),
        })
    }

    /// Encodes a picture.
    ///
    /// # Errors
    /// llama.cpp failed, or made what are no numbers.
    pub(crate) fn encode(
        &mut self,
        chunk: &Chunk,
        glance: &Glance,
        counters: &Counters,
    ) -> Result<(), ComputeError> {
        let start = Instant::now();
        self.last = None;
        let numbers = self.projector.encode(chunk, glance.spot.cells);
        Counters::add(&counters.pictures, 1);
        let took_ms = usize::try_from(start.elapsed().as_millis()).unwrap_or(usize::MAX);
        Counters::add(&counters.picture_ms, took_ms);
        let numbers = numbers.ok_or(ComputeError::Picture)?;
        if !numbers.iter().all(|number| number.is_finite()) {
            return Err(ComputeError::NotFinite);
        }
        self.last = Some((glance.spot.key, numbers));
        Ok(())
    }
}
