//! Paths that stay inside, and are the same path on every machine.

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use super::error::{PathFault, ProjectError, excerpt};
use super::limits::Limits;

/// A relative path of `/`-separated names, none of them special.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectPath(String);

impl ProjectPath {
    /// Checks a path. One `./` before it is taken off.
    ///
    /// # Errors
    /// Names the path and what is wrong with it.
    pub fn parse(text: &str, limits: &Limits) -> Result<Self, ProjectError> {
        let path = text.strip_prefix("./").unwrap_or(text);
        match check(path, limits) {
            Ok(()) => Ok(Self(path.to_owned())),
            Err(fault) => Err(ProjectError::Path { path: excerpt(text), fault }),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What paths have in common that some file system takes for one.
    pub(super) fn folded(&self) -> String {
        self.0.nfkc().flat_map(char::to_lowercase).nfkc().collect()
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn check(path: &str, limits: &Limits) -> Result<(), PathFault> {
    if path.len() > limits.path_bytes_max {
        return Err(PathFault::TooLong);
    }
    check_characters(path)?;
    if path.starts_with('/') || has_drive(path) {
        return Err(PathFault::Absolute);
    }
    if path.split('/').count() > limits.depth_max {
        return Err(PathFault::TooDeep);
    }
    path.split('/').try_for_each(check_name)?;
    check_place(path)
}

fn has_drive(path: &str) -> bool {
    matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic())
}

fn check_characters(path: &str) -> Result<(), PathFault> {
    if path.chars().any(char::is_control) {
        return Err(PathFault::Control);
    }
    if path.contains('\\') {
        return Err(PathFault::Backslash);
    }
    if path.chars().any(is_invisible) || !path.nfkc().eq(path.chars()) {
        return Err(PathFault::Confusable);
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), PathFault> {
    if name.is_empty() {
        return Err(PathFault::Empty);
    }
    if name == "." || name == ".." {
        return Err(PathFault::Dots);
    }
    let padded = name.starts_with(char::is_whitespace) || name.ends_with(char::is_whitespace);
    // Brackets would end the header of flat text; the others are Windows's.
    if padded || name.ends_with('.') || name.contains(['<', '>', ':', '"', '|', '?', '*', '[', ']'])
    {
        return Err(PathFault::Unportable);
    }
    if name.split('.').any(mixes_scripts) {
        return Err(PathFault::Confusable);
    }
    if is_device(name) { Err(PathFault::Reserved) } else { Ok(()) }
}

/// Names that cargo, rustup or version control read before anybody compiles.
fn check_place(path: &str) -> Result<(), PathFault> {
    let folded = path.to_lowercase();
    let names: Vec<&str> = folded.split('/').collect();
    if names.contains(&".cargo") {
        return Err(PathFault::CargoSettings);
    }
    if names.iter().any(|name| name.split('.').next() == Some("rust-toolchain")) {
        return Err(PathFault::Toolchain);
    }
    if names.iter().any(|name| [".git", ".hg", ".svn", ".jj"].contains(name)) {
        return Err(PathFault::VersionControl);
    }
    if names.first() == Some(&"target") { Err(PathFault::Target) } else { Ok(()) }
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let numbered = |prefix| stem.strip_prefix(prefix).is_some_and(is_device_number);
    ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
}

fn is_device_number(rest: &str) -> bool {
    matches!(rest, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9")
}

/// Characters that draw nothing or turn the direction of writing, and those without a meaning.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
        || (character.is_whitespace() && character != ' ')
}

/// A Latin word with a letter of a script that has letters like Latin ones.
fn mixes_scripts(word: &str) -> bool {
    word.chars().any(|letter| letter.is_ascii_alphabetic()) && word.chars().any(looks_like_latin)
}

/// Scripts whose letters are taken for Latin ones: Latin's own look-alikes, Greek, Cyrillic,
/// Armenian, Cherokee, Lisu, Coptic and the like.
fn looks_like_latin(letter: char) -> bool {
    matches!(letter,
        '\u{131}' | '\u{237}' | '\u{251}' | '\u{261}' | '\u{269}' | '\u{370}'..='\u{58f}'
        | '\u{13a0}'..='\u{13ff}' | '\u{1c80}'..='\u{1c8f}' | '\u{1d00}'..='\u{1d2b}'
        | '\u{2c80}'..='\u{2cff}' | '\u{a4d0}'..='\u{a4ff}' | '\u{a640}'..='\u{a69f}'
        | '\u{ab70}'..='\u{abbf}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(path: &str) -> Option<PathFault> {
        match ProjectPath::parse(path, &Limits::default()) {
            Ok(_) => None,
            Err(ProjectError::Path { fault, .. }) => Some(fault),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_leaves_the_project_is_refused() {
        assert_eq!(fault("/etc/passwd"), Some(PathFault::Absolute));
        assert_eq!(fault("C:/x"), Some(PathFault::Absolute));
        assert_eq!(fault("../x"), Some(PathFault::Dots));
        assert_eq!(fault("a/../../x"), Some(PathFault::Dots));
        assert_eq!(fault("a/./x"), Some(PathFault::Dots));
        assert_eq!(fault("././x"), Some(PathFault::Dots));
        assert_eq!(fault("a\\..\\x"), Some(PathFault::Backslash));
        assert_eq!(fault("a\0b"), Some(PathFault::Control));
        assert_eq!(fault("a\nb"), Some(PathFault::Control));
    }

    #[test]
    fn empty_names_are_refused() {
        for path in ["", "./", "a//b", "a/"] {
            assert_eq!(fault(path), Some(PathFault::Empty), "{path:?}");
        }
        assert_eq!(fault("//a"), Some(PathFault::Absolute));
    }

    #[test]
    fn what_cargo_and_rustup_read_is_refused() {
        for path in [".cargo/config.toml", "a/.cargo/config", ".CARGO/config.toml"] {
            assert_eq!(fault(path), Some(PathFault::CargoSettings), "{path}");
        }
        for path in ["rust-toolchain", "rust-toolchain.toml", "a/Rust-Toolchain.TOML"] {
            assert_eq!(fault(path), Some(PathFault::Toolchain), "{path}");
        }
        assert_eq!(fault(".git/config"), Some(PathFault::VersionControl));
        assert_eq!(fault("target/debug/x"), Some(PathFault::Target));
        assert_eq!(fault("src/target/mod.rs"), None);
    }

    #[test]
    fn names_that_are_not_the_same_everywhere_are_refused() {
        for path in ["src/a:b", "a?", "a*", "a.", "a /b", " a", "a[0].rs", "a|b"] {
            assert_eq!(fault(path), Some(PathFault::Unportable), "{path:?}");
        }
        for path in ["con", "src/aux.rs", "NUL.txt", "com1", "Lpt9.rs"] {
            assert_eq!(fault(path), Some(PathFault::Reserved), "{path:?}");
        }
        assert_eq!(fault("src/com10.rs"), None);
        assert_eq!(fault("src/auxiliary.rs"), None);
    }

    #[test]
    fn names_that_look_like_others_are_refused() {
        for path in ["C\u{430}rgo.toml", "src/m\u{200b}ain.rs", "\u{202e}sr.niam", "\u{ff41}.rs"] {
            assert_eq!(fault(path), Some(PathFault::Confusable), "{path:?}");
        }
        assert_eq!(fault("src/e\u{301}.rs"), Some(PathFault::Confusable));
    }

    #[test]
    fn limits_hold_at_their_edge() {
        assert_eq!(fault(&"a".repeat(200)), None);
        assert_eq!(fault(&"a".repeat(201)), Some(PathFault::TooLong));
        assert_eq!(fault(&["a"; 12].join("/")), None);
        assert_eq!(fault(&["a"; 13].join("/")), Some(PathFault::TooDeep));
    }

    #[test]
    fn usual_paths_are_taken() {
        for path in [
            "Cargo.toml",
            "./src/main.rs",
            "src/bin/a-b_c.rs",
            "donn\u{e9}es/été.txt",
            "データ.csv",
            ".gitignore",
            "данные.rs",
        ] {
            assert_eq!(fault(path), None, "{path:?}");
        }
    }

    #[test]
    fn folding_finds_paths_that_are_one_somewhere() {
        let folded =
            |path| ProjectPath::parse(path, &Limits::default()).expect("accepted").folded();
        assert_eq!(folded("SRC/Main.rs"), folded("src/main.rs"));
        assert_ne!(folded("src/main.rs"), folded("src/mein.rs"));
    }

    proptest::proptest! {
        #[test]
        fn what_is_accepted_stays_inside(path in "(\\.|/|\\\\|a|Z|:|~|\\PC|\u{430}| ){0,16}") {
            if let Ok(accepted) = ProjectPath::parse(&path, &Limits::default()) {
                let components = std::path::Path::new(accepted.as_str()).components();
                let mut kinds = components.map(|part| matches!(part, std::path::Component::Normal(_)));
                proptest::prop_assert!(kinds.all(|normal| normal));
                proptest::prop_assert_eq!(ProjectPath::parse(accepted.as_str(), &Limits::default()), Ok(accepted));
            }
        }
    }
}
