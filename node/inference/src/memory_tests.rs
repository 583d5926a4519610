use super::*;

/// A folder of files that is gone when dropped.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let id = std::process::id();
        let root = std::env::temp_dir().join(format!("gaia-inference-memory-{id}-{name}"));
        for (path, text) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder"))
                .expect("the folder can be made");
            std::fs::write(path, text).expect("the file can be written");
        }
        Self(root)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder left behind does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn this_machine_says_how_much_there_is() {
    let available = available_bytes().expect("Linux says");
    assert!(available > 1 << 20);
}

#[test]
fn a_number_is_read_from_its_line() {
    let text = "MemTotal:  100 kB\nMemAvailable:   42 kB\n";
    assert_eq!(number_after(text, "MemAvailable:"), Some(42));
    assert_eq!(number_after(text, "Nothing:"), None);
    assert_eq!(number_after("MemAvailable: many", "MemAvailable:"), None);
}

#[test]
fn a_limit_of_a_group_above_holds() {
    let folder = Folder::new(
        "v2",
        &[
            ("a/memory.max", "1000\n"),
            ("a/memory.current", "300\n"),
            ("a/memory.stat", "anon 1\ninactive_file 100\n"),
            ("a/b/memory.max", "max\n"),
            ("a/b/memory.current", "10\n"),
        ],
    );
    assert_eq!(group_headroom(&folder.0, "0::/a/b\n"), Some(800));
    assert_eq!(group_headroom(&folder.0, "0::/\n"), None);
}

#[test]
fn the_older_version_is_read_too() {
    let folder = Folder::new(
        "v1",
        &[
            ("memory/memory.limit_in_bytes", "500\n"),
            ("memory/memory.usage_in_bytes", "600\n"),
            ("memory/memory.stat", "total_inactive_file 50\n"),
        ],
    );
    // In a container the path is the host's.
    let groups = "3:cpu,cpuacct:/x\n2:memory:/docker/abc\n0::/\n";
    assert_eq!(group_headroom(&folder.0, groups), Some(0));
}

#[test]
fn lines_that_make_no_sense_are_no_limit() {
    assert_eq!(group_headroom(Path::new("/nowhere"), "nonsense\n\n1:memory\n"), None);
}
