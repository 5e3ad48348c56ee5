//! Hosts of requests: how they are named, which are allowed without a question, and which are nobody's from outside.
//!
//! A host is compared as a URL has it: `http://0x7f.1/` is `127.0.0.1`, `EXAMPLE.org.` is `example.org`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The hosts to which a request goes without a question. They are no part of what it is: not of its fingerprint, nor of what
/// a person approves.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NamedHosts(pub Vec<String>);

impl PartialEq for NamedHosts {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl NamedHosts {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `host:port` of a URL; `None` for what is no address of a server.
#[must_use]
pub fn authority(url: &str) -> Option<String> {
    of_url(&Url::parse(url.trim()).ok()?)
}

/// `host:port` of a parsed URL.
#[must_use]
pub fn of_url(url: &Url) -> Option<String> {
    matches!(url.scheme(), "http" | "https").then_some(())?;
    let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
    Some(format!("{host}:{}", url.port_or_known_default()?))
}

/// Whether `text` may be in a list of hosts: `example.org`, `*.example.org`, `127.0.0.1:8888`.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    pattern(text).is_some()
}

/// The parts of a pattern: whether anything may be before the host, the host, and the port if it is named.
fn pattern(text: &str) -> Option<(bool, String, Option<u16>)> {
    let (under, host) = text.strip_prefix("*.").map_or((false, text), |host| (true, host));
    let url = Url::parse(&format!("http://{host}")).ok()?;
    let plain = matches!(url.path(), "" | "/") && url.username().is_empty() && url.query().is_none();
    let named = url.host_str().filter(|named| plain && !named.is_empty() && !named.contains('*'))?;
    // The port of the scheme is not kept by a URL.
    let port = host.rsplit_once(':').and_then(|(before, port)| {
        (!before.ends_with(':') && (!before.contains(':') || before.ends_with(']'))).then(|| port.parse().ok())?
    });
    Some((under, named.trim_end_matches('.').to_ascii_lowercase(), port))
}

/// Whether a list of patterns allows `authority`, which is `host:port`.
#[must_use]
pub fn allows<'p>(patterns: impl IntoIterator<Item = &'p String>, authority: &str) -> bool {
    let Some((host, port)) = authority.rsplit_once(':') else { return false };
    patterns.into_iter().filter_map(|text| pattern(text)).any(|(under, named, wanted)| {
        let fits =
            if under { host.strip_suffix(&named).is_some_and(|rest| rest.ends_with('.')) } else { host == named };
        fits && wanted.is_none_or(|wanted| wanted.to_string() == port)
    })
}

/// The private address that a URL names by itself, in whatever spelling.
#[must_use]
pub fn private_literal(url: &Url) -> Option<IpAddr> {
    let address = match url.host()? {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(_) => return None,
    };
    is_private(address).then_some(address)
}

/// Whether an address is of this machine, of a network that is not public, or of no machine at all: loopback, private,
/// link-local (where clouds keep their metadata), shared, reserved, multicast; also inside an IPv6 address.
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let inside = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Mapped, compatible and translated ones, and 6to4; `::` and `::1` are among them.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => inside(high, low),
        [0x64, 0xff9b, 1, ..] => true,
        [0x2001, 0, _, _, _, _, high, low] => inside(!high, !low),
        [first, ..] => first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 || first & 0xff00 == 0xff00,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_what_a_url_says_however_it_is_spelled() {
        for (url, named) in [
            ("https://Example.ORG./a", Some("example.org:443")),
            ("http://ana:pw@example.org:8080?x", Some("example.org:8080")),
            ("http://0x7f.1/", Some("127.0.0.1:80")),
            ("http://2130706433", Some("127.0.0.1:80")),
            ("http://0177.0.0.1", Some("127.0.0.1:80")),
            ("http://127.1:80", Some("127.0.0.1:80")),
            ("http://１２７.0.0.1", Some("127.0.0.1:80")),
            ("http://[::1]:9", Some("[::1]:9")),
            ("http:/\\example.org", Some("example.org:80")),
            ("ftp://example.org", None),
            ("example.org", None),
        ] {
            assert_eq!(authority(url).as_deref(), named, "{url}");
        }
    }

    #[test]
    fn a_list_allows_what_it_names() {
        let list = ["example.org", "*.test", "127.0.0.1:8888", "[::1]"].map(str::to_owned);
        for (authority, allowed) in [
            ("example.org:443", true),
            ("example.org:8080", true),
            ("www.example.org:443", false),
            ("notexample.org:443", false),
            ("a.test:80", true),
            ("a.b.test:80", true),
            ("test:80", false),
            ("atest:80", false),
            ("127.0.0.1:8888", true),
            ("127.0.0.1:80", false),
            ("[::1]:80", true),
        ] {
            assert_eq!(allows(&list, authority), allowed, "{authority}");
        }
        for wrong in ["", "*", "*.", "a/b", "a@b", "http://a", "a b", "*.*.a"] {
            assert!(!is_pattern(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_public_is_known_in_every_form() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.53",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::ffff:0:a00:1",
            "2001:0:1:2:3:4:80ff:fffe",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
