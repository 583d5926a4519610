//! Looks at a model file before anything else does.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::LoadError;

const MAGIC: &[u8; 4] = b"GGUF";

/// Versions of the format that llama.cpp reads.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=3;

/// Checks that the file can be read and says that it is a GGUF file. Returns its size in bytes.
pub(crate) fn check(path: &Path) -> Result<u64, LoadError> {
    let unreadable = |reason: String| LoadError::Unreadable { path: path.to_path_buf(), reason };
    let mut file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".into()));
    }
    let mut start = [0; 8];
    match file.read_exact(&mut start) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => {
            return Err(unreadable(error.to_string()));
        }
        // What the file does not have stays zero, which no check below takes for good.
        _ => {}
    }
    match fault(&start, metadata.len()) {
        Some(reason) => Err(LoadError::NotGguf { path: path.to_path_buf(), reason }),
        None => Ok(metadata.len()),
    }
}

fn fault(start: &[u8; 8], file_bytes: u64) -> Option<String> {
    let (magic, version) = start.split_at(MAGIC.len());
    let version = u32::from_le_bytes(version.try_into().expect("eight less four"));
    if file_bytes == 0 {
        return Some("it is empty".into());
    }
    if magic != MAGIC {
        return Some(format!("it starts with \"{}\"", magic.escape_ascii()));
    }
    let unknown = || format!("its version of the format is {version}, and 2 and 3 are known");
    (!VERSIONS.contains(&version)).then(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leads_nowhere_is_unreadable() {
        let error = check(Path::new("/nowhere/model.gguf")).expect_err("there is no file");
        assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");
        assert!(error.to_string().starts_with("/nowhere/model.gguf: "), "{error}");
    }

    #[test]
    fn a_folder_is_unreadable() {
        let error = check(&std::env::temp_dir()).expect_err("a folder is no model");
        assert!(matches!(error, LoadError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn what_is_no_gguf_says_what_it_is() {
        let said = |start: &[u8; 8], bytes| fault(start, bytes).expect("it is no GGUF file");
        assert_eq!(said(&[0; 8], 0), "it is empty");
        assert_eq!(said(b"<!DOCTYP", 100), "it starts with \"<!DO\"");
        assert!(said(b"GGUF\x01\0\0\0", 100).contains("version of the format is 1"));
        assert!(said(b"GGUF\0\0\0\x03", 100).contains("50331648"), "big-endian");
        assert!(said(b"GGUF\0\0\0\0", 4).contains("is 0"));
    }

    #[test]
    fn versions_two_and_three_pass() {
        assert_eq!(fault(b"GGUF\x02\0\0\0", 100), None);
        assert_eq!(fault(b"GGUF\x03\0\0\0", 100), None);
    }
}
