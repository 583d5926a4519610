//! The pages: what a browser is told about them, and that they are open where the API is not.

use super::*;
use crate::config::ApiKey;

/// The hash of `secret`.
const HASH: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

#[tokio::test]
async fn pages_are_open_where_the_api_is_not() {
    let key = ApiKey { name: "ada".into(), hash: HASH.into(), admin: false };
    let auth = AuthConfig { keys: vec![key] };
    let server = Server::start(ServerConfig::default(), auth, vec![embed()]).await;
    for (path, status) in [
        ("/v1/models", 401),
        ("/page", 401),
        ("/docs/", 401),
        ("/page/../v1/models", 404),
        ("/page/nothing", 404),
        ("/", 200),
        ("/docs", 200),
        ("/page/main.js", 200),
    ] {
        assert_eq!(server.client.get(path).await.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_browser_is_told_to_trust_nothing_else() {
    let server = Server::playing(paris()).await;
    for path in ["/", "/docs", "/page/style.css", "/page/main.js"] {
        let answer = server.client.get(path).await;
        let policy = answer.header("content-security-policy").expect("a policy");
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    }
    let page = server.client.get("/").await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
}
