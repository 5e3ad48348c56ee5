//! Where a name leads: nowhere private, for a host that nobody has named.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::core::host::{is_private, private_literal};

/// The private address to which a URL leads. Looked up here, so that what is wrong is said; the connection is looked up
/// once more, by [`PublicOnly`].
pub async fn private_address(url: &Url) -> Option<IpAddr> {
    if let Some(address) = private_literal(url) {
        return Some(address);
    }
    let name = url.domain()?;
    let found = tokio::net::lookup_host((name, url.port_or_known_default()?)).await.ok()?;
    found.map(|address| address.ip()).find(|address| is_private(*address))
}

/// Looks names up, and finds nothing where one leads to a private address.
pub struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            match found.iter().find(|address| is_private(address.ip())) {
                Some(address) => Err(format!("it is {} now, which is not public", address.ip()).into()),
                None => Ok(Box::new(found.into_iter()) as Addrs),
            }
        })
    }
}
