//! What each tag does to the text around it.

/// Elements around others. They are followed, so that what is left out ends where its parent does
/// even if nobody closed it.
const CONTAINERS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "details",
    "dialog",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "header",
    "html",
    "main",
    "menu",
    "nav",
    "ol",
    "section",
    "table",
    "ul",
];

/// Elements that are never text of the document.
const LEFT_OUT: &[&str] = &[
    "audio", "button", "canvas", "datalist", "footer", "iframe", "nav", "noscript", "object",
    "script", "select", "style", "svg", "template", "textarea", "video",
];

/// Elements before and behind which stands an empty line.
const PARAGRAPHS: &[&str] = &[
    "article",
    "aside",
    "blockquote",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "header",
    "hr",
    "main",
    "nav",
    "p",
    "section",
    "table",
];

/// Elements that start a line.
const LINES: &[&str] = &[
    "address",
    "body",
    "br",
    "caption",
    "dd",
    "details",
    "dialog",
    "div",
    "dt",
    "figcaption",
    "form",
    "html",
    "legend",
    "li",
    "option",
    "summary",
    "tbody",
    "thead",
    "tr",
];

/// Elements inside of which a `<header>` holds their heading; elsewhere it is the site's banner.
const WITH_HEADER: &[&str] = &["article", "main", "section"];

/// Whether the element is followed until its end.
pub fn is_container(name: &str) -> bool {
    CONTAINERS.contains(&name) || LEFT_OUT.contains(&name)
}

/// Whether the text of an element is left out. `around` says whether an element is open around it.
pub fn is_left_out(name: &str, around: impl Fn(&str) -> bool) -> bool {
    let banner = || !WITH_HEADER.iter().any(|name| around(name));
    LEFT_OUT.contains(&name) || (name == "header" && banner())
}

/// How many lines end before and behind the tag: 0 for one inside a line, 2 for an empty line. In a
/// list (`nested`) lines stand closer together.
pub fn breaks(name: &str, nested: bool) -> usize {
    match name {
        "ul" | "ol" | "menu" | "p" => 2 - usize::from(nested),
        _ if PARAGRAPHS.contains(&name) => 2,
        _ if LINES.contains(&name) => 1,
        _ => 0,
    }
}

/// Whether a heading that nobody closed ends where this tag starts.
pub fn ends_heading(name: &str) -> bool {
    breaks(name, false) > 1 || matches!(name, "li" | "tr" | "pre") || heading_level(name).is_some()
}

/// The level of a heading.
pub fn heading_level(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}
