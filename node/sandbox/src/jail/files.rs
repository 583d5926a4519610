//! Files into the job's disk before it starts, and out of it after its last process is gone.
//!
//! All of it through one descriptor of the disk: no path of the host is involved, no link is
//! followed, no device is opened.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    FileType, Gid, Mode, OFlags, ResolveFlags, Uid, fchown, fstat, fstatvfs, mkdirat, open, openat,
    openat2,
};
use rustix::io::Errno;

use super::command::{Collect, CopyIn, File};
use super::error::StartError;
use super::outcome::{CollectError, Collected};

/// Deeper folders are refused on the way in.
const DEPTH_MAX: usize = 64;
/// A disk with less room than this was full for some program.
const ROOM_BYTES: u64 = 64 << 10;

/// The job's disk: its sized tmpfs, which is gone with the last descriptor and mount of it.
#[derive(Debug)]
pub struct Disk {
    root: OwnedFd,
    job: OwnedFd,
    /// Folders of `/job` that lie on it, by their path there.
    overlays: Vec<(PathBuf, OwnedFd)>,
    /// The job's user, if it isn't ours.
    owner: Option<u32>,
}

impl Disk {
    /// Around a descriptor of the whole disk.
    ///
    /// # Errors
    /// It has no folder `job`.
    pub fn new(root: OwnedFd, owner: Option<u32>) -> Result<Self, StartError> {
        let job = openat(&root, "job", FOLDER, Mode::empty())
            .map_err(StartError::system("open the job's folder"))?;
        Ok(Self { root, job, overlays: vec![], owner })
    }

    /// What the job has at `target` is another folder. Files go in below it, and come out of it.
    pub fn lay(&mut self, target: &Path, folder: OwnedFd) {
        if let Ok(path) = target.strip_prefix("/job") {
            self.overlays.push((path.to_owned(), folder));
        }
    }

    /// The folder that holds `path` of `/job`, and the path in it.
    fn holder<'a>(&'a self, path: &'a Path) -> (&'a OwnedFd, &'a Path) {
        let below = |(target, folder): &'a (PathBuf, OwnedFd)| {
            path.strip_prefix(target).ok().map(|rest| (folder, rest))
        };
        let innermost = self.overlays.iter().filter_map(below);
        innermost.min_by_key(|(_, rest)| rest.components().count()).unwrap_or((&self.job, path))
    }

    /// Writes a file, with the folders on its way.
    ///
    /// # Errors
    /// The disk is too small, or a file stands where a folder should.
    pub fn write(&self, file: &File) -> Result<(), StartError> {
        let put = || -> std::io::Result<()> {
            let parent = self.folders(file.path.parent().unwrap_or(Path::new("")))?;
            let name = file.path.file_name().ok_or(Errno::ISDIR)?;
            let mode = if file.executable { 0o755 } else { 0o644 };
            self.create(parent.as_fd(), Path::new(name), mode)?.write_all(&file.content)
        };
        put().map_err(|error| input(&file.path, &error))
    }

    /// Copies a folder of the host.
    ///
    /// # Errors
    /// The disk is too small, something can't be read, or is neither file nor folder.
    pub fn copy(&self, copy: &CopyIn) -> Result<(), StartError> {
        let named = |error| input(&copy.from, &error);
        let to = self.folders(&copy.to).map_err(named)?;
        let from = open(&copy.from, FOLDER, Mode::empty()).map_err(|error| named(error.into()))?;
        self.copy_folder(&from, to.as_fd(), DEPTH_MAX).map_err(|(path, error)| {
            let path = copy.from.join(path);
            input(&path, &error)
        })
    }

    fn copy_folder(
        &self,
        from: &OwnedFd,
        to: BorrowedFd<'_>,
        depth: usize,
    ) -> Result<(), (PathBuf, std::io::Error)> {
        let at = |error: Errno| (PathBuf::new(), error.into());
        let entries = rustix::fs::Dir::read_from(from).map_err(at)?;
        for entry in entries {
            let entry = entry.map_err(at)?;
            let name = PathBuf::from(entry.file_name().to_string_lossy().into_owned());
            if name != Path::new(".") && name != Path::new("..") {
                self.copy_entry(from, to, (&name, depth))
                    .map_err(|(below, error)| (join(&name, &below), error))?;
            }
        }
        Ok(())
    }

    fn copy_entry(
        &self,
        from: &OwnedFd,
        to: BorrowedFd<'_>,
        (name, depth): (&Path, usize),
    ) -> Result<(), (PathBuf, std::io::Error)> {
        let at = |error: std::io::Error| (PathBuf::new(), error);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = openat(from, name, flags, Mode::empty()).map_err(|error| at(error.into()))?;
        let kind = fstat(&source).map_err(|error| at(error.into()))?.st_mode;
        match FileType::from_raw_mode(kind) {
            FileType::Directory if depth == 0 => Err(at(Errno::NAMETOOLONG.into())),
            FileType::Directory => {
                let folder = self.folder(to, name).map_err(at)?;
                self.copy_folder(&source, folder.as_fd(), depth - 1)
            }
            FileType::RegularFile => {
                let mut target = self.create(to, name, kind & 0o755 | 0o644).map_err(at)?;
                std::io::copy(&mut fs::File::from(source), &mut target).map(|_| ()).map_err(at)
            }
            _ => Err(at(std::io::Error::other("neither a file nor a folder"))),
        }
    }

    fn folders(&self, path: &Path) -> std::io::Result<OwnedFd> {
        let (folder, path) = self.holder(path);
        let mut folder = folder.try_clone()?;
        for name in path.components().filter(|part| *part != std::path::Component::CurDir) {
            folder = self.folder(folder.as_fd(), name.as_ref())?;
        }
        Ok(folder)
    }

    fn folder(&self, parent: BorrowedFd<'_>, name: &Path) -> std::io::Result<OwnedFd> {
        match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
            Err(Errno::EXIST) => return Ok(openat(parent, name, FOLDER, Mode::empty())?),
            made => made?,
        }
        let folder = openat(parent, name, FOLDER, Mode::empty())?;
        self.give(folder.as_fd())?;
        Ok(folder)
    }

    fn create(&self, parent: BorrowedFd<'_>, name: &Path, mode: u32) -> std::io::Result<fs::File> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::File::from(openat(parent, name, flags, Mode::from_raw_mode(mode))?);
        // Whatever this process's umask is.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        self.give(file.as_fd())?;
        Ok(file)
    }

    fn give(&self, file: BorrowedFd<'_>) -> std::io::Result<()> {
        let Some(owner) = self.owner else { return Ok(()) };
        Ok(fchown(file, Some(Uid::from_raw(owner)), Some(Gid::from_raw(owner)))?)
    }

    /// Is there no room for another page or file?
    pub fn is_full(&self) -> bool {
        fstatvfs(&self.root)
            .is_ok_and(|now| now.f_bavail * now.f_frsize < ROOM_BYTES || now.f_ffree == 0)
    }

    /// Reads what was asked for. Only after the last process is gone: nobody moves things meanwhile.
    pub fn collect(&self, wanted: &[Collect]) -> Vec<Collected> {
        let read = |collect: &Collect| Collected {
            path: collect.path.clone(),
            content: self.read(collect),
        };
        wanted.iter().map(read).collect()
    }

    fn read(&self, collect: &Collect) -> Result<Vec<u8>, CollectError> {
        let file = fs::File::from(self.open(&collect.path)?);
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(CollectError::NotRegular);
        }
        if metadata.len() > collect.bytes_max {
            return Err(CollectError::TooLarge { bytes: metadata.len() });
        }
        let mut content = vec![];
        file.take(collect.bytes_max).read_to_end(&mut content).map_err(unreadable)?;
        Ok(content)
    }

    /// Not blocking: a pipe without a writer would wait for ever.
    fn open(&self, path: &Path) -> Result<OwnedFd, CollectError> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let confined = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        let (folder, path) = self.holder(path);
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        openat2(folder, path, flags, Mode::empty(), confined).map_err(|error| match error {
            Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV => CollectError::Absent,
            // A socket or a device.
            Errno::NXIO | Errno::NODEV => CollectError::NotRegular,
            error => unreadable(error.into()),
        })
    }
}

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// `join` with nothing leaves a slash behind.
fn join(name: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { name.to_owned() } else { name.join(below) }
}

fn unreadable(error: std::io::Error) -> CollectError {
    CollectError::Unreadable(error.to_string())
}

fn input(path: &Path, error: &std::io::Error) -> StartError {
    let reason = match Errno::from_io_error(error) {
        Some(Errno::NOSPC) => "the job's disk is full: send less, or raise its limits".into(),
        Some(Errno::LOOP) => "a link: links are not followed".into(),
        Some(Errno::NOTDIR) => "a file stands where a folder should".into(),
        _ => error.to_string(),
    };
    StartError::Input { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder =
                std::env::temp_dir().join(format!("gaia-files-{name}-{}", std::process::id()));
            fs::create_dir_all(folder.join("job")).expect("a folder");
            Self(folder)
        }

        fn disk(&self) -> Disk {
            let root = open(&self.0, FOLDER, Mode::empty()).expect("there");
            Disk::new(root, None).expect("has a job folder")
        }

        fn collect(&self, path: &str) -> Result<Vec<u8>, CollectError> {
            self.disk().read(&Collect { path: path.into(), bytes_max: 8 })
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn file(path: &str, content: &str) -> File {
        File { path: path.into(), content: content.into(), executable: false }
    }

    #[test]
    fn links_pipes_sockets_and_folders_do_not_come_out() {
        let scratch = Scratch::new("out");
        let job = scratch.0.join("job");
        fs::write(scratch.0.join("secret"), "secret").expect("writable");
        symlink("/etc/passwd", job.join("absolute")).expect("a link");
        symlink("../secret", job.join("relative")).expect("a link");
        symlink("/", job.join("folder")).expect("a link");
        symlink("/proc/self/environ", job.join("magic")).expect("a link");
        for path in ["absolute", "relative", "magic", "folder/etc/passwd", "none", "none/deeper"] {
            assert_eq!(scratch.collect(path), Err(CollectError::Absent), "{path}");
        }
        let pipe = job.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).expect("a pipe");
        let _socket = std::os::unix::net::UnixListener::bind(job.join("socket")).expect("a socket");
        for path in ["pipe", "socket", "."] {
            assert_eq!(scratch.collect(path), Err(CollectError::NotRegular), "{path}");
        }
    }

    #[test]
    fn what_is_too_large_is_not_read() {
        let scratch = Scratch::new("large");
        let disk = scratch.disk();
        disk.write(&file("a", "123456789")).expect("written");
        assert_eq!(scratch.collect("a"), Err(CollectError::TooLarge { bytes: 9 }));
        disk.write(&file("a", "12345678")).expect("written");
        assert_eq!(scratch.collect("a").as_deref(), Ok(&b"12345678"[..]));
        let sparse = fs::File::create(scratch.0.join("job/sparse")).expect("a file");
        sparse.set_len(1 << 40).expect("sparse");
        assert_eq!(scratch.collect("sparse"), Err(CollectError::TooLarge { bytes: 1 << 40 }));
    }

    #[test]
    fn files_go_in_with_their_folders_and_stay_off_links() {
        let scratch = Scratch::new("in");
        let disk = scratch.disk();
        disk.write(&file("src/deep/main.rs", "fn x")).expect("written");
        disk.write(&file("src/lib.rs", "mod y")).expect("written");
        assert_eq!(scratch.collect("src/deep/main.rs").as_deref(), Ok(&b"fn x"[..]));
        let refused = disk.write(&file("src/lib.rs/x", "")).expect_err("refused").to_string();
        assert!(refused.contains("a file stands where a folder should"), "{refused}");
        symlink("/tmp", scratch.0.join("job/link")).expect("a link");
        assert!(disk.write(&file("link/x", "")).is_err());
        assert!(disk.write(&file("link", "")).is_err());
    }

    #[test]
    fn a_folder_is_copied_without_links() {
        let (from, to) = (Scratch::new("from"), Scratch::new("to"));
        let source = from.0.join("job");
        fs::create_dir(source.join("src")).expect("a folder");
        fs::write(source.join("src/run.sh"), "run").expect("writable");
        let mode = fs::Permissions::from_mode(0o777);
        fs::set_permissions(source.join("src/run.sh"), mode).expect("ours");
        let copy = CopyIn { from: source.clone(), to: "a/b".into() };
        to.disk().copy(&copy).expect("copied");
        assert_eq!(to.collect("a/b/src/run.sh").as_deref(), Ok(&b"run"[..]));
        let copied = fs::metadata(to.0.join("job/a/b/src/run.sh")).expect("there");
        assert_eq!(copied.permissions().mode() & 0o777, 0o755, "executable, not writable for all");
        symlink("/etc/passwd", source.join("src/link")).expect("a link");
        let refused = to.disk().copy(&copy).expect_err("refused").to_string();
        assert!(refused.contains("src/link") && refused.contains("a link"), "{refused}");
    }
}
