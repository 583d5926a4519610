//! Where a URL leads: its scheme, its host, its redirects, and how it is shown.

use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;

use crate::address::{PrivateAddresses, is_public};
use crate::error::Refusal;

/// Longest form of a URL in a message; enough to recognize it by.
const SHOWN_CHARS_MAX: usize = 200;

/// What a text names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Remote(Url),
    Local(PathBuf),
}

/// Reads a URL or a path of this machine.
pub(crate) fn parse(text: &str, private: PrivateAddresses) -> Result<Target, Refusal> {
    let Some(scheme) = scheme_of(text) else { return local(text.into(), private) };
    match scheme.as_str() {
        "http" | "https" => remote(text, private).map(Target::Remote),
        "file" => local(file_path(text)?, private),
        _ => Err(Refusal::Scheme { scheme }),
    }
}

/// Reads an http or https URL.
pub(crate) fn remote(text: &str, private: PrivateAddresses) -> Result<Url, Refusal> {
    let mut url = Url::parse(text).map_err(malformed)?;
    url.set_fragment(None);
    checked(url, private)
}

/// Reads the URL that a server's paths are appended to, as `https://host/v1`; without the slash at its
/// end.
///
/// # Errors
/// It is no http or https URL, or it holds more than scheme, host, port and path.
pub fn base_url(text: &str) -> Result<String, Refusal> {
    let url = remote(text, PrivateAddresses::Allow)?;
    let more = [
        (!url.username().is_empty() || url.password().is_some(), "a user or a password"),
        (url.query().is_some(), "a query"),
        (text.contains('#'), "a fragment"),
    ];
    if let Some((_, what)) = more.into_iter().find(|(is_there, _)| *is_there) {
        let reason = format!("it holds {what}, which does not belong here");
        return Err(Refusal::Malformed { reason });
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Where a redirect leads, if it may be followed.
pub(crate) fn redirected(
    from: &Url,
    location: &str,
    private: PrivateAddresses,
) -> Result<Url, Refusal> {
    let bad = |reason: String| Refusal::BadRedirect { url: shown(from), reason };
    let mut to = from.join(location).map_err(|error| bad(error.to_string()))?;
    to.set_fragment(None);
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(Refusal::Downgrade { url: shown(from) });
    }
    checked(to, private)
}

/// Whether two URLs lead to the same server, so that a key may follow.
pub(crate) fn same_server(one: &Url, other: &Url) -> bool {
    one.origin() == other.origin()
}

/// A URL without its credentials, query and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let text = format!("{}://{host}{port}{}", url.scheme(), url.path());
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn checked(url: Url, private: PrivateAddresses) -> Result<Url, Refusal> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::Scheme { scheme: url.scheme().into() });
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let refused = private == PrivateAddresses::Refuse;
    if refused && address.is_some_and(|address| !is_public(address)) {
        return Err(Refusal::PrivateAddress { host: host.into() });
    }
    Ok(url)
}

fn local(path: PathBuf, private: PrivateAddresses) -> Result<Target, Refusal> {
    match private {
        PrivateAddresses::Allow if path.as_os_str().is_empty() => {
            Err(Refusal::Malformed { reason: "it is empty".into() })
        }
        PrivateAddresses::Allow => Ok(Target::Local(path)),
        PrivateAddresses::Refuse => Err(Refusal::LocalFile),
    }
}

fn file_path(text: &str) -> Result<PathBuf, Refusal> {
    let url = Url::parse(text).map_err(malformed)?;
    let reason = || "a file: URL names no other host, as in file:///path".into();
    url.to_file_path().map_err(|()| Refusal::Malformed { reason: reason() })
}

fn malformed(error: impl ToString) -> Refusal {
    Refusal::Malformed { reason: error.to_string() }
}

/// The scheme that a text begins with, in lower case; a path has none.
fn scheme_of(text: &str) -> Option<String> {
    let (scheme, _) = text.split_once(':')?;
    let mut letters = scheme.chars();
    let starts = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic());
    let goes_on = letters.all(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(letter));
    (starts && goes_on).then(|| scheme.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use PrivateAddresses::{Allow, Refuse};

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn other_schemes_are_refused() {
        for text in ["ftp://a/b", "gopher://a", "data:text/plain,x", "javascript:1", "unix:/x"] {
            for private in [Allow, Refuse] {
                let refused = matches!(parse(text, private), Err(Refusal::Scheme { .. }));
                assert!(refused, "{text}");
            }
        }
    }

    #[test]
    fn private_hosts_are_refused_however_they_are_written() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest/meta-data",
            "http://user:pass@10.0.0.1:80/",
        ] {
            let refused = matches!(parse(text, Refuse), Err(Refusal::PrivateAddress { .. }));
            assert!(refused, "{text}");
            assert!(parse(text, Allow).is_ok(), "{text}");
        }
    }

    #[test]
    fn files_are_refused_to_users() {
        for text in ["file:///etc/passwd", "FILE:///etc/passwd", "/etc/passwd", "notes.txt", ""] {
            assert_eq!(parse(text, Refuse), Err(Refusal::LocalFile), "{text}");
        }
    }

    #[test]
    fn files_are_read_from_urls_and_paths() {
        assert_eq!(parse("file:///a%20b", Allow), Ok(Target::Local("/a b".into())));
        assert_eq!(parse("/a b", Allow), Ok(Target::Local("/a b".into())));
        assert_eq!(parse("./a:b", Allow), Ok(Target::Local("./a:b".into())));
        assert!(matches!(parse("file://other/x", Allow), Err(Refusal::Malformed { .. })));
        assert!(matches!(parse("", Allow), Err(Refusal::Malformed { .. })));
        assert!(matches!(parse("http://", Allow), Err(Refusal::Malformed { .. })));
    }

    #[test]
    fn redirects_never_leave_https_nor_enter_private_networks() {
        let from = url("https://example.org/a?b");
        let to = |location| redirected(&from, location, Refuse);
        assert!(matches!(to("http://example.org/a"), Err(Refusal::Downgrade { .. })));
        assert!(matches!(to("https://10.0.0.1/"), Err(Refusal::PrivateAddress { .. })));
        assert!(matches!(to("//[::1]/"), Err(Refusal::PrivateAddress { .. })));
        assert!(matches!(to("file:///etc/passwd"), Err(Refusal::Scheme { .. })));
        assert!(matches!(to("https://"), Err(Refusal::BadRedirect { .. })));
        assert_eq!(to("/c"), Ok(url("https://example.org/c")));
        let plain = url("http://example.org/");
        assert_eq!(redirected(&plain, "https://b.org/", Refuse), Ok(url("https://b.org/")));
    }

    #[test]
    fn what_is_shown_has_no_secrets() {
        let text = shown(&url("https://user:secret@host.org:8443/path?token=secret#secret"));
        assert_eq!(text, "https://host.org:8443/path");
        let long = shown(&url(&format!("https://host.org/{}", "ä".repeat(500))));
        assert!(long.chars().count() == SHOWN_CHARS_MAX + 1);
    }

    #[test]
    fn a_base_holds_nothing_but_where_the_server_is() {
        for text in
            ["ftp://a/v1", "a/v1", "http://", "http://k@a/v1", "http://a/v1?k=1", "http://a/#"]
        {
            assert!(base_url(text).is_err(), "{text}");
        }
        assert_eq!(base_url("https://a.org:8443/v1/").as_deref(), Ok("https://a.org:8443/v1"));
        assert_eq!(base_url("http://127.0.0.1").as_deref(), Ok("http://127.0.0.1"));
    }

    #[test]
    fn a_key_stays_with_its_server() {
        let one = url("https://host.org/a");
        assert!(same_server(&one, &url("https://host.org:443/b")));
        for other in ["http://host.org/a", "https://host.org:444/a", "https://cdn.host.org/a"] {
            assert!(!same_server(&one, &url(other)), "{other}");
        }
    }
}
