//! Compiled apps on disk.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gaia_protocol::AppConfig;

use super::guest::{Folder, module};
use crate::AppPool;
use crate::nn::fake::FakeModel;

fn start(config: &AppConfig) {
    drop(AppPool::start_with(FakeModel::says("hi"), config, "tiny").expect("the app starts"));
}

fn entries(cache: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(cache)
        .expect("there is a cache")
        .map(|file| file.expect("listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "lock"))
        .collect();
    files.sort();
    files
}

fn written(file: &Path) -> SystemTime {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).expect("a file")
}

#[test]
fn an_app_is_compiled_once() {
    let folder = Folder::new();
    let config = folder.app(&module("(drop (call $take)) (call $reply)"));
    start(&config);
    let first = entries(&config.cache_dir);
    assert_eq!(first.len(), 1, "one entry and no temporary file: {first:?}");
    let made = written(&first[0]);
    start(&config);
    assert_eq!(entries(&config.cache_dir), first);
    assert_eq!(written(&first[0]), made);
}

#[test]
fn other_content_and_other_options_are_other_entries() {
    let folder = Folder::new();
    let mut config = folder.app(&module("(drop (call $take)) (call $reply)"));
    start(&config);
    config.instructions_max = Some(1_000_000);
    start(&config);
    assert_eq!(entries(&config.cache_dir).len(), 2);
    start(&folder.app(&module("(drop (call $take))")));
    assert_eq!(entries(&config.cache_dir).len(), 3);
}

#[test]
fn a_damaged_entry_is_made_anew() {
    let folder = Folder::new();
    let config = folder.app(&module("(drop (call $take)) (call $reply)"));
    start(&config);
    let entry = entries(&config.cache_dir).remove(0);
    let good = std::fs::read(&entry).expect("an entry");
    for damaged in
        [&good[..good.len() / 2], b"", &[&good[..40], &[good[40] ^ 1], &good[41..]].concat()]
    {
        std::fs::write(&entry, damaged).expect("damaged");
        start(&config);
        let mended = std::fs::read(&entry).expect("an entry");
        assert_eq!(mended.len(), good.len());
        assert_ne!(mended, damaged);
    }
}

#[test]
fn several_starts_at_once_share_one_entry() {
    let folder = Folder::new();
    let config = folder.app(&module("(drop (call $take)) (call $reply)"));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| start(&config));
        }
    });
    assert_eq!(entries(&config.cache_dir).len(), 1);
}

#[test]
fn a_cache_that_is_no_folder_is_named() {
    let folder = Folder::new();
    let mut config = folder.app(&module("(drop (call $take))"));
    config.cache_dir = config.path.clone();
    let error = AppPool::start_with(FakeModel::says("hi"), &config, "tiny").err().expect("refused");
    assert!(error.to_string().contains("cache_dir"), "{error}");
}
