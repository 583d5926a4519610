//! Takes a query string apart, and cuts lists into the pages that it asks for.

use axum::http::Uri;

use super::error::ApiError;
use super::fields::must_be;

/// The parameters of a query that nobody has taken yet.
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Parses the query of `uri`.
    pub fn parse(uri: &Uri) -> Result<Self, ApiError> {
        let parsed = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let axum::extract::Query(pairs) = parsed.map_err(|error| {
            let message = format!("the query is not well-formed: {error}");
            ApiError::new(axum::http::StatusCode::BAD_REQUEST, message)
        })?;
        Ok(Self { pairs })
    }

    /// Takes a parameter; of several with that name, the first.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let found = self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        self.pairs.retain(|(key, _)| key != name);
        found
    }

    /// Refuses what nobody has taken.
    pub fn finish(self) -> Result<(), ApiError> {
        let Some((name, _)) = self.pairs.first() else { return Ok(()) };
        let message = format!("`{name}` is not a parameter of this route");
        Err(ApiError::invalid(name, message).with_code("unknown_parameter"))
    }
}

/// Which part of a list is asked for.
#[derive(Debug)]
pub struct Page {
    after: Option<String>,
    before: Option<String>,
    limit: usize,
    oldest_first: bool,
}

/// Things at most in a page.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Where nothing is asked.
    pub default: usize,
    /// What may be asked.
    pub max: usize,
}

impl Page {
    /// Takes `after`, `limit` and `order`.
    pub fn take(query: &mut Query, limit: Limit) -> Result<Self, ApiError> {
        let after = query.take("after");
        let oldest_first = match query.take("order").as_deref() {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(_) => return Err(must_be("order", "asc or desc")),
        };
        let Some(asked) = query.take("limit") else {
            return Ok(Self { after, before: None, limit: limit.default, oldest_first });
        };
        let fits = asked.parse().ok().filter(|asked| (1..=limit.max).contains(asked));
        let limit = fits.ok_or_else(|| must_be("limit", &format!("from 1 to {}", limit.max)))?;
        Ok(Self { after, before: None, limit, oldest_first })
    }

    /// The same, and takes `before`.
    pub fn before(mut self, query: &mut Query) -> Self {
        self.before = query.take("before");
        self
    }

    /// The page of a list that is given oldest first, and whether more follows it.
    pub fn cut<T>(
        self,
        mut list: Vec<T>,
        id: impl Fn(&T) -> &str,
    ) -> Result<(Vec<T>, bool), ApiError> {
        if !self.oldest_first {
            list.reverse();
        }
        if let Some(after) = self.after {
            let found = list.iter().position(|thing| id(thing) == after);
            let found = found
                .ok_or_else(|| ApiError::invalid("after", "`after` is not an id of this list"))?;
            list.drain(..=found);
        }
        if let Some(before) = self.before {
            let found = list.iter().position(|thing| id(thing) == before);
            let found = found
                .ok_or_else(|| ApiError::invalid("before", "`before` is not an id of this list"))?;
            list.truncate(found);
            // The page ends where the named one begins.
            let skipped = list.len().saturating_sub(self.limit);
            list.drain(..skipped);
            return Ok((list, skipped > 0));
        }
        let has_more = list.len() > self.limit;
        list.truncate(self.limit);
        Ok((list, has_more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { default: 2, max: 3 };

    fn page(query: &str) -> Result<(Vec<&'static str>, bool), ApiError> {
        let uri = format!("/x?{query}").parse().expect("a URI");
        let mut query = Query::parse(&uri)?;
        let page = Page::take(&mut query, LIMIT)?.before(&mut query);
        query.finish()?;
        page.cut(vec!["a", "b", "c"], |id| id)
    }

    #[test]
    fn each_wrong_parameter_is_named() {
        for (query, param) in [
            ("limit=0", "limit"),
            ("limit=4", "limit"),
            ("limit=x", "limit"),
            ("order=up", "order"),
            ("after=z", "after"),
            ("before=z", "before"),
            ("more=1", "more"),
        ] {
            assert_eq!(page(query).expect_err(query).param.as_deref(), Some(param));
        }
    }

    #[test]
    fn pages_follow_each_other() {
        assert_eq!(page("").expect("good"), (vec!["c", "b"], true));
        assert_eq!(page("after=b").expect("good"), (vec!["a"], false));
        assert_eq!(page("order=asc&limit=3").expect("good"), (vec!["a", "b", "c"], false));
        assert_eq!(page("before=a&limit=1").expect("good"), (vec!["b"], true));
        assert_eq!(page("before=b").expect("good"), (vec!["c"], false));
        assert_eq!(page("order=asc&limit=1&after=a").expect("good"), (vec!["b"], true));
    }
}
