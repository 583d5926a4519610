//! A guest's linear memory as a host function sees it: every access is checked.

/// The guest gave a range that is not in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfBounds;

/// The whole linear memory, for the time of one host call. A guest without a memory has an empty
/// one, so that every access fails.
pub(crate) struct GuestMemory<'a> {
    bytes: &'a mut [u8],
}

impl<'a> GuestMemory<'a> {
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes of a range.
    pub(crate) fn read(&self, pointer: u32, length: u32) -> Result<&[u8], OutOfBounds> {
        let start = pointer as usize;
        let end = start.checked_add(length as usize).ok_or(OutOfBounds)?;
        self.bytes.get(start..end).ok_or(OutOfBounds)
    }

    /// A little-endian number.
    pub(crate) fn read_u32(&self, pointer: u32) -> Result<u32, OutOfBounds> {
        let bytes = self.read(pointer, 4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes were read")))
    }

    /// Copies all of `bytes` to `pointer`, or nothing.
    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let start = pointer as usize;
        let end = start.checked_add(bytes.len()).ok_or(OutOfBounds)?;
        self.bytes.get_mut(start..end).ok_or(OutOfBounds)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes a little-endian number.
    pub(crate) fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), OutOfBounds> {
        self.write(pointer, &value.to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::{GuestMemory, OutOfBounds};

    #[test]
    fn ranges_beyond_the_end_are_refused_and_write_nothing() {
        let mut bytes = [7; 8];
        let mut memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.read(8, 1), Err(OutOfBounds));
        assert_eq!(memory.read(u32::MAX, u32::MAX), Err(OutOfBounds));
        assert_eq!(memory.read_u32(5), Err(OutOfBounds));
        assert_eq!(memory.write(6, b"abc"), Err(OutOfBounds));
        assert_eq!(bytes, [7; 8]);
    }

    #[test]
    fn an_empty_range_at_the_very_end_is_fine() {
        let mut bytes = [0; 4];
        let mut memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.read(4, 0), Ok(&[][..]));
        assert_eq!(memory.write(4, &[]), Ok(()));
        assert_eq!(memory.read(5, 0), Err(OutOfBounds));
    }

    #[test]
    fn numbers_are_little_endian() {
        let mut bytes = [0; 4];
        let mut memory = GuestMemory::new(&mut bytes);
        memory.write_u32(0, 0x0102_0304).expect("in bounds");
        assert_eq!(memory.read_u32(0), Ok(0x0102_0304));
        assert_eq!(bytes, [4, 3, 2, 1]);
    }
}
