//! What an app may import. Anything else is refused before it runs.

use crate::ffi::Import;

const MODULES_HINT: &str = "apps may import wasi_snapshot_preview1, wasi_ephemeral_nn and gaia_app";
const WASI_HINT: &str =
    "of WASI an app may import the functions of preview1, without WasmEdge's own sockets";
const NN_HINT: &str = "see the app guide for the functions of wasi_ephemeral_nn";
const APP_HINT: &str = "gaia_app has next_request and emit";
const KIND_HINT: &str = "apps may import functions only, and export their own memory";

/// WASI preview1. WasmEdge's module holds more: sockets that reach the network. They are absent
/// here, so an app can't open one.
const WASI: &[&str] = &[
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// The import with a hint, if it is refused.
pub(super) fn refuse(import: &Import) -> Option<(&Import, &'static str)> {
    let name = import.name.as_str();
    let (known, hint) = match import.module.as_str() {
        _ if !import.is_function => (false, KIND_HINT),
        "wasi_snapshot_preview1" => (WASI.contains(&name), WASI_HINT),
        crate::nn::MODULE => (crate::nn::HOST_FUNCTION_NAMES.contains(&name), NN_HINT),
        gaia_protocol::APP_MODULE => (["next_request", "emit"].contains(&name), APP_HINT),
        _ => (false, MODULES_HINT),
    };
    (!known).then_some((import, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn import(module: &str, name: &str) -> Import {
        Import { module: module.into(), name: name.into(), is_function: true }
    }

    #[test]
    fn sockets_and_foreign_modules_are_refused() {
        for (module, name) in [
            ("env", "memory_grow"),
            ("wasi_snapshot_preview1", "sock_open"),
            ("wasi_snapshot_preview1", "sock_connect_v2"),
            ("wasi_snapshot_preview1", "proc_raise"),
            ("wasi_ephemeral_nn", "steal"),
            ("gaia_app", "next"),
            ("wasmedge_process", "wasmedge_process_run"),
        ] {
            assert!(refuse(&import(module, name)).is_some(), "{module}.{name}");
        }
        let memory = Import { is_function: false, ..import("gaia_app", "emit") };
        assert!(refuse(&memory).is_some());
    }

    #[test]
    fn what_a_rust_command_imports_is_fine() {
        for (module, name) in [
            ("wasi_snapshot_preview1", "fd_write"),
            ("wasi_snapshot_preview1", "proc_exit"),
            ("wasi_ephemeral_nn", "load_by_name_with_config"),
            ("gaia_app", "emit"),
        ] {
            assert!(refuse(&import(module, name)).is_none(), "{module}.{name}");
        }
    }
}
