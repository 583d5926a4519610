//! The policy on one screen: what a job sees, what it may write, use and call.

use std::time::Duration;

use super::command::Limits;

/// Limits of a job that names none.
pub const LIMITS: Limits = Limits {
    // rustc on a large crate; longer work is a job of its own kind and says so.
    time: Duration::from_secs(120),
    silence: Duration::from_secs(60),
    // Includes what is written to disk: the job's files live in memory.
    memory_bytes: 3 << 30,
    disk_bytes: 1 << 30,
    disk_files: 50_000,
    file_bytes: 512 << 20,
    // cargo, a rustc per core, their threads, and the job's own.
    processes: 256,
    open_files: 1024,
    output_bytes: 1 << 20,
    output_bytes_max: 64 << 20,
};

/// Weight of cores in cgroup v1: everyone's, while a job is set up and cleared away; a job's own
/// while it runs, behind the serving processes. A quarter: beside one job on each core a serving thread
/// still has four fifths of it, beside three more than half. The weight also counts against whatever
/// else runs in the node's parent group, and there an eighth made a hello world take twice as long
/// (2.3 s, not 1.2, on two cores that four others kept busy while crates were compiled).
pub const CPU_SHARES: [u32; 2] = [1024, 256];
/// The same for cgroup v2. There the node's own processes are a group too, which is given the first for
/// each core.
pub const CPU_WEIGHT: [u32; 2] = [100, 25];
/// Where no cgroup gives a weight, this does.
pub const NICE: i32 = 10;

/// Read-only, as on the host, or as the links that they are there.
pub const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"];
/// Read-only in `/etc` where they exist: what a C linker and the dynamic loader look up.
pub const ETC_SHARED: &[&str] = &["alternatives", "ld.so.cache"];
/// Written anew for each job: the host's `/etc` is not there.
pub const ETC: &[(&str, &str)] = &[
    ("passwd", "job:x:1000:1000:job:/job:/bin/false\n"),
    ("group", "job:x:1000:\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
];
/// All devices there are. Nothing else is made in `/dev`, which is read-only.
pub const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
/// Folders of the job's one sized tmpfs, and where the job sees them. The first is the job's own.
pub const WRITABLE: &[(&str, &str)] = &[("job", "/job"), ("tmp", "/tmp"), ("shm", "/dev/shm")];
/// Where the jail's own program stands.
pub const HELPER: &str = "/gaia-jail";
/// The user that the job sees itself as.
pub const UID_INSIDE: u32 = 1000;

/// Flags of `clone` that make a namespace (all but time's, which `clone` can't make).
pub const NAMESPACE_FLAGS: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];
/// Terminal requests that type into someone else's terminal: TIOCSTI and TIOCLINUX.
pub const REFUSED_IOCTLS: [u64; 2] = [0x5412, 0x541c];

/// A list of system calls by name.
macro_rules! calls {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name)),*] };
}

/// Refused with EPERM. Beside these: sockets other than AF_UNIX, `clone` with a namespace flag,
/// `personality` that changes anything, the terminal requests above.
pub const REFUSED: &[(&str, i64)] = calls! {
    // other processes
    SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_kcmp SYS_pidfd_getfd SYS_process_madvise
    // mounts and namespaces
    SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_move_mount SYS_open_tree SYS_fsopen
    SYS_fsconfig SYS_fsmount SYS_fspick SYS_mount_setattr SYS_unshare SYS_setns SYS_quotactl
    SYS_quotactl_fd SYS_swapon SYS_swapoff SYS_name_to_handle_at SYS_open_by_handle_at
    // wide kernel surfaces that no compiler needs
    SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_fanotify_init SYS_fanotify_mark
    SYS_keyctl SYS_add_key SYS_request_key SYS_memfd_secret SYS_vhangup SYS_lookup_dcookie
    SYS_mbind SYS_set_mempolicy SYS_migrate_pages SYS_move_pages SYS_modify_ldt SYS_vmsplice
    // the machine itself
    SYS_kexec_load SYS_kexec_file_load SYS_init_module SYS_finit_module SYS_delete_module
    SYS_reboot SYS_acct SYS_syslog SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex
    SYS_sethostname SYS_setdomainname SYS_ioperm SYS_iopl SYS_nfsservctl SYS_uselib SYS__sysctl
    SYS_ustat SYS_sysfs
};

/// Answered ENOSYS, so that programs fall back: `clone3` hides its flags from a filter in memory.
pub const ABSENT: &[(&str, i64)] = calls! {
    SYS_clone3 SYS_io_uring_setup SYS_io_uring_enter SYS_io_uring_register
};

/// Calls from this number on are answered ENOSYS: they are newer than this list (461 is
/// `lsm_list_modules`), or belong to the x32 interface, whose numbers start at 2^30.
pub const FIRST_UNKNOWN: u32 = 462;
