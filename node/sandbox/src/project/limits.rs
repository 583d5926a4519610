//! How large a project may be.

/// The limits of one project. Whatever exceeds one is refused by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files at most; folders are not counted.
    pub files_max: usize,
    /// Bytes of one file at most.
    pub file_bytes_max: usize,
    /// Bytes of all files together at most.
    pub total_bytes_max: usize,
    /// Bytes of one path at most.
    pub path_bytes_max: usize,
    /// Folders above a file, and the file itself, at most.
    pub depth_max: usize,
    /// Bytes of one `Cargo.toml` at most.
    pub manifest_bytes_max: usize,
    /// An archive may unpack to at most so many times its own size.
    pub unpacked_ratio_max: usize,
}

impl Default for Limits {
    /// Room for a large example, not for a large program: a thousand files, eight mebibytes. Sources
    /// seldom compress by more than ten, and a bomb by less than a thousand.
    fn default() -> Self {
        Self {
            files_max: 1000,
            file_bytes_max: 2 << 20,
            total_bytes_max: 8 << 20,
            path_bytes_max: 200,
            depth_max: 12,
            manifest_bytes_max: 64 << 10,
            unpacked_ratio_max: 100,
        }
    }
}

impl Limits {
    /// Bytes that an archive of a size may unpack to. Small archives compress well by chance, so a
    /// mebibyte is always granted.
    pub(super) fn unpacked_bytes_max(&self, archive_bytes: usize) -> usize {
        let by_ratio = archive_bytes.saturating_mul(self.unpacked_ratio_max).max(1 << 20);
        by_ratio.min(self.total_bytes_max)
    }
}
