//! The HTTP client itself: how it resolves names, trusts certificates and follows redirects.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Response, Url};

use crate::address::{PrivateAddresses, is_public};
use crate::error::{HopError, Refusal, TransportError};
use crate::headers::text;
use crate::target::{redirected, same_server, shown};

/// How connections are made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub connect_timeout: Duration,
    pub private_addresses: PrivateAddresses,
    pub redirects_max: u32,
}

/// A client that follows redirects itself, one checked step at a time.
pub(crate) struct Http {
    pub client: reqwest::Client,
    pub settings: Settings,
}

/// One GET: its headers, and how long a head may take.
pub(crate) struct Get {
    pub url: Url,
    pub headers: HeaderMap,
    pub head_timeout: Duration,
}

impl Http {
    pub fn new(settings: Settings) -> Result<Self, TransportError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(settings.connect_timeout)
            .user_agent(concat!("gaia-node/", env!("CARGO_PKG_VERSION")));
        let builder = match settings.private_addresses {
            PrivateAddresses::Allow => builder,
            PrivateAddresses::Refuse => builder.dns_resolver(Arc::new(PublicNames)),
        };
        let client = builder.build().map_err(|error| setup(&error))?;
        Ok(Self { client, settings })
    }

    /// The head of the answer at the end of all redirects.
    pub async fn get(&self, mut get: Get) -> Result<Response, HopError> {
        for _ in 0..=self.settings.redirects_max {
            let response = self.hop(&get).await?;
            if !response.status().is_redirection() || response.status().as_u16() == 304 {
                return Ok(response);
            }
            let next = self.next_hop(&get.url, &response)?;
            if !same_server(&get.url, &next) {
                get.headers.retain_for_another_server();
            }
            get.url = next;
        }
        let redirects_max = self.settings.redirects_max;
        Err(Refusal::Redirects { url: shown(&get.url), redirects_max }.into())
    }

    async fn hop(&self, get: &Get) -> Result<Response, HopError> {
        let request = self.client.get(get.url.clone()).headers(get.headers.clone());
        match tokio::time::timeout(get.head_timeout, request.send()).await {
            Ok(answer) => answer.map_err(|error| failed(&get.url, error)),
            Err(_) => {
                let waited = get.head_timeout;
                Err(TransportError::Silent { url: shown(&get.url), waited }.into())
            }
        }
    }

    fn next_hop(&self, from: &Url, response: &Response) -> Result<Url, Refusal> {
        let bad =
            || Refusal::BadRedirect { url: shown(from), reason: "it names no address".into() };
        let location = text(response, LOCATION).ok_or_else(bad)?;
        redirected(from, &location, self.settings.private_addresses)
    }
}

/// What may go along when a redirect leads to another server.
trait RetainForAnotherServer {
    /// Keeps what this crate wrote; the caller's headers may hold keys under any name.
    fn retain_for_another_server(&mut self);
}

impl RetainForAnotherServer for HeaderMap {
    fn retain_for_another_server(&mut self) {
        let secret: Vec<_> = self
            .iter()
            .filter(|(name, value)| value.is_sensitive() || *name == AUTHORIZATION)
            .map(|(name, _)| name.clone())
            .collect();
        for name in secret {
            self.remove(name);
        }
    }
}

/// What a failed request says, in words of this crate and without the URL's secrets.
pub(crate) fn failed(url: &Url, error: reqwest::Error) -> HopError {
    let url_shown = shown(url);
    if causes(&error).any(|cause| cause.is::<PrivateName>()) {
        let host = url.host_str().unwrap_or_default().into();
        return Refusal::PrivateAddress { host }.into();
    }
    let connect = error.is_connect();
    let reason = reason(&error.without_url());
    match connect {
        true => TransportError::Connect { url: url_shown, reason }.into(),
        false => TransportError::Broken { url: url_shown, reason }.into(),
    }
}

/// The causes of an error in one line; its own text is "error sending request" and says nothing.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let causes: Vec<_> = causes(error).map(ToString::to_string).collect();
    match causes.is_empty() {
        true => error.to_string(),
        false => causes.join(": "),
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&'a (dyn Error + 'static)| (*cause).source())
}

/// TLS by ring, with the certificates that this machine trusts. A machine without any can still call
/// plain http; https then fails by the unknown issuer.
fn tls() -> Result<rustls::ClientConfig, TransportError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| setup(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn setup(error: &dyn Error) -> TransportError {
    TransportError::Setup { reason: error.to_string() }
}

/// Resolves names, and fails for a name with any address that is not public. The connection is made
/// to these very addresses, so a name can't change its mind in between.
struct PublicNames;

/// A name led to a private address.
#[derive(Debug)]
struct PrivateName;

impl fmt::Display for PrivateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name leads to a private address")
    }
}

impl Error for PrivateName {}

impl Resolve for PublicNames {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            if found.iter().any(|address| !is_public(address.ip())) {
                return Err(PrivateName.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
