//! A TiDB inside the test: as much of MySQL's protocol as the node speaks, and the node's own statements,
//! word for word; any other ends the test.

mod packets;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gaia_knowledge::keywords::TidbSettings;
use packets::{Column, Packets, Param};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const USER: &str = "gaia";

/// What is stored, and what goes wrong next.
#[derive(Default)]
pub struct Held {
    /// Texts by collection and point, once there is a table.
    texts: Option<BTreeMap<(String, String), String>>,
    /// Whether it has full-text search.
    is_full_text: bool,
    /// Errors that the next statements are answered with instead.
    pub faults: Vec<u16>,
}

type Shared = Arc<Mutex<Held>>;

/// The server; it ends when it is dropped.
pub struct Fake {
    held: Shared,
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Fake {
    pub async fn start(is_full_text: bool) -> Self {
        let held = Shared::default();
        lock(&held).is_full_text = is_full_text;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, held.clone()));
        Self { held, address, _tasks: tasks }
    }

    pub fn settings(&self) -> TidbSettings {
        let login = Some((USER.to_owned(), "secret".to_owned()));
        let url = format!("mysql://{}/gaia", self.address);
        TidbSettings { url, table: "words".into(), login }
    }

    pub fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }

    /// The texts that are stored.
    pub fn texts(&self) -> usize {
        self.held().texts.as_ref().map_or(0, BTreeMap::len)
    }
}

fn lock(held: &Shared) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, held: Shared) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.expect("it accepts");
        connections.spawn(converse(stream, held.clone()));
    }
}

async fn converse(stream: TcpStream, held: Shared) {
    let mut packets = Packets::new(stream);
    if !packets.greet(USER).await {
        return;
    }
    let mut prepared: Vec<String> = vec![];
    while let Some(packet) = packets.receive().await {
        let (command, rest) = packet.split_first().expect("a command");
        match command {
            0x01 => return,
            // A connection that goes back to the pool, or is asked whether it lives.
            0x0e | 0x1f => packets.ok(0).await,
            0x03 => query(&mut packets, &held, std::str::from_utf8(rest).expect("text")).await,
            0x16 => {
                let statement = String::from_utf8(rest.to_vec()).expect("text");
                let columns = if statement.starts_with("SELECT") { COLUMNS } else { &[] };
                prepared.push(statement.clone());
                let id = u32::try_from(prepared.len()).expect("few");
                packets.prepared(id, statement.matches('?').count(), columns).await;
            }
            0x17 => {
                let id = packets::number(&rest[..4]);
                let statement = &prepared[usize::try_from(id).expect("small") - 1];
                let params = packets::params(&rest[9..], statement.matches('?').count());
                execute(&mut packets, &held, (statement, params)).await;
            }
            0x19 => {}
            other => panic!("the node never sends {other:#x}"),
        }
    }
}

const COLUMNS: &[Column] = &[Column::text("point"), Column::double("score")];

async fn query(packets: &mut Packets, held: &Shared, statement: &str) {
    let is_full_text = lock(held).is_full_text;
    let columns = "collection VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
                   point VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
                   words LONGTEXT NOT NULL, PRIMARY KEY (collection, point)";
    let index = ", FULLTEXT INDEX (words) WITH PARSER MULTILINGUAL";
    let make = |more: &str| {
        format!("CREATE TABLE IF NOT EXISTS `words` ({columns}{more}) DEFAULT CHARSET utf8mb4")
    };
    let probe = "SELECT point FROM `words` WHERE fts_match_word('a', words) LIMIT 1";
    if statement == make(index) && !is_full_text {
        return packets.error(1064, "You have an error in your SQL syntax").await;
    }
    if statement == make(index) || statement == make("") {
        lock(held).texts.get_or_insert_default();
        return packets.ok(0).await;
    }
    assert_eq!(statement, probe);
    match is_full_text {
        true => packets.rows(&COLUMNS[..1], &[]).await,
        false => packets.error(1305, "FUNCTION fts_match_word does not exist").await,
    }
}

async fn execute(packets: &mut Packets, held: &Shared, (statement, params): (&str, Vec<Param>)) {
    let fault = lock(held).faults.pop();
    if let Some(code) = fault {
        return packets.error(code, "a fault of the test's").await;
    }
    let params: Vec<String> = params.into_iter().map(Param::text).collect();
    let done = {
        let mut held = lock(held);
        let is_full_text = held.is_full_text;
        let texts = held.texts.as_mut().expect("the table is made first");
        run(texts, is_full_text, (statement, &params))
    };
    match done {
        Done::Changed(rows) => packets.ok(rows).await,
        Done::Found(rows) => packets.rows(COLUMNS, &rows).await,
    }
}

enum Done {
    Changed(usize),
    Found(Vec<(String, f64)>),
}

fn run(
    texts: &mut BTreeMap<(String, String), String>,
    is_full_text: bool,
    (statement, params): (&str, &[String]),
) -> Done {
    let before = texts.len();
    if let Some(rows) =
        statement.strip_prefix("REPLACE INTO `words` (collection, point, words) VALUES ")
    {
        assert!(rows.split("), (").count() * 3 == params.len(), "{statement}");
        for row in params.chunks(3) {
            texts.insert((row[0].clone(), row[1].clone()), row[2].clone());
        }
        return Done::Changed(params.len() / 3);
    }
    if statement.starts_with("DELETE FROM `words` WHERE collection = ? AND point IN (?") {
        params[1..].iter().for_each(|id| drop(texts.remove(&(params[0].clone(), id.clone()))));
        return Done::Changed(before - texts.len());
    }
    if statement == "DELETE FROM `words` WHERE collection = ? LIMIT ?" {
        texts.retain(|(collection, _), _| *collection != params[0]);
        return Done::Changed(before - texts.len());
    }
    Done::Found(find(texts, is_full_text, (statement, params)))
}

fn find(
    texts: &BTreeMap<(String, String), String>,
    is_full_text: bool,
    (statement, params): (&str, &[String]),
) -> Vec<(String, f64)> {
    let of = |collection: &str| {
        let own = texts.iter().filter(move |((of, _), _)| *of == *collection);
        own.map(|((_, id), text)| (id.clone(), text.to_lowercase())).collect::<Vec<_>>()
    };
    let limit: usize = params.last().expect("a limit").parse().expect("a number");
    let fts = "fts_match_word(?, words)";
    if statement
        == "SELECT point, 0e0 FROM `words` WHERE collection = ? AND point > ? ORDER BY point LIMIT ?"
    {
        let behind = of(&params[0]).into_iter().filter(|(id, _)| *id > params[1]);
        return behind.map(|(id, _)| (id, 0.0)).take(limit).collect();
    }
    let wanted: Vec<String>;
    let collection = if statement
        == format!(
            "SELECT point, {fts} AS score FROM `words` WHERE {fts} AND collection = ? ORDER BY {fts} DESC LIMIT ?"
        ) {
        assert!(is_full_text && params[0] == params[1] && params[0] == params[3]);
        wanted = params[0].split_whitespace().map(str::to_lowercase).collect();
        &params[2]
    } else {
        let count = (params.len() - 2) / 2;
        let one = "(words LIKE ? ESCAPE '!')";
        let (score, any) = (vec![one; count].join(" + "), vec![one; count].join(" OR "));
        assert_eq!(
            statement,
            format!(
                "SELECT point, ({score}) + 0e0 AS score FROM `words` WHERE collection = ? AND ({any}) ORDER BY score DESC, point LIMIT ?"
            )
        );
        assert!(!is_full_text && params[..count] == params[count + 1..2 * count + 1]);
        wanted = params[..count].iter().map(|p| p.trim_matches('%').replace("!_", "_")).collect();
        &params[count]
    };
    let score = |text: &str| {
        let words: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).collect();
        let holds = |word: &&String| match is_full_text {
            true => words.contains(&word.as_str()),
            false => text.contains(word.as_str()),
        };
        let hits = u32::try_from(wanted.iter().filter(holds).count()).expect("few");
        let length = u32::try_from(text.len()).expect("short");
        f64::from(hits) - f64::from(hits.min(1)) * f64::from(length) / 1e6
    };
    let mut found: Vec<_> =
        of(collection).into_iter().map(|(id, text)| (id, score(&text))).collect();
    found.retain(|(_, score)| *score > 0.0);
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    found.truncate(limit);
    found
}
