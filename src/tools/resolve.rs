//! Which instance of a server a call is for: its program, whole environment and folder, or its address and headers, with
//! references to secrets filled in. The values live in memory, and in what the server is given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::http::Address;
use super::stdio::Program;
use crate::core::failure::{Failure, FailureClass};
use crate::core::id::RunId;
use crate::core::ports::Secrets;
use crate::core::secret::SecretRef;
use crate::core::tool::Reach;

/// How one instance is reached. It is neither shown nor written anywhere.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Reached {
    Program(Program),
    Http(Address),
}

/// Fills in what `reach` refers to. `start`: the folder in which the run was started.
///
/// # Errors
/// Class `auth` when a value is not to be had: which, of which server, and what to do.
pub async fn resolve(
    server: &str,
    reach: &Reach,
    start: &Path,
    environment: &BTreeMap<String, String>,
    secrets: &Arc<dyn Secrets>,
) -> Result<Reached, Failure> {
    match reach {
        Reach::Program { command, env, cwd } => {
            let added = filled(server, env, false, secrets).await?;
            let mut environment = environment.clone();
            environment.extend(added);
            let folder = folder(start, cwd.as_deref(), environment.get("HOME").map(Path::new));
            Ok(Reached::Program(Program { command: command.clone(), environment, folder }))
        }
        Reach::Http { url, headers } => {
            Ok(Reached::Http(Address { url: url.clone(), headers: filled(server, headers, true, secrets).await? }))
        }
    }
}

/// Where a server runs. `~` is the home folder, as a shell has it.
fn folder(start: &Path, cwd: Option<&str>, home: Option<&Path>) -> PathBuf {
    let Some(cwd) = cwd else { return start.to_owned() };
    let below = cwd.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (below, home) {
        (Some(rest), Some(home)) => home.join(rest.trim_start_matches('/')),
        _ => start.join(cwd),
    }
}

/// The reference in a value, and the text before it: a header may name its scheme, `Bearer env:TOKEN`.
fn reference(value: &str, header: bool) -> Option<(&str, SecretRef)> {
    let (before, reference) = match value.rsplit_once(' ').filter(|_| header) {
        Some((before, reference)) => (&value[..=before.len()], reference),
        None => ("", value),
    };
    let reference = reference.parse().ok().filter(|reference| *reference != SecretRef::Typed)?;
    Some((before, reference))
}

async fn filled(
    server: &str,
    values: &BTreeMap<String, String>,
    headers: bool,
    secrets: &Arc<dyn Secrets>,
) -> Result<Vec<(String, String)>, Failure> {
    let mut filled = Vec::with_capacity(values.len());
    for (name, value) in values {
        let Some((before, reference)) = reference(value, headers) else {
            filled.push((name.clone(), value.clone()));
            continue;
        };
        let failed =
            |why: String| Failure::new(FailureClass::Auth, format!("the server `{server}` is not asked: {why}"));
        let (secrets, of, wanted) = (Arc::clone(secrets), name.clone(), reference.clone());
        // A `cmd:` reference runs a program. What is not typed belongs to no run.
        let resolved = tokio::task::spawn_blocking(move || secrets.resolve(RunId::new(0, [0; 10]), &of, &wanted));
        let secret =
            resolved.await.map_err(|error| failed(error.to_string()))?.map_err(|failure| failed(failure.message))?;
        let secret = secret.ok_or_else(|| failed(format!("`{reference}` has no value")))?;
        filled.push((name.clone(), format!("{before}{}", secret.reveal())));
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_whole_value_or_the_end_of_a_header() {
        let of = |value, header| reference(value, header).map(|(before, reference)| format!("{before}|{reference}"));
        assert_eq!(of("env:TOKEN", false).as_deref(), Some("|env:TOKEN"));
        assert_eq!(of("cmd:vault", true).as_deref(), Some("|cmd:vault"));
        assert_eq!(of("Bearer env:TOKEN", true).as_deref(), Some("Bearer |env:TOKEN"));
        for (value, header) in [("Bearer env:TOKEN", false), ("typed", false), ("plain", true), ("a env:", true)] {
            assert_eq!(of(value, header), None, "{value}");
        }
    }

    #[test]
    fn a_server_runs_where_the_run_was_started_or_where_it_says() {
        let of = |cwd| folder(Path::new("/run"), cwd, Some(Path::new("/home/ana")));
        assert_eq!(of(None), Path::new("/run"));
        assert_eq!(of(Some("sub")), Path::new("/run/sub"));
        assert_eq!(of(Some("/abs")), Path::new("/abs"));
        assert_eq!(of(Some("~/x")), Path::new("/home/ana/x"));
        assert_eq!(of(Some("~x")), Path::new("/run/~x"));
    }
}
