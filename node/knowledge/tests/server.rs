//! The engine over a Qdrant server, against a strict one inside the test.

mod behaviour;
mod fake;
mod server_only;
mod words;

use gaia_core::Knowledge;
use gaia_knowledge::server::Server;

/// A server that outlives the connections to it.
struct Bench(fake::Fake);

impl behaviour::Bench for Bench {
    async fn open(&self) -> Box<dyn Knowledge> {
        Box::new(Server::connect(self.0.settings()).await.expect("it connects"))
    }
}

async fn bench() -> Bench {
    Bench(fake::Fake::start().await)
}

behaviour::suite!(bench);
