//! Paths of modules and items, as Rust writes them.

use super::items::Kind;

/// The module that a file is, by its path: what lies behind the last `src`, without the files' names
/// that stand for their folder.
pub fn module(name: &str) -> String {
    let parts: Vec<&str> = name.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let source = parts.iter().rposition(|part| *part == "src");
    // Without `src` nobody knows where the crate's root is: the file's own name is certain.
    let start = source.map_or(parts.len().saturating_sub(1), |index| index + 1);
    let mut path: Vec<&str> = parts[start..].to_vec();
    if let Some(last) = path.last_mut() {
        *last = last.strip_suffix(".rs").unwrap_or(last);
    }
    if path.last().is_some_and(|last| matches!(*last, "lib" | "main" | "mod")) {
        path.pop();
    }
    path.join("::")
}

/// The path of an item: `module::Type::method`, `<module::Type as Trait>::method`.
pub fn of_item(path: &str, name: &str, kind: Kind) -> String {
    let join = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}::{name}"),
    };
    match (kind, name.split_once(" as ")) {
        (Kind::Impl, Some((of, implemented))) => format!("<{} as {implemented}>", join(of)),
        _ => join(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_modules() {
        for (name, path) in [
            ("node/host/src/http/routes.rs", "http::routes"),
            ("src/http/mod.rs", "http"),
            ("src/lib.rs", ""),
            ("main.rs", ""),
            ("C:\\x\\src\\a.rs", "a"),
            ("tests/files/shape.rs", "shape"),
            ("", ""),
        ] {
            assert_eq!(module(name), path, "{name}");
        }
    }
}
