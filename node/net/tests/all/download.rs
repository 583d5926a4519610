//! Downloads from a server that does everything wrong that servers do.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Reply, Request, Server, Then, head};
use gaia_net::{DownloadError, Downloaded, Options, PrivateAddresses, Progress, Refusal};
use gaia_net::{Retry, TransportError, download};
use sha2::{Digest, Sha256};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("model.gguf")
    }

    fn part(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.path().join("model.gguf.part")).ok()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    async fn fetch(&self, url: &str, options: Options) -> Result<Downloaded, DownloadError> {
        download(url, &self.file(), options).await
    }
}

fn options() -> Options {
    let (delay_first, delay_max) = (Duration::from_millis(1), Duration::from_millis(2));
    let mut options = Options::new(4 << 20);
    options.retry = Retry { attempts_max: 3, delay_first, delay_max };
    options.idle_timeout = Duration::from_millis(300);
    options
}

fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Sends the file, from where it was asked; cuts it after `bytes`.
fn cut(request: &Request, bytes: usize) -> Reply {
    let content = content();
    let start = request.range_start().unwrap_or(0);
    let total = content.len();
    let length = total - start;
    let status = if start > 0 { "206 Partial Content" } else { "200 OK" };
    let range = format!("content-range: bytes {start}-{}/{total}\r\n", total - 1);
    let range = if start > 0 { range } else { String::new() };
    let headers = format!("content-length: {length}\r\netag: \"one\"\r\n{range}");
    let mut reply = head(status, &headers);
    reply.extend_from_slice(&content[start..(start + bytes).min(total)]);
    Reply(reply, Then::Close)
}

#[tokio::test]
async fn urls_that_are_not_for_users_are_refused_to_them() {
    let place = Place::new();
    let refused = async |url: &str| {
        let mut options = options();
        options.private_addresses = PrivateAddresses::Refuse;
        match place.fetch(url, options).await {
            Err(DownloadError::Refused(refusal)) => refusal,
            other => panic!("{url}: {other:?}"),
        }
    };
    let server = Server::start(|_, _| Reply::new("200 OK", "", b"secret"));
    let private = |refusal| matches!(refusal, Refusal::PrivateAddress { .. });
    assert!(private(refused(&server.url("/")).await));
    assert!(private(refused(&server.url("/").replace("127.0.0.1", "localhost")).await));
    assert_eq!(refused("file:///etc/hostname").await, Refusal::LocalFile);
    assert_eq!(refused("/etc/hostname").await, Refusal::LocalFile);
    assert_eq!(server.requests().len(), 0);
    assert!(place.names().is_empty());
}

#[tokio::test]
async fn a_wrong_hash_leaves_nothing() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply::new("200 OK", "etag: \"a\"\r\n", b"other"));
    let mut options = options();
    options.sha256 = Some(sha256(b"wanted"));
    let error = place.fetch(&server.url("/x?token=secret"), options).await.unwrap_err();
    assert!(matches!(&error, DownloadError::WrongHash { .. }), "{error}");
    assert!(place.names().is_empty());
}

#[tokio::test]
async fn too_large_is_known_from_the_length_or_by_counting() {
    let place = Place::new();
    let told =
        Server::start(|_, _| Reply(head("200 OK", "content-length: 9999999\r\n"), Then::Hold));
    let endless = Server::start(|_, _| Reply(head("200 OK", ""), Then::Repeat(vec![7; 65_536])));
    for server in [told, endless] {
        let error = place.fetch(&server.url("/x"), options()).await.unwrap_err();
        assert!(matches!(&error, DownloadError::TooLarge { .. }), "{error}");
        assert!(place.names().is_empty());
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn more_room_than_there_is_is_refused_before_it_is_filled() {
    let place = Place::new();
    let length = u64::MAX / 2;
    let headers = format!("content-length: {length}\r\n");
    let server = Server::start(move |_, _| Reply(head("200 OK", &headers), Then::Hold));
    let mut options = options();
    options.bytes_max = u64::MAX;
    let error = place.fetch(&server.url("/x"), options).await.unwrap_err();
    assert!(matches!(&error, DownloadError::NoRoom { .. }), "{error}");
}

#[tokio::test]
async fn silence_is_tried_again_and_then_an_error_without_secrets() {
    let place = Place::new();
    let server = Server::start(|_, _| Reply(head("200 OK", "content-length: 9\r\n"), Then::Hold));
    let url = server.url("/x?token=secret").replace("//", "//user:secret@");
    let error = place.fetch(&url, options()).await.unwrap_err();
    let silent = matches!(&error, DownloadError::Transport(TransportError::Silent { .. }));
    assert!(silent && !error.to_string().contains("secret"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn redirect_loops_end() {
    let place = Place::new();
    let server = Server::start(|count, _| Reply::redirect(&format!("/{count}")));
    let mut options = options();
    options.redirects_max = 4;
    let error = place.fetch(&server.url("/x"), options).await.unwrap_err();
    let refused = matches!(&error, DownloadError::Refused(Refusal::Redirects { .. }));
    assert!(refused, "{error}");
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn compressed_answers_are_refused_and_never_unpacked() {
    let place = Place::new();
    let server =
        Server::start(|_, _| Reply::new("200 OK", "content-encoding: gzip\r\n", b"\x1f\x8b"));
    let error = place.fetch(&server.url("/x"), options()).await.unwrap_err();
    assert!(matches!(&error, DownloadError::Encoded { .. }), "{error}");
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn an_error_is_told_with_what_the_server_says_but_no_key() {
    let place = Place::new();
    let server = Server::start(|_, _| {
        Reply::new("404 Not Found", "", b"no such model for Bearer sk-12345678")
    });
    let mut options = options();
    options.headers = vec![("Authorization".into(), "Bearer sk-12345678".into())];
    let error = place.fetch(&server.url("/x"), options).await.unwrap_err().to_string();
    assert!(error.ends_with("/x answered 404: no such model for Bearer [key]"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn keys_do_not_follow_to_another_server() {
    let place = Place::new();
    let content = Server::start(|_, _| Reply::new("200 OK", "", b"content"));
    let to = content.url("/cdn");
    let door = Server::start(move |_, _| Reply::redirect(&to));
    let mut options = options();
    options.headers = vec![("X-Key".into(), "secret".into())];
    place.fetch(&door.url("/x"), options).await.unwrap();
    assert_eq!(door.requests()[0].header("x-key"), Some("secret"));
    assert_eq!(content.requests()[0].header("x-key"), None);
}

#[tokio::test]
async fn a_file_comes_whole_and_replaces_what_was_there() {
    let place = Place::new();
    fs::write(place.file(), "old").unwrap();
    let server = Server::start(|_, _| Reply::new("200 OK", "", &content()));
    let seen = Arc::new(Mutex::new(vec![]));
    let mut options = options();
    let kept = Arc::clone(&seen);
    options.progress = Some(Box::new(move |progress| kept.lock().unwrap().push(progress)));
    options.sha256 = Some(sha256(&content()));
    let downloaded = place.fetch(&server.url("/x"), options).await.unwrap();
    let bytes = content().len() as u64;
    let expected = Downloaded { bytes, sha256: sha256(&content()), bytes_resumed: 0 };
    assert_eq!(downloaded, expected);
    assert_eq!(fs::read(place.file()).unwrap(), content());
    assert_eq!(place.names(), ["model.gguf"]);
    let last = *seen.lock().unwrap().last().unwrap();
    assert_eq!(last, Progress { bytes, bytes_total: Some(bytes) });
}

#[tokio::test]
async fn a_cut_download_goes_on_where_it_stopped() {
    let place = Place::new();
    let server = Server::start(|count, request| cut(request, [300_000, 1, 9_999_999][count]));
    let downloaded = place.fetch(&server.url("/x"), options()).await.unwrap();
    assert_eq!(fs::read(place.file()).unwrap(), content());
    assert_eq!(downloaded.bytes_resumed, 300_001);
    let requests = server.requests();
    assert_eq!(requests[1].header("if-range"), Some("\"one\""));
    assert_eq!(requests[2].range_start(), Some(300_001));
}

#[tokio::test]
async fn a_dropped_download_leaves_what_has_come_for_the_next() {
    let place = Place::new();
    let server = Server::start(|count, request| match count {
        0 => Reply(cut(request, 100_000).0, Then::Hold),
        _ => cut(request, 9_999_999),
    });
    let url = server.url("/x");
    let (sender, mut came) = tokio::sync::mpsc::channel(1);
    let mut patient = options();
    patient.idle_timeout = Duration::from_secs(600);
    patient.progress = Some(Box::new(move |progress: Progress| {
        if progress.bytes == 100_000 {
            sender.try_send(()).unwrap();
        }
    }));
    tokio::select! {
        _ = place.fetch(&url, patient) => panic!("it can't end"),
        _ = came.recv() => {}
    }
    let busy = tokio::time::timeout(Duration::from_secs(60), async {
        // The part file closes a moment after the drop.
        loop {
            match place.fetch(&server.url("/x"), options()).await {
                Err(DownloadError::Busy { .. }) => tokio::task::yield_now().await,
                other => break other,
            }
        }
    });
    let downloaded = busy.await.unwrap().unwrap();
    assert!(downloaded.bytes_resumed > 0);
    assert_eq!(fs::read(place.file()).unwrap(), content());
}

#[tokio::test]
async fn a_file_that_changed_in_between_is_taken_anew() {
    let place = Place::new();
    let server = Server::start(|count, request| match count {
        0 => cut(request, 1000),
        // If-Range does not match: the server sends everything.
        _ => Reply::new("200 OK", "etag: \"two\"\r\n", b"the new version"),
    });
    let downloaded = place.fetch(&server.url("/x"), options()).await.unwrap();
    assert_eq!(downloaded.bytes_resumed, 0);
    assert_eq!(fs::read(place.file()).unwrap(), b"the new version");
}

#[tokio::test]
async fn a_server_that_ignores_if_range_does_not_mix_versions() {
    let place = Place::new();
    let server = Server::start(|count, request| match count {
        0 => cut(request, 4),
        1 => {
            let headers = "etag: \"two\"\r\ncontent-range: bytes 4-7/8\r\n";
            Reply::new("206 Partial Content", headers, b"5678")
        }
        _ => Reply::new("200 OK", "etag: \"two\"\r\n", b"12345678"),
    });
    place.fetch(&server.url("/x"), options()).await.unwrap();
    assert_eq!(fs::read(place.file()).unwrap(), b"12345678");
}

#[tokio::test]
async fn versions_that_mixed_all_the_same_are_noticed_by_the_hash() {
    let place = Place::new();
    let server = Server::start(|count, request| match count {
        0 => cut(request, 4),
        1 => Reply::new("206 Partial Content", "content-range: bytes 4-7/8\r\n", b"5678"),
        _ => Reply::new("200 OK", "", b"12345678"),
    });
    let mut options = options();
    options.sha256 = Some(sha256(b"12345678"));
    let downloaded = place.fetch(&server.url("/x"), options).await.unwrap();
    assert_eq!(downloaded.bytes_resumed, 0);
    assert_eq!(fs::read(place.file()).unwrap(), b"12345678");
}

#[tokio::test]
async fn a_part_of_another_url_is_not_continued() {
    let place = Place::new();
    let server = Server::start(|count, request| match count {
        0..3 => cut(request, 10),
        _ => Reply::new("200 OK", "etag: \"one\"\r\n", b"other"),
    });
    place.fetch(&server.url("/x?a"), options()).await.unwrap_err();
    assert_eq!(place.part().map(|part| part.len()), Some(30));
    place.fetch(&server.url("/x?b"), options()).await.unwrap();
    assert_eq!(server.requests()[3].header("range"), None);
    assert_eq!(fs::read(place.file()).unwrap(), b"other");
}

#[tokio::test]
async fn a_part_that_is_whole_is_taken_as_it_is() {
    let place = Place::new();
    let server = Server::start(|count, request| match (count, request.range_start()) {
        (0, _) => Reply(
            [head("200 OK", "etag: \"one\"\r\ncontent-length: 6\r\n"), b"12345".to_vec()].concat(),
            Then::Close,
        ),
        (1, Some(5)) => {
            Reply::new("416 Range Not Satisfiable", "content-range: bytes */5\r\n", b"")
        }
        _ => panic!("{request:?}"),
    });
    let downloaded = place.fetch(&server.url("/x"), options()).await.unwrap();
    assert_eq!((downloaded.bytes, downloaded.bytes_resumed), (5, 5));
}

#[tokio::test]
async fn what_can_not_be_continued_is_begun_anew() {
    let place = Place::new();
    let server = Server::start(|count, request| match count {
        0 => cut(request, 10),
        1 => Reply::new("416 Range Not Satisfiable", "content-range: bytes */3\r\n", b""),
        _ => Reply::new("200 OK", "", b"new"),
    });
    place.fetch(&server.url("/x"), options()).await.unwrap();
    assert_eq!(fs::read(place.file()).unwrap(), b"new");
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let place = Place::new();
    let server = Server::start(|count, _| match count {
        0 => Reply::new("503 Service Unavailable", "retry-after: 1000\r\n", b"later"),
        1 => Reply(b"no HTTP\r\n\r\n".to_vec(), Then::Close),
        _ => Reply::new("200 OK", "", b"now"),
    });
    place.fetch(&server.url("/x"), options()).await.unwrap();
    assert_eq!(fs::read(place.file()).unwrap(), b"now");
}

#[tokio::test]
async fn a_weak_etag_promises_no_bytes() {
    let place = Place::new();
    let server = Server::start(|count, _| match count {
        0 => Reply(
            [head("200 OK", "etag: W/\"a\"\r\ncontent-length: 9\r\n"), b"12".to_vec()].concat(),
            Then::Close,
        ),
        _ => Reply::new("200 OK", "", b"all of it"),
    });
    place.fetch(&server.url("/x"), options()).await.unwrap();
    assert_eq!(server.requests()[1].header("range"), None);
}

#[tokio::test]
async fn a_link_at_the_part_file_is_not_followed() {
    let place = Place::new();
    let victim = place.folder.path().join("victim");
    fs::write(&victim, "mine").unwrap();
    std::os::unix::fs::symlink(&victim, place.folder.path().join("model.gguf.part")).unwrap();
    let server = Server::start(|_, _| Reply::new("200 OK", "", b"theirs"));
    let error = place.fetch(&server.url("/x"), options()).await.unwrap_err();
    assert!(matches!(&error, DownloadError::File { .. }), "{error}");
    assert_eq!(fs::read(&victim).unwrap(), b"mine");
}

#[tokio::test]
async fn files_of_this_machine_are_copied_under_the_same_limits() {
    let place = Place::new();
    let source = tempfile::NamedTempFile::new().unwrap();
    fs::write(source.path(), content()).unwrap();
    let path = source.path().to_str().unwrap().to_owned();
    for url in [format!("file://{path}"), path.clone()] {
        let downloaded = place.fetch(&url, options()).await.unwrap();
        assert_eq!(downloaded.sha256, sha256(&content()));
        assert_eq!(place.names(), ["model.gguf"]);
    }
    let mut small = options();
    small.bytes_max = 5;
    let error = place.fetch(&path, small).await.unwrap_err();
    assert!(matches!(&error, DownloadError::TooLarge { .. }), "{error}");
    for folder in ["/dev", "/dev/zero"] {
        let error = place.fetch(folder, options()).await.unwrap_err();
        assert!(matches!(&error, DownloadError::NotAFile { .. }), "{error}");
    }
    assert_eq!(fs::read(place.file()).unwrap(), content());
    assert_eq!(place.part(), None);
}

#[tokio::test]
async fn nobody_listening_is_told_as_such() {
    let place = Place::new();
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}/x?secret");
    let error = place.fetch(&url, options()).await.unwrap_err();
    let connect = matches!(&error, DownloadError::Transport(TransportError::Connect { .. }));
    assert!(connect && !error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn downloads_to_different_files_share_what_has_come() {
    let place = Place::new();
    let server = Server::start(|number, request| match number {
        0..3 => cut(request, 100_000),
        _ => cut(request, 1 << 20),
    });
    let to = async |name: &str| {
        let part_of = Some(place.folder.path().join("shared"));
        let options = Options { part_of, ..options() };
        download(&server.url("/x"), &place.folder.path().join(name), options).await
    };
    to("one").await.unwrap_err();
    assert!(place.names().iter().all(|name| name.starts_with("shared.part")));
    let resumed = to("two").await.unwrap();
    assert!(resumed.bytes_resumed > 0);
    assert_eq!(fs::read(place.folder.path().join("two")).unwrap(), content());
    assert_eq!(place.names(), ["two"]);
}
