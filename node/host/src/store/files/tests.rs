use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use futures_util::FutureExt;

use super::*;

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(new_name("gaia-files-")))
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.0) else { return vec![] };
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("readable").file_name();
        entries.map(|entry| name(entry).into_string().expect("our own names")).collect()
    }

    fn config(&self) -> FilesConfig {
        FilesConfig { bytes_max: 10, total_bytes_max: 15, count_max: 2, folder: self.0.clone() }
    }

    fn open(&self) -> Files {
        Files::open(self.config()).expect("readable")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn new_name(prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

async fn upload(files: &Files, bytes: &[u8]) -> Result<Arc<FileInfo>, StoreError> {
    let mut upload = files.begin(new_name("file-")).await?;
    for byte in bytes {
        upload.write(&[*byte]).await?;
    }
    upload.finish(info).await
}

fn info(id: String, bytes: u64) -> FileInfo {
    let (filename, purpose) = ("../../etc/passwd".into(), "assistants".into());
    FileInfo { id, owner: Owner::default(), filename, purpose, bytes, created_at: 7 }
}

/// Nobody uses a file.
#[expect(clippy::unnecessary_wraps, reason = "it stands for what may fail")]
fn unused() -> io::Result<()> {
    Ok(())
}

#[tokio::test]
async fn every_limit_is_told_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let files = folder.open();
    let too_large = upload(&files, &[0; 11]).await.expect_err("above bytes_max");
    assert!(matches!(too_large, StoreError::TooLarge { bytes_max: 10 }), "{too_large}");
    upload(&files, &[0; 10]).await.expect("fits");
    let full = upload(&files, &[0; 6]).await.expect_err("above total_bytes_max");
    assert!(full.to_string().contains("15 bytes"), "{full}");
    upload(&files, &[0; 5]).await.expect("fits");
    let many = upload(&files, &[]).await.expect_err("above count_max");
    assert!(many.to_string().contains("at most 2"), "{many}");
    assert_eq!(folder.names().len(), 2);
    let ledger = files.lock();
    assert_eq!((ledger.bytes, ledger.uploads), (15, 0));
}

#[tokio::test]
async fn a_file_outlives_its_node_and_is_its_owners_alone() {
    let folder = Folder::new();
    let kept = upload(&folder.open(), b"hello").await.expect("fits");
    let files = folder.open();
    assert_eq!(files.list(&Owner::default()), [Arc::clone(&kept)]);
    let ada = Owner::of_key("ada");
    assert_eq!((files.get(&ada, &kept.id), files.list(&ada)), (None, vec![]));
    assert!(!files.remove(&ada, &kept.id, unused).await.expect("not hers"));
    let mut text = String::new();
    let mut content = files.read(&kept).await.expect("there");
    tokio::io::AsyncReadExt::read_to_string(&mut content, &mut text).await.expect("readable");
    assert_eq!(text, "hello");
    assert!(files.remove(&Owner::default(), &kept.id, unused).await.expect("removed"));
    assert!(!files.remove(&Owner::default(), &kept.id, unused).await.expect("gone already"));
    assert_eq!((folder.names().len(), files.lock().bytes), (0, 0));
}

#[tokio::test]
async fn a_file_that_is_not_let_go_stays() {
    let folder = Folder::new();
    let files = folder.open();
    let kept = upload(&files, b"hello").await.expect("fits");
    let used = || Err::<(), _>(io::Error::other("the disk failed"));
    files.remove(&Owner::default(), &kept.id, used).await.expect_err("it is used");
    assert_eq!(files.list(&Owner::default()), [kept]);
}

#[tokio::test]
async fn a_removal_that_nobody_waits_for_is_finished() {
    let folder = Folder::new();
    let files = folder.open();
    let kept = upload(&files, b"hello").await.expect("fits");
    let (begun, begins) = mpsc::sync_channel(2);
    let (left, leaves) = mpsc::sync_channel::<()>(0);
    let let_go = move || {
        begun.send(()).expect("the test listens");
        // An error: nobody waits any more.
        let _ = leaves.recv();
        Ok::<_, io::Error>(())
    };
    let owner = Owner::default();
    assert!(files.remove(&owner, &kept.id, let_go).now_or_never().is_none(), "and given up");
    drop(left);
    assert_eq!(begins.iter().count(), 2, "let go before and after");
    assert_eq!((files.list(&owner), folder.names().len()), (vec![], 0));
}

#[tokio::test]
async fn what_a_crash_left_is_not_taken_for_a_file() {
    let folder = Folder::new();
    let kept = upload(&folder.open(), b"hello").await.expect("fits");
    let make = |name: &str, meta: &FileInfo, content: &str| {
        let path = folder.0.join(name);
        fs::create_dir(&path).expect("new");
        fs::write(path.join("content"), content).expect("written");
        fs::write(path.join("meta.json"), serde_json::to_vec(meta).expect("JSON"))
            .expect("written");
    };
    make(".gone-file-1", &info("file-1".into(), 1), "1");
    make(".upload-file-2", &info("file-2".into(), 1), "2");
    make("file-3", &info("file-3".into(), 9), "cut");
    make("file-4", &info("file-5".into(), 1), "4");
    fs::create_dir(folder.0.join("file-6")).expect("new");
    assert_eq!(folder.open().list(&Owner::default()), [kept]);
    assert!(!Path::new(&folder.0.join(".gone-file-1")).exists(), "cleared away");
    assert!(folder.0.join(".upload-file-2").exists(), "it may be another node's, and new");
}
