//! Where a snapshot comes from: a file of this machine, or an address.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gaia_net::{Options, PrivateAddresses, Progress, download};

use super::Scratch;
use crate::config::KnowledgeConfig;
use crate::ids::new_id;

/// How often a download tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Who names the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The operator's config: any file, any server.
    Config,
    /// A request: files of `snapshot_dirs`, servers outside this network.
    Request,
}

/// A snapshot that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// A path or an `https` address.
    pub source: &'a str,
    /// Its checksum, in hex.
    pub sha256: Option<&'a str>,
    /// Who asks.
    pub trust: Trust,
}

/// A snapshot that is on this machine. What was downloaded for it is its own, whoever else asks for the
/// same address, and goes with it.
#[derive(Debug)]
pub struct Fetched {
    /// The file.
    pub file: PathBuf,
    _scratch: Scratch,
}

impl Snapshot<'_> {
    /// Brings it to this machine, if it is not there.
    ///
    /// # Errors
    /// A file that may not be read; an address that can't be loaded.
    pub async fn fetch(&self, config: &KnowledgeConfig) -> Result<Fetched> {
        self.fetch_watched(config, |_| {}).await
    }

    /// The same; `watch` hears how far a download is.
    ///
    /// # Errors
    /// As [`Self::fetch`].
    pub async fn fetch_watched(
        &self,
        config: &KnowledgeConfig,
        mut watch: impl FnMut(Progress) + Send + Sync + 'static,
    ) -> Result<Fetched> {
        let scratch = Scratch::new(config, &new_id(""))?;
        let is_url = self.source.contains("://");
        if !is_url && self.trust == Trust::Request {
            let file = allowed(Path::new(self.source), &config.snapshot_dirs)?;
            return self.verified(file, scratch);
        }
        if !is_url {
            return self.verified(PathBuf::from(self.source), scratch);
        }
        let mut options = Options::new(config.snapshot_bytes_max);
        options.sha256 = self.sha256.map(digest).transpose()?;
        options.part_of = Some(part_of(config, self.source)?);
        options.private_addresses = match self.trust {
            Trust::Config => PrivateAddresses::Allow,
            Trust::Request => PrivateAddresses::Refuse,
        };
        let mut teller = teller();
        options.progress = Some(Box::new(move |progress| {
            teller(progress);
            watch(progress);
        }));
        let downloaded = download(self.source, &scratch.file, options).await;
        downloaded.context("downloading the snapshot")?;
        Ok(Fetched { file: scratch.file.clone(), _scratch: scratch })
    }

    /// A file of this machine, held to its checksum.
    fn verified(&self, file: PathBuf, scratch: Scratch) -> Result<Fetched> {
        let content = std::fs::File::open(&file);
        let mut content = content.with_context(|| format!("opening {}", file.display()))?;
        if let Some(wanted) = self.sha256 {
            use sha2::Digest;
            let mut hash = sha2::Sha256::new();
            std::io::copy(&mut content, &mut hash).context("reading the snapshot")?;
            if hash.finalize().as_slice() != digest(wanted)? {
                bail!("{} has another checksum than {wanted}", file.display());
            }
        }
        Ok(Fetched { file, _scratch: scratch })
    }
}

/// Holds a file to the folders that requests may name; links are followed first.
///
/// # Errors
/// It is elsewhere, or not there.
pub fn allowed(file: &Path, folders: &[PathBuf]) -> Result<PathBuf> {
    let advice = "put it into a folder that knowledge.snapshot_dirs of the node's config names";
    let real = file.canonicalize();
    let real = real.with_context(|| format!("{} is not there", file.display()))?;
    let inside = folders.iter().filter_map(|folder| folder.canonicalize().ok());
    if inside.into_iter().any(|folder| real.starts_with(folder)) {
        return Ok(real);
    }
    bail!("{} may not be used: {advice}", file.display())
}

/// Beside which what has come of an address waits: the next download goes on where it was cut off.
fn part_of(config: &KnowledgeConfig, source: &str) -> Result<PathBuf> {
    let folder = super::scratch::folder(config)?;
    Ok(folder.join(&gaia_documents::document_hash(source.as_bytes())[..32]))
}

fn digest(hex: &str) -> Result<[u8; 32]> {
    let byte = |place: usize| u8::from_str_radix(hex.get(place..place + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..64).step_by(2).map(byte).collect();
    let bytes = bytes.filter(|_| hex.len() == 64).and_then(|bytes| bytes.try_into().ok());
    bytes.with_context(|| format!("sha256: {hex:?} is not 64 hex digits"))
}

/// Tells now and then how far a download is.
fn teller() -> impl FnMut(Progress) + Send + Sync {
    let (mut told, last) = (Instant::now(), AtomicU64::new(0));
    move |progress| {
        if told.elapsed() >= TELL_EVERY
            && last.swap(progress.bytes, Ordering::Relaxed) != progress.bytes
        {
            told = Instant::now();
            tracing::info!(
                bytes = progress.bytes,
                of = progress.bytes_total,
                "downloading a snapshot"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[tokio::test]
    async fn downloads_of_one_address_do_not_touch_each_other() {
        let home = std::env::temp_dir().join(format!("gaia-fetched-{}", std::process::id()));
        let config = KnowledgeConfig::in_folder(home.clone());
        std::fs::create_dir_all(&home).expect("made");
        let origin = home.join("origin");
        let source = format!("file://{}", origin.display());
        let fetch = async |bytes: &[u8]| {
            std::fs::write(&origin, bytes).expect("written");
            let sha256 = format!("{:x}", Sha256::digest(b"first"));
            let sha256 = (bytes == b"first").then_some(&*sha256);
            let snapshot = Snapshot { source: &source, sha256, trust: Trust::Config };
            snapshot.fetch(&config).await.expect("it is there")
        };
        let read = |fetched: &Fetched| std::fs::read(&fetched.file).expect("it is there");
        let (first, second) = (fetch(b"first").await, fetch(b"second").await);
        assert_eq!(read(&first), b"first", "it was held to a checksum");
        drop(first);
        assert_eq!(read(&second), b"second");
        drop(second);
        let left = std::fs::read_dir(home.join("downloads")).expect("read").count();
        assert_eq!(left, 0);
        std::fs::remove_dir_all(&home).expect("removed");
    }
}
