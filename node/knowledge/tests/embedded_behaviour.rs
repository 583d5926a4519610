//! The embedded engine, in a folder of each test's own.

mod behaviour;

use gaia_core::Knowledge;
use gaia_knowledge::{Embedded, SnapshotLimits};
use tempfile::TempDir;

/// A folder that outlives the engines over it.
struct Bench(TempDir);

impl behaviour::Bench for Bench {
    async fn open(&self) -> Box<dyn Knowledge> {
        let opened = Embedded::open(self.0.path(), SnapshotLimits { bytes_max: 1 << 30 });
        Box::new(opened.expect("it opens"))
    }
}

async fn bench() -> Bench {
    Bench(tempfile::tempdir().expect("a folder"))
}

behaviour::suite!(bench);
