//! Events of a stream, out of bytes that come in any pieces.

/// Bytes that have come and are no whole event yet: a frame may end within a character.
#[derive(Default)]
pub struct Events {
    bytes: Vec<u8>,
    /// Up to here no event ends.
    looked: usize,
}

impl Events {
    /// Adds what has come.
    pub fn take(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
    }

    /// The next whole event, with the empty line behind it.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.bytes[self.looked..].windows(2).position(|two| two == b"\n\n");
        let Some(end) = end.map(|end| self.looked + end) else {
            self.looked = self.bytes.len().saturating_sub(1);
            return None;
        };
        self.looked = 0;
        Some(self.bytes.drain(..end + 2).collect())
    }

    /// Bytes of the events that were not given out.
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }
}
