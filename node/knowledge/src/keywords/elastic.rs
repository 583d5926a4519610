//! Texts in Elasticsearch: one index, one document for each point.

use std::time::Duration;

use gaia_core::KnowledgeError;
use gaia_core::knowledge::{PointId, Reply};
use gaia_net::{Auth, Call, CallError, Client, ClientOptions, Method};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{KeywordIndex, Lookup, Text};

/// Documents, and about so many bytes, of one request at most.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 4 << 20;

/// Ids of one page.
const PAGE: usize = 1000;

/// Requests at a time; one more is answered overloaded.
const REQUESTS_MAX: usize = 64;

/// A search, and a write, which waits until what it wrote can be found.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(10);
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// Letters of an index's name at most.
const NAME_CHARS_MAX: usize = 64;

/// Where Elasticsearch is.
#[derive(Clone, Debug)]
pub struct ElasticSettings {
    /// Its address, such as `https://localhost:9200`.
    pub url: String,
    /// The index; it is made if it is not there.
    pub index: String,
    /// A user and a password, if it wants some.
    pub login: Option<(String, String)>,
}

/// An index of texts in Elasticsearch.
pub struct Elastic {
    client: Client,
    /// Ends without a slash.
    url: String,
    index: String,
    auth: Auth,
    requests: Semaphore,
}

impl Elastic {
    /// Connects, and makes the index if it is not there.
    ///
    /// # Errors
    /// [`KnowledgeError::Invalid`]: a setting is wrong; [`KnowledgeError::Unavailable`]: there is no
    /// Elasticsearch, or it refuses the login.
    pub async fn connect(settings: ElasticSettings) -> Result<Self, KnowledgeError> {
        let ElasticSettings { url, index, login } = settings;
        check_index(&index)?;
        // A redirect would see the password.
        let options = ClientOptions { redirects_max: 0, ..ClientOptions::default() };
        let client = Client::new(options).map_err(KnowledgeError::unavailable)?;
        let auth = login.map_or(Auth::None, |(user, password)| Auth::Basic { user, password });
        let url = url.trim_end_matches('/').to_owned();
        let requests = Semaphore::new(REQUESTS_MAX);
        let this = Self { client, url, index, auth, requests };
        this.make().await?;
        Ok(this)
    }

    async fn make(&self) -> Result<(), KnowledgeError> {
        let keyword = json!({"type": "keyword"});
        let body = json!({"mappings": {"dynamic": "strict", "properties": {
            "collection": keyword, "point": keyword, "words": {"type": "text"}}}});
        let call = Call { body: Some(body), ..self.call(Method::Put, &self.index) };
        match self.client.json(&call).await {
            Err(CallError::Status { status: 400, excerpt, .. })
                if excerpt.contains("resource_already_exists_exception") =>
            {
                Ok(())
            }
            done => done.map(drop).map_err(own),
        }
    }

    fn call(&self, method: Method, path: &str) -> Call {
        let url = format!("{}/{path}", self.url);
        Call { auth: self.auth.clone(), timeout: WRITE_TIMEOUT, ..Call::new(method, url) }
    }

    async fn ask(&self, call: Call) -> Result<Value, KnowledgeError> {
        let _turn = self.requests.try_acquire().map_err(|_| KnowledgeError::Overloaded)?;
        self.client.json(&call).await.map_err(own)
    }

    /// The ids and scores of a search.
    async fn search(&self, body: Value) -> Result<Vec<(PointId, f32)>, KnowledgeError> {
        let call = self.call(Method::Post, &format!("{}/_search", self.index));
        let call = Call { body: Some(body), timeout: SEARCH_TIMEOUT, ..call };
        let answer = self.ask(call).await?;
        let hits = answer["hits"]["hits"].as_array().ok_or_else(|| broken("it lists no hits"))?;
        hits.iter().map(hit).collect()
    }

    /// Writes, line by line; each must say that it was done.
    async fn bulk(&self, lines: Vec<Value>) -> Result<(), KnowledgeError> {
        let call = self.call(Method::Post, "_bulk?refresh=wait_for");
        let call = Call { body: Some(Value::Array(lines)), is_lines: true, ..call };
        let answer = self.ask(call).await?;
        let items = answer["items"].as_array().ok_or_else(|| broken("it lists no items"))?;
        let results = items.iter().filter_map(|item| item.as_object()?.values().next());
        for result in results {
            let status = result["status"].as_u64().unwrap_or_default();
            // What is to be removed and is not there is removed.
            if !(200..300).contains(&status) && status != 404 {
                return Err(refused(status, &result["error"]["reason"].to_string()));
            }
        }
        Ok(())
    }

    async fn write(&self, actions: Vec<(Vec<Value>, usize)>) -> Result<(), KnowledgeError> {
        let (mut lines, mut bytes, mut count) = (vec![], 0, 0);
        for (action, size) in actions {
            if count > 0 && (count == BATCH || bytes + size > BATCH_BYTES) {
                self.bulk(std::mem::take(&mut lines)).await?;
                (bytes, count) = (0, 0);
            }
            lines.extend(action);
            (bytes, count) = (bytes + size, count + 1);
        }
        if count > 0 { self.bulk(lines).await } else { Ok(()) }
    }

    fn place(&self, collection: &str, id: PointId) -> Value {
        json!({"_index": self.index, "_id": format!("{collection}/{id}")})
    }
}

impl KeywordIndex for Elastic {
    fn find(&self, lookup: Lookup) -> Reply<'_, Vec<(PointId, f32)>> {
        let Lookup { collection, words, limit } = lookup;
        Box::pin(self.search(json!({
            "size": limit,
            "_source": ["point"],
            "query": {"bool": {
                "filter": [{"term": {"collection": collection}}],
                "must": [{"match": {"words": {"query": words}}}],
            }},
        })))
    }

    fn put(&self, collection: &str, texts: Vec<Text>) -> Reply<'_, ()> {
        let action = |text: Text| {
            let place = self.place(collection, text.id);
            let size = text.words.len() + 256;
            let document = json!({"collection": collection, "point": text.id.to_string(),
                "words": text.words});
            (vec![json!({"index": place}), document], size)
        };
        let actions = texts.into_iter().map(action).collect();
        Box::pin(self.write(actions))
    }

    fn remove(&self, collection: &str, ids: Vec<PointId>) -> Reply<'_, ()> {
        let action = |id| (vec![json!({"delete": self.place(collection, id)})], 256);
        let actions = ids.into_iter().map(action).collect();
        Box::pin(self.write(actions))
    }

    fn forget(&self, collection: &str) -> Reply<'_, ()> {
        let path = format!("{}/_delete_by_query?refresh=true&conflicts=proceed", self.index);
        let body = json!({"query": {"term": {"collection": collection}}});
        let call = Call { body: Some(body), ..self.call(Method::Post, &path) };
        Box::pin(async { self.ask(call).await.map(drop) })
    }

    fn list(&self, collection: &str, after: Option<PointId>) -> Reply<'_, Vec<PointId>> {
        let mut body = json!({
            "size": PAGE,
            "_source": ["point"],
            "query": {"bool": {"filter": [{"term": {"collection": collection}}]}},
            "sort": [{"point": "asc"}],
        });
        if let Some(after) = after {
            body["search_after"] = json!([after.to_string()]);
        }
        Box::pin(async {
            let found = self.search(body).await?;
            Ok(found.into_iter().map(|(id, _)| id).collect())
        })
    }
}

fn hit(hit: &Value) -> Result<(PointId, f32), KnowledgeError> {
    let id = hit["_source"]["point"].as_str().unwrap_or_default().parse();
    #[expect(clippy::cast_possible_truncation, reason = "scores are f32")]
    let score = hit["_score"].as_f64().unwrap_or_default() as f32;
    id.map(|id| (id, score)).map_err(|error: String| broken(&error))
}

/// A name that is the same in a path and in every version.
fn check_index(name: &str) -> Result<(), KnowledgeError> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let is_good = (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(is_plain);
    match is_good {
        true => Ok(()),
        false => Err(KnowledgeError::invalid(format!(
            "index: {name:?} is no name: use 1 to {NAME_CHARS_MAX} small letters (a-z), digits, `_` \
             and `-`, and begin with a letter"
        ))),
    }
}

fn own(error: CallError) -> KnowledgeError {
    match error {
        CallError::Status { status, excerpt, .. } => refused(status.into(), &excerpt),
        error => KnowledgeError::unavailable(format!("Elasticsearch: {error}")),
    }
}

fn refused(status: u64, reason: &str) -> KnowledgeError {
    if status == 429 && !reason.contains("disk") {
        return KnowledgeError::Overloaded;
    }
    if reason.contains("disk usage exceeded") {
        return KnowledgeError::DiskFull;
    }
    KnowledgeError::unavailable(format!("Elasticsearch refuses ({status}): {reason}"))
}

fn broken(what: &str) -> KnowledgeError {
    KnowledgeError::unavailable(format!("Elasticsearch answers as none does: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_indices() {
        for name in ["", "A", "_a", "1a", "a/b", "a*", "a,b", "a?", "ä", &"a".repeat(65)] {
            assert!(check_index(name).is_err(), "{name:?}");
        }
        assert!(check_index("gaia-node_2").is_ok());
    }

    #[test]
    fn refusals_are_what_a_caller_can_do_about_them() {
        assert_eq!(refused(429, "rejected execution"), KnowledgeError::Overloaded);
        let full = "disk usage exceeded flood-stage watermark, index has read-only block";
        assert_eq!(refused(429, full), KnowledgeError::DiskFull);
        assert!(matches!(refused(401, "no"), KnowledgeError::Unavailable { .. }));
    }
}
