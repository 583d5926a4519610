//! Which paths of an archive are used: relative ones that lead nowhere but down.

use std::path::{Component, Path, PathBuf};

use super::UnpackError;

/// A path without `.`; empty for the archive's root.
pub(super) fn checked(bytes: &[u8], path_bytes_max: usize) -> Result<PathBuf, UnpackError> {
    if bytes.len() > path_bytes_max {
        return Err(UnpackError::LongPath { path_bytes_max });
    }
    let shown = || String::from_utf8_lossy(bytes).into_owned();
    let text = std::str::from_utf8(bytes).map_err(|_| UnpackError::BadPath { path: shown() })?;
    if text.is_empty() || text.contains(char::is_control) {
        return Err(UnpackError::BadPath { path: shown() });
    }
    let mut path = PathBuf::new();
    for component in Path::new(text).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => return Err(UnpackError::ParentPath { path: shown() }),
            Component::RootDir | Component::Prefix(_) => {
                return Err(UnpackError::AbsolutePath { path: shown() });
            }
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let refused = |text: &str| checked(text.as_bytes(), 20).expect_err("it is refused");
        for text in ["/", "/etc/passwd", "//a"] {
            assert!(matches!(refused(text), UnpackError::AbsolutePath { .. }), "{text}");
        }
        for text in ["..", "a/..", "a/../b", "./../a", "../a"] {
            assert!(matches!(refused(text), UnpackError::ParentPath { .. }), "{text}");
        }
        for text in ["", "a\0b", "a\nb", "\x1b[2J"] {
            assert!(matches!(refused(text), UnpackError::BadPath { .. }), "{text}");
        }
        assert!(matches!(checked(b"\xff", 20), Err(UnpackError::BadPath { .. })));
        assert!(matches!(refused(&"a".repeat(21)), UnpackError::LongPath { path_bytes_max: 20 }));
    }

    #[test]
    fn paths_downwards_are_used() {
        let path = |text: &str| checked(text.as_bytes(), 20).expect("it is good");
        assert_eq!(path("./a//b/./c/"), Path::new("a/b/c"));
        assert_eq!(path("./"), Path::new(""));
        assert_eq!(path("...a/b..c"), Path::new("...a/b..c"));
        assert_eq!(path("a\\b: ä"), Path::new("a\\b: ä"));
    }
}
