//! HTTP as the providers need it: clients that are built when first used, and what their errors mean.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::{Client, Url, redirect};

use crate::core::failure::{FailureClass, with_causes};

use super::dialect::{Cause, ProviderError};

/// A host that does not answer a connection for so long is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The clients of the process. Building one with TLS reads the system's certificates, which takes longer than the
/// whole start of the program may.
#[derive(Default)]
pub(super) struct Clients {
    tls: OnceLock<(Client, Connections)>,
    plain: OnceLock<(Client, Connections)>,
    local: OnceLock<(Client, Connections)>,
}

/// Counts the connections that a client makes: a request for which none was made went over one that was open already.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<AtomicU64>);

impl Connections {
    pub(super) fn made(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl<S> tower_layer::Layer<S> for Connections {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, connections: self.clone() }
    }
}

#[derive(Clone)]
pub(super) struct Counted<S> {
    inner: S,
    connections: Connections,
}

impl<R, S: tower_service::Service<R>> tower_service::Service<R> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.connections.0.fetch_add(1, Ordering::SeqCst);
        self.inner.call(request)
    }
}

impl Clients {
    /// The client for an address. No redirect is ever followed: neither key nor prompt goes where no config sent it.
    pub(super) fn client(&self, url: &Url) -> Result<(Client, Connections), ProviderError> {
        let (plain, local) = (url.scheme() != "https", is_local(url));
        let cell = match (plain, local) {
            (false, _) => &self.tls,
            (true, false) => &self.plain,
            (true, true) => &self.local,
        };
        if let Some(client) = cell.get() {
            return Ok(client.clone());
        }
        let connections = Connections::default();
        // An error means that one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .connector_layer(connections.clone())
            .redirect(redirect::Policy::none())
            .user_agent(concat!("stepwell/", env!("CARGO_PKG_VERSION")));
        if plain {
            let no_roots = rustls::RootCertStore::empty();
            let tls = rustls::ClientConfig::builder().with_root_certificates(no_roots).with_no_client_auth();
            builder = builder.tls_backend_preconfigured(tls);
        }
        if plain && local {
            // A proxy of the environment is for the world, not for this machine.
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| {
            ProviderError::new(FailureClass::Network, format!("no HTTP client could be made: {}", with_causes(&error)))
        })?;
        Ok(cell.get_or_init(|| (client, connections)).clone())
    }
}

/// Whether an address is on this machine.
pub(super) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// What an error before any answer means. `reused`: the request went over a connection that was open already.
pub(super) fn send_error(error: reqwest::Error, reused: bool) -> ProviderError {
    let failed = client_error(error);
    let reset = reused && failed.cause.is_none();
    if reset { failed.because(Cause::Reset) } else { failed }
}

/// What an error of the client means.
pub(super) fn client_error(error: reqwest::Error) -> ProviderError {
    let error = error.without_url();
    let failed = |what| ProviderError::new(FailureClass::Network, format!("{what} ({})", with_causes(&error)));
    if error.is_connect() {
        failed("could not be reached").because(Cause::Unreachable)
    } else {
        failed("broke the connection")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_client_for_every_address() {
        let clients = Clients::default();
        for (url, local) in [
            ("https://api.example.com/v1", false),
            ("http://10.0.0.7:8080", false),
            ("http://127.0.0.1:11434", true),
            ("http://localhost:1", true),
            ("http://[::1]:1", true),
            ("http://localhost.example.com", false),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(is_local(&url), local, "{url}");
            assert!(clients.client(&url).is_ok() && clients.client(&url).is_ok(), "{url}");
        }
    }
}
