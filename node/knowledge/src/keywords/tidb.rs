//! Texts in TiDB, over MySQL's protocol: one table, one row for each point.
//!
//! Words are found by TiDB's full-text search (`fts_match_word`, BM25). A TiDB that has none, which are
//! all but the cloud's, and MySQL find texts that hold the question's words as they are written (`LIKE`):
//! slow, for each text is read, and without stems; the log says so when the node starts.
//!
//! All that comes from outside is a parameter; the table's name is checked and never a request's.

use std::time::Duration;

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{PointId, Reply};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts, Value};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{KeywordIndex, Lookup, Text};

/// Rows of one statement, and about so many bytes.
const BATCH: usize = 128;
const BATCH_BYTES: usize = 4 << 20;

/// Ids of one page, and rows that are removed at once: TiDB limits the size of a transaction.
const PAGE: usize = 1000;
const REMOVED_AT_ONCE: u64 = 5000;

/// Connections, and requests at a time; one more is answered overloaded.
const CONNECTIONS_MAX: usize = 16;
const REQUESTS_MAX: usize = 64;

/// A statement takes so long at most.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Words of a question that are looked for where there is no full-text search.
const WORDS_MAX: usize = 16;

/// Letters of a table's name at most.
const NAME_CHARS_MAX: usize = 64;

/// MySQL's largest packet, and how long a server keeps a connection that says nothing.
const PACKET_BYTES_MAX: usize = 16 << 20;
const WAIT_S: usize = 28_800;

/// Errors by which a server says that the connection or the account is wrong, and not the statement.
const DENIED: [u16; 4] = [1044, 1045, 1049, 1142];

/// Errors by which a server says that its disk is full.
const FULL: [u16; 3] = [1021, 1114, 9003];

/// Where TiDB is.
#[derive(Clone, Debug)]
pub struct TidbSettings {
    /// Its address, such as `mysql://localhost:4000/gaia`; `?require_ssl=true` for TLS.
    pub url: String,
    /// The table; it is made if it is not there.
    pub table: String,
    /// A user and a password, if it wants some.
    pub login: Option<(String, String)>,
}

/// An index of texts in TiDB.
pub struct Tidb {
    pool: Pool,
    statements: Statements,
    requests: Semaphore,
}

/// What is said to the server; the table's name is in it.
struct Statements {
    table: String,
    /// Whether the server has full-text search.
    is_full_text: bool,
}

impl Tidb {
    /// Connects, and makes the table if it is not there.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`]: a setting is wrong; [`KnowledgeError::Unavailable`]: there is no
    /// server, or it refuses the login or the table.
    pub async fn connect(settings: TidbSettings) -> Result<Self, KnowledgeError> {
        let TidbSettings { url, table, login } = settings;
        check_table(&table)?;
        let pool = Pool::new(options(&url, login)?);
        let mut connection = connect(&pool).await?;
        let is_full_text = make(&mut connection, &table).await?;
        if !is_full_text {
            tracing::warn!(
                table,
                "this server has no full-text search: words are looked for by LIKE, which reads all"
            );
        }
        drop(connection);
        let statements = Statements { table, is_full_text };
        Ok(Self { pool, statements, requests: Semaphore::new(REQUESTS_MAX) })
    }

    async fn run(&self, statement: String, values: Vec<Value>) -> Result<u64, KnowledgeError> {
        let _turn = self.requests.try_acquire().map_err(|_| KnowledgeError::Overloaded)?;
        within(async {
            let mut connection = self.pool.get_conn().await?;
            connection.exec_drop(statement, values).await?;
            Ok(connection.affected_rows())
        })
        .await
    }

    /// Ids, and scores where there are some.
    async fn rows(
        &self,
        statement: String,
        values: Vec<Value>,
    ) -> Result<Vec<(PointId, f32)>, KnowledgeError> {
        let _turn = self.requests.try_acquire().map_err(|_| KnowledgeError::Overloaded)?;
        let rows: Vec<(String, f64)> = within(async {
            let mut connection = self.pool.get_conn().await?;
            connection.exec(statement, values).await
        })
        .await?;
        #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
        let row = |(id, score): (String, f64)| {
            id.parse().map(|id| (id, score as f32)).map_err(|error: String| broken(&error))
        };
        rows.into_iter().map(row).collect()
    }

    async fn put_all(&self, collection: String, texts: Vec<Text>) -> Result<(), KnowledgeError> {
        let (mut values, mut bytes, mut count) = (vec![], 0, 0);
        for text in texts {
            let size = text.words.len();
            if count > 0 && (count == BATCH || bytes + size > BATCH_BYTES) {
                let statement = self.statements.put(count);
                self.run(statement, std::mem::take(&mut values)).await?;
                (bytes, count) = (0, 0);
            }
            values.extend([
                Value::from(&collection),
                Value::from(text.id.to_string()),
                Value::from(text.words),
            ]);
            (bytes, count) = (bytes + size, count + 1);
        }
        match count {
            0 => Ok(()),
            _ => self.run(self.statements.put(count), values).await.map(drop),
        }
    }

    async fn remove_all(
        &self,
        collection: String,
        ids: Vec<PointId>,
    ) -> Result<(), KnowledgeError> {
        for ids in ids.chunks(PAGE) {
            let mut values = vec![Value::from(&collection)];
            values.extend(ids.iter().map(|id| Value::from(id.to_string())));
            self.run(self.statements.remove(ids.len()), values).await?;
        }
        Ok(())
    }

    async fn forget_all(&self, collection: String) -> Result<(), KnowledgeError> {
        loop {
            let values = vec![Value::from(&collection), Value::from(REMOVED_AT_ONCE)];
            if self.run(self.statements.forget(), values).await? < REMOVED_AT_ONCE {
                return Ok(());
            }
        }
    }
}

impl Statements {
    fn put(&self, rows: usize) -> String {
        let rows = vec!["(?, ?, ?)"; rows].join(", ");
        format!("REPLACE INTO `{}` (collection, point, words) VALUES {rows}", self.table)
    }

    fn remove(&self, ids: usize) -> String {
        let ids = vec!["?"; ids].join(", ");
        format!("DELETE FROM `{}` WHERE collection = ? AND point IN ({ids})", self.table)
    }

    fn forget(&self) -> String {
        format!("DELETE FROM `{}` WHERE collection = ? LIMIT ?", self.table)
    }

    fn list(&self) -> String {
        format!(
            "SELECT point, 0e0 FROM `{}` WHERE collection = ? AND point > ? ORDER BY point LIMIT ?",
            self.table
        )
    }

    /// The statement that finds texts, and its values; nothing if no word is left.
    fn find(&self, lookup: Lookup) -> Option<(String, Vec<Value>)> {
        let Lookup { collection, words, limit } = lookup;
        let table = &self.table;
        if words.trim().is_empty() {
            return None;
        }
        if self.is_full_text {
            let score = "fts_match_word(?, words)";
            let statement = format!(
                "SELECT point, {score} AS score FROM `{table}` WHERE {score} AND collection = ? \
                 ORDER BY {score} DESC LIMIT ?"
            );
            let words = Value::from(words);
            let (limit, collection) = (Value::from(limit), Value::from(collection));
            return Some((statement, vec![words.clone(), words.clone(), collection, words, limit]));
        }
        let patterns = patterns(&words);
        if patterns.is_empty() {
            return None;
        }
        let one = "(words LIKE ? ESCAPE '!')";
        let score = vec![one; patterns.len()].join(" + ");
        let any = vec![one; patterns.len()].join(" OR ");
        let statement = format!(
            "SELECT point, ({score}) + 0e0 AS score FROM `{table}` WHERE collection = ? AND ({any}) \
             ORDER BY score DESC, point LIMIT ?"
        );
        let mut values = patterns.clone();
        values.push(Value::from(collection));
        values.extend(patterns);
        values.push(Value::from(limit));
        Some((statement, values))
    }
}

/// A question's words as patterns; what would stand for other letters is escaped.
fn patterns(words: &str) -> Vec<Value> {
    let mut seen = vec![];
    for word in words.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| !w.is_empty()) {
        let word = word.to_lowercase();
        if !seen.contains(&word) && seen.len() < WORDS_MAX {
            seen.push(word);
        }
    }
    let pattern = |word: String| Value::from(format!("%{}%", word.replace('_', "!_")));
    seen.into_iter().map(pattern).collect()
}

impl KeywordIndex for Tidb {
    fn find(&self, lookup: Lookup) -> Reply<'_, Vec<(PointId, f32)>> {
        Box::pin(async {
            match self.statements.find(lookup) {
                Some((statement, values)) => self.rows(statement, values).await,
                None => Ok(vec![]),
            }
        })
    }

    fn put(&self, collection: &str, texts: Vec<Text>) -> Reply<'_, ()> {
        Box::pin(self.put_all(collection.to_owned(), texts))
    }

    fn remove(&self, collection: &str, ids: Vec<PointId>) -> Reply<'_, ()> {
        Box::pin(self.remove_all(collection.to_owned(), ids))
    }

    fn forget(&self, collection: &str) -> Reply<'_, ()> {
        Box::pin(self.forget_all(collection.to_owned()))
    }

    fn list(&self, collection: &str, after: Option<PointId>) -> Reply<'_, Vec<PointId>> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let values = vec![Value::from(collection), Value::from(after), Value::from(PAGE)];
        Box::pin(async {
            let rows = self.rows(self.statements.list(), values).await?;
            Ok(rows.into_iter().map(|(id, _)| id).collect())
        })
    }
}

fn options(url: &str, login: Option<(String, String)>) -> Result<OptsBuilder, KnowledgeError> {
    let wrong = |what: &str| {
        KnowledgeError::invalid(format!("url: {what}; write mysql://HOST:4000/DATABASE"))
    };
    let read = Opts::from_url(url).map_err(|error| wrong(&error.to_string()))?;
    if read.pass().is_some() {
        return Err(wrong("a password does not belong here, but into password_env"));
    }
    if read.db_name().is_none_or(str::is_empty) {
        return Err(wrong("it names no database"));
    }
    let constraints = PoolConstraints::new(0, CONNECTIONS_MAX).expect("0 is not more than that");
    let options = OptsBuilder::from_opts(read)
        .prefer_socket(false)
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(WAIT_S))
        .pool_opts(PoolOpts::new().with_constraints(constraints));
    Ok(match login {
        Some((user, password)) => options.user(Some(user)).pass(Some(password)),
        None => options,
    })
}

async fn connect(pool: &Pool) -> Result<Conn, KnowledgeError> {
    within(pool.get_conn()).await
}

/// Makes the table; returns whether it can be searched by words.
async fn make(connection: &mut Conn, table: &str) -> Result<bool, KnowledgeError> {
    let columns = "collection VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
                   point VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, \
                   words LONGTEXT NOT NULL, PRIMARY KEY (collection, point)";
    let make = |more: &str| {
        format!("CREATE TABLE IF NOT EXISTS `{table}` ({columns}{more}) DEFAULT CHARSET utf8mb4")
    };
    let index = ", FULLTEXT INDEX (words) WITH PARSER MULTILINGUAL";
    let made = run_once(connection, &make(index)).await?;
    if !made && !run_once(connection, &make("")).await? {
        let message = format!("TiDB refuses to make the table `{table}`: make it by hand");
        return Err(KnowledgeError::Unavailable { message });
    }
    let probe = format!("SELECT point FROM `{table}` WHERE fts_match_word('a', words) LIMIT 1");
    run_once(connection, &probe).await
}

/// Runs a statement; false if the server can't do what it says.
async fn run_once(connection: &mut Conn, statement: &str) -> Result<bool, KnowledgeError> {
    let run = async {
        match connection.query_drop(statement).await {
            Ok(()) => Ok(true),
            Err(Error::Server(error)) if !DENIED.contains(&error.code) => Ok(false),
            Err(error) => Err(error),
        }
    };
    within(run).await
}

async fn within<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, KnowledgeError> {
    let late = |_| KnowledgeError::unavailable("TiDB did not answer in time");
    timeout(TIMEOUT, work).await.map_err(late)?.map_err(|error| own(&error))
}

fn own(error: &Error) -> KnowledgeError {
    match error {
        Error::Server(error) if FULL.contains(&error.code) => KnowledgeError::DiskFull,
        error => KnowledgeError::unavailable(format!("TiDB: {error}")),
    }
}

/// A name that needs no escape.
fn check_table(name: &str) -> Result<(), KnowledgeError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_good = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(is_plain);
    match is_good {
        true => Ok(()),
        false => Err(KnowledgeError::invalid(format!(
            "index: {name:?} is no name of a table: use 1 to {NAME_CHARS_MAX} letters (a-z), digits \
             and `_`, and begin with a letter"
        ))),
    }
}

fn broken(what: &str) -> KnowledgeError {
    KnowledgeError::unavailable(format!("the table of keywords holds what was not written: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(words: &str) -> Lookup {
        Lookup { collection: "c".into(), words: words.into(), limit: 5 }
    }

    #[test]
    fn nothing_from_outside_is_part_of_a_statement() {
        let evil = "'; DROP TABLE gaia; -- %_!";
        for is_full_text in [true, false] {
            let statements = Statements { table: "gaia".into(), is_full_text };
            let found = Lookup { collection: evil.into(), ..lookup(evil) };
            let (statement, values) = statements.find(found).expect("words");
            assert!(!statement.contains("DROP"), "{statement}");
            assert_eq!(statement.matches('?').count(), values.len(), "{statement}");
        }
        for name in ["", "a`b", "a b", "a.b", "1", "a'", "ä", &"a".repeat(65)] {
            assert!(check_table(name).is_err(), "{name:?}");
        }
        assert!(check_table("gaia_words").is_ok());
    }

    #[test]
    fn a_word_stands_for_itself_and_counts_once() {
        let text = |value: &Value| match value {
            Value::Bytes(bytes) => String::from_utf8(bytes.clone()).expect("text"),
            other => panic!("{other:?}"),
        };
        let found: Vec<_> = patterns("The a_b, the 100%!").iter().map(text).collect();
        assert_eq!(found, ["%the%", "%a!_b%", "%100%"]);
        let statements = Statements { table: "t".into(), is_full_text: false };
        assert_eq!(statements.find(lookup(" %! ")), None);
        assert_eq!(patterns(&"a b c d e f ".repeat(9)).len(), 6);
    }

    #[test]
    fn addresses_without_a_database_or_with_a_password_are_refused() {
        for url in ["mysql://h:4000", "mysql://u:secret@h/d", "http://h/d", "h"] {
            let error = options(url, None).expect_err(url).to_string();
            assert!(error.starts_with("url: ") && !error.contains("secret"), "{error}");
        }
        assert!(options("mysql://h:4000/gaia?require_ssl=true", None).is_ok());
    }
}
