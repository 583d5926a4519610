//! What only an engine over a network does.

mod connect;
mod faults;
mod names;
mod snapshots;
mod vectors;

use gaia_knowledge::server::Server;

use crate::behaviour::{animals, fill};
use crate::fake::Fake;

/// A server whose collection `c` has the animals.
async fn filled() -> (Fake, Server) {
    let fake = Fake::start().await;
    let server = connect(&fake).await;
    fill(&server, animals()).await;
    (fake, server)
}

async fn connect(fake: &Fake) -> Server {
    Server::connect(fake.settings()).await.expect("it connects")
}
