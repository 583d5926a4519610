//! The stage: in a mount namespace of its own, the job's sized disk and what it will see read-only,
//! gathered below `/tmp`, where a user without rights can reach it whatever lies above it outside.
//!
//! ```text
//! /tmp          tmpfs of the launcher, read-only for the job
//!   work/       the job's disk: job, tmp, shm
//!   etc/        passwd and the like
//!   bind/N      what the job sees of the host
//!   over/N      the same, as an overlay whose changes go to the job's disk
//! ```

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, fstat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen,
    mount_change, move_mount, open_tree,
};
use rustix::process::{getgid, getuid};
use rustix::thread::UnshareFlags;

use super::Attempt;
use crate::jail::wire::{Launch, overlays};
use crate::jail::{ffi, policy};

const STAGE: &str = "/tmp";

/// Where a folder of the job's disk stands on the stage.
pub fn work(name: &str) -> PathBuf {
    Path::new(STAGE).join("work").join(name)
}

/// Where the job's own files of `/etc` stand.
pub fn etc(name: &str) -> PathBuf {
    Path::new(STAGE).join("etc").join(name)
}

/// Where the bind of this number stands.
pub fn bind(index: usize) -> PathBuf {
    Path::new(STAGE).join("bind").join(index.to_string())
}

/// Where the bind of this number stands, if it is an overlay.
pub fn over(index: usize) -> PathBuf {
    Path::new(STAGE).join("over").join(index.to_string())
}

/// Where the helper itself stands, for its part inside.
pub fn helper() -> PathBuf {
    Path::new(STAGE).join("helper")
}

/// Builds the stage and opens the job's disk, which belongs to `uid`, then each overlay.
///
/// # Errors
/// Which step the kernel refused.
pub fn build(launch: &Launch, uid: Option<u32>) -> Result<Vec<OwnedFd>, String> {
    namespaces(uid.is_none())?;
    // Opened before the stage covers `/tmp`, where they may come from.
    let sources = launch.binds.iter().map(|bind| bind.source.as_path());
    let sources: Vec<_> = sources.map(tree).collect::<Result<_, _>>()?;
    let helper_tree = tree(&launch.helper)?;
    let size = [("size", "1m".to_owned()), ("mode", "0755".to_owned())];
    mount(&tmpfs(&size, MountAttrFlags::empty())?, Path::new(STAGE))?;
    write_etc()?;
    place(&helper_tree, &helper())?;
    for folder in ["bind", "over"] {
        fs::create_dir(Path::new(STAGE).join(folder)).attempt("make the stage")?;
    }
    for (index, source) in sources.iter().enumerate() {
        place(source, &bind(index))?;
    }
    let owner = uid.map_or_else(|| (getuid().as_raw(), getgid().as_raw()), |uid| (uid, uid));
    disk(launch, owner)?;
    let mut folders = vec![open(&work(""))?];
    for index in overlays(&launch.binds) {
        overlay(index, (owner, uid.is_none()))?;
        folders.push(open(&over(index))?);
    }
    Ok(folders)
}

fn open(folder: &Path) -> Result<OwnedFd, String> {
    let file = fs::File::open(folder).attempt("open the job's disk")?;
    Ok(file.into())
}

/// Its changes go to two folders beside the job's own, out of its sight.
fn overlay(index: usize, (owner, as_user): ((u32, u32), bool)) -> Result<(), String> {
    let what = "lay a disk over a bind (it must be a folder)";
    let [upper, scratch] = ["upper", "scratch"].map(|name| work(&format!("{name}{index}")));
    make_folder(&upper, 0o755, owner)?;
    make_folder(&scratch, 0o755, owner)?;
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).attempt(what)?;
    for (key, path) in [("lowerdir", &bind(index)), ("upperdir", &upper), ("workdir", &scratch)] {
        fsconfig_set_string(&context, key, path).attempt(what)?;
    }
    if as_user {
        // Other attributes are root's to set.
        fsconfig_set_flag(&context, "userxattr").attempt(what)?;
    }
    fsconfig_create(&context).attempt(what)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let tree = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).attempt(what)?;
    fs::create_dir(over(index)).attempt("make the stage")?;
    mount(&tree, &over(index))
}

fn make_folder(folder: &Path, mode: u32, (uid, gid): (u32, u32)) -> Result<(), String> {
    fs::create_dir(folder)
        .and_then(|()| fs::set_permissions(folder, Permissions::from_mode(mode)))
        .and_then(|()| std::os::unix::fs::chown(folder, Some(uid), Some(gid)))
        .attempt("make the job's folders")
}

/// As root a mount namespace is enough; others need a user namespace to be allowed one.
fn namespaces(as_user: bool) -> Result<(), String> {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let mut flags = UnshareFlags::NEWNS;
    if as_user {
        flags |= UnshareFlags::NEWUSER;
    }
    ffi::unshare(flags).attempt("make a mount namespace (are user namespaces allowed here?)")?;
    if as_user {
        let map = |file: &str, text: String| fs::write(file, text).attempt(file);
        map("/proc/self/setgroups", "deny".into())?;
        map("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        map("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).attempt("keep mounts private")
}

/// What stands at `path`, with the mounts in it, ready to be placed elsewhere.
fn tree(path: &Path) -> Result<OwnedFd, String> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags).attempt(&format!("bind {}", path.display()))
}

fn tmpfs(options: &[(&str, String)], attributes: MountAttrFlags) -> Result<OwnedFd, String> {
    let what = "make a tmpfs";
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).attempt(what)?;
    for (key, value) in options {
        fsconfig_set_string(&context, *key, value.as_str())
            .attempt(&format!("{what} with {key}={value}"))?;
    }
    fsconfig_create(&context).attempt(what)?;
    let attributes =
        attributes | MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).attempt(what)
}

fn mount(tree: &OwnedFd, target: &Path) -> Result<(), String> {
    move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .attempt(&format!("mount {}", target.display()))
}

/// Mounts a file on a file, a folder on a folder.
fn place(tree: &OwnedFd, target: &Path) -> Result<(), String> {
    let kind = fstat(tree).attempt("look at a bind")?.st_mode;
    match FileType::from_raw_mode(kind) {
        FileType::Directory => fs::create_dir(target),
        FileType::RegularFile => fs::write(target, ""),
        _ => return Err("only folders and regular files can be bound".into()),
    }
    .attempt("make the stage")?;
    mount(tree, target)
}

fn write_etc() -> Result<(), String> {
    fs::create_dir(etc("")).attempt("make the stage")?;
    policy::ETC
        .iter()
        .try_for_each(|(name, text)| fs::write(etc(name), text))
        .attempt("write the job's /etc")?;
    let there = policy::ETC_SHARED.iter().filter(|name| Path::new("/etc").join(name).exists());
    there.into_iter().try_for_each(|name| place(&tree(&Path::new("/etc").join(name))?, &etc(name)))
}

fn disk(launch: &Launch, owner: (u32, u32)) -> Result<(), String> {
    // The root, the folders below and those of each overlay (with one that the kernel makes) count.
    let own = 1 + policy::WRITABLE.len() + 3 * overlays(&launch.binds).count();
    let options = [
        ("size", launch.disk_bytes.to_string()),
        ("nr_inodes", (launch.disk_files + own as u64).to_string()),
        ("mode", "0755".to_owned()),
    ];
    fs::create_dir(work("")).attempt("make the stage")?;
    mount(&tmpfs(&options, MountAttrFlags::empty())?, &work(""))?;
    policy::WRITABLE.iter().try_for_each(|(name, _)| {
        make_folder(&work(name), if *name == "job" { 0o755 } else { 0o1777 }, owner)
    })
}
