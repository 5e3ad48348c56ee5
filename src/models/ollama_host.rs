//! Where Ollama's own programs look for it: `OLLAMA_HOST`, in every form that they take.

/// The address that an `OLLAMA_HOST` means; `None` when it says nothing.
pub(super) fn address(host: &str) -> Option<String> {
    let host = host.trim().trim_matches(['"', '\'']).trim();
    if host.is_empty() {
        return None;
    }
    let (scheme, rest) = host.split_once("://").unwrap_or(("http", host));
    let (place, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let usual = match (host.contains("://"), scheme) {
        (false, _) => 11434,
        (true, "https") => 443,
        (true, _) => 80,
    };
    // What it listens on, on all addresses, is asked on this machine.
    let (name, port) = match place.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && !name.contains(':') || name.ends_with(']') => {
            (name, port.parse().ok()?)
        }
        _ => (place, usual),
    };
    let name = match name {
        "" | "0.0.0.0" => "127.0.0.1".to_owned(),
        "[::]" | "::" => "[::1]".to_owned(),
        bare if bare.contains(':') && !bare.starts_with('[') => format!("[{bare}]"),
        other => other.to_owned(),
    };
    let address = format!("{scheme}://{name}:{port}{}", path.trim_end_matches('/'));
    matches!(scheme, "http" | "https").then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_an_address() {
        for (host, url) in [
            ("box", "http://box:11434"),
            ("box:8080", "http://box:8080"),
            (":9000", "http://127.0.0.1:9000"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("0.0.0.0:9000", "http://127.0.0.1:9000"),
            ("[::1]:9000", "http://[::1]:9000"),
            ("::1", "http://[::1]:11434"),
            ("http://box", "http://box:80"),
            ("https://box/ollama/", "https://box:443/ollama"),
            (" \"box:1\" ", "http://box:1"),
        ] {
            assert_eq!(address(host).as_deref(), Some(url), "{host}");
        }
        for none in ["", " ", "ftp://box", "box:port"] {
            assert_eq!(address(none), None, "{none}");
        }
    }
}
