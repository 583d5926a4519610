//! Where the loadable ggml backends lie, and which one was chosen.

use std::path::PathBuf;

use crate::EngineConfig;

/// The folder of the config; else `../lib/ggml` from the program, where an installation has it;
/// else where this program's build put them.
pub(crate) fn folder(config: &EngineConfig) -> PathBuf {
    config
        .backends_dir
        .clone()
        .or_else(installed)
        .unwrap_or_else(|| PathBuf::from(env!("GAIA_BUILD_BACKENDS_DIR")))
}

fn installed() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?.parent()?.join("lib/ggml");
    folder.is_dir().then_some(folder)
}

/// The variant of the CPU backend in this process, such as `zen4`; empty if there is only one kind.
///
/// ggml does not say which it chose, but the kernel says which file is mapped.
pub(crate) fn cpu_variant() -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    mapped_variant(&maps).unwrap_or_default().to_owned()
}

fn mapped_variant(maps: &str) -> Option<&str> {
    let names = maps.lines().filter_map(|line| line.rsplit('/').next());
    names
        .filter_map(|name| name.strip_prefix("libggml-cpu-"))
        .find_map(|name| name.split('.').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variant_is_read_from_the_mapped_file() {
        let maps = "7f00-7f10 r-xp 00000000 08:01 1 /usr/lib/libc.so.6\n\
            7f20-7f30 r-xp 00000000 08:01 2 /opt/a b/lib/ggml/libggml-cpu-zen4.so\n";
        assert_eq!(mapped_variant(maps), Some("zen4"));
        assert_eq!(mapped_variant("7f00-7f10 rw-p 0 00:00 0 \n"), None);
    }

    #[test]
    fn the_config_wins() {
        let mut config = EngineConfig::new("model.gguf", crate::EngineKind::Generate);
        config.backends_dir = Some("/elsewhere".into());
        assert_eq!(folder(&config), PathBuf::from("/elsewhere"));
    }
}
