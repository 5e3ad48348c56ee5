//! Where requests go: to hosts that the definition or the person has named, and elsewhere only after a question.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::cli::{Done, Home};

/// A server on this machine that counts its requests.
struct Server {
    port: u16,
    asked: Arc<AtomicUsize>,
}

impl Server {
    /// It answers `here`, or redirects.
    fn new(redirect: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                count.fetch_add(1, Ordering::SeqCst);
                let answer = match &redirect {
                    Some(to) => format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
                    None => "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhere".to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Runs a workflow that gets `url`; `steps.p.output` is `output`, as a model might have written it.
fn get(home: &Home, url: &str, output: &str, more: &str, flags: &[&str]) -> Done {
    home.write(
        "workflows/get/workflow.toml",
        &format!(
            "id = \"get\"\nname = \"Get\"\n\n[[inputs]]\nname = \"base\"\nrequired = false\n\n[[steps]]\nid = \"p\"\nkind = \"transform\"\n\
             template = '{output}'\n\n[[steps]]\nid = \"page\"\nkind = \"http\"\nurl = '{url}'\n{more}\n"
        ),
    );
    home.run([&["run", "get"], flags].concat())
}

#[test]
fn what_the_definition_or_the_person_names_is_asked_without_a_question() {
    let (home, server) = (Home::new(), Server::new(None));
    let base = format!("http://127.0.0.1:{}", server.port);
    let given = format!("base={base}");
    for (url, flags) in [
        (format!("{base}/a"), vec![]),
        (format!("{base}/{{{{ steps.p.output }}}}"), vec![]),
        ("{{ inputs.base }}/{{ steps.p.output }}".to_owned(), vec!["-i", &given]),
        ("{{ inputs.base ~ \"/x\" }}".to_owned(), vec!["-i", &given]),
    ] {
        assert_eq!(get(&home, &url, "x@y", "", &flags).exits(0).out.trim(), "here", "{url}");
    }
    let named = format!("hosts = [\"127.0.0.1:{}\"]", server.port);
    get(&home, "{{ steps.p.output }}", &base, &named, &[]).exits(0);
    home.write("config.toml", "[http]\nhosts = [\"127.0.0.1\"]\n");
    get(&home, "{{ steps.p.output }}", &base, "", &[]).exits(0);
    assert_eq!(server.asked(), 6);
}

#[test]
fn a_host_that_an_output_names_is_asked_about_and_a_private_one_is_refused() {
    let (home, server) = (Home::new(), Server::new(None));
    let base = format!("http://127.0.0.1:{}", server.port);
    let at = format!("@127.0.0.1:{}/", server.port);
    let given = format!("base={base}");
    for (url, output, flags) in [
        ("{{ steps.p.output }}", base.as_str(), vec![]),
        ("https://example.org{{ steps.p.output }}", &at, vec![]),
        // The person has named the host, and not for this.
        ("{{ steps.p.output }}", &base, vec!["-i", &given]),
        ("{{ steps.p.output }}#{{ inputs.base }}", &base, vec!["-i", &given]),
    ] {
        let waits = get(&home, url, output, "", &flags).exits(3);
        assert!(waits.out.contains("send: GET"), "{url}: {}", waits.out);
        let refused = home.shell(&waits.answer()).exits(1);
        assert!(refused.err.contains("is not public") || refused.err.contains("redirected"), "{url}: {}", refused.err);
    }
    assert_eq!(server.asked(), 0);
}

#[test]
fn no_spelling_of_this_machine_is_reached_although_nobody_is_asked() {
    let (home, server) = (Home::new(), Server::new(None));
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "localhost",
        "LOCALHOST.",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "0",
        "x@127.0.0.1",
        "[::127.0.0.1]",
        "127.000.000.001",
    ] {
        let url = format!("http://{host}:{}/", server.port);
        let done =
            get(&home, "{{ steps.p.output }}", &url, "approve = \"never\"\nretry = { attempts = 1 }", &[]).exits(1);
        // Not every machine knows a name with a dot at its end.
        assert!(done.err.contains("not public") || host == "LOCALHOST.", "{host}: {}", done.err);
    }
    assert_eq!(server.asked(), 0);
}

#[test]
fn a_redirect_does_not_lead_to_this_machine() {
    let (home, inner) = (Home::new(), Server::new(None));
    let outer = Server::new(Some(format!("http://localhost:{}/secret", inner.port)));
    let done = get(&home, &format!("http://127.0.0.1:{}/", outer.port), "x", "", &[]).exits(1);
    assert!(done.err.contains("a server has redirected to it"), "{}", done.err);
    assert_eq!((outer.asked(), inner.asked()), (1, 0));
    let named = format!("hosts = [\"localhost:{}\"]", inner.port);
    get(&home, &format!("http://127.0.0.1:{}/", outer.port), "x", &named, &[]).exits(0);
}

#[test]
fn once_is_once_a_host() {
    let home = Home::new();
    let more = "approve = \"once\"\nfor_each = \"['http://a.invalid/1', 'http://a.invalid/2', 'http://b.invalid/3']\"\n\
                retry = { attempts = 1 }\non_failure = \"continue\"";
    get(&home, "{{ item }}", "x", more, &[]).exits(3);
    home.step("review last page[0] --approve").exits(3);
    let waiting = home.show("last")["waiting"].clone();
    let keys: Vec<_> = waiting.as_array().unwrap().iter().map(|gate| gate["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["page[2]"]);
}

#[test]
fn what_is_no_host_is_a_mistake() {
    let home = Home::new();
    let done = get(&home, "http://127.0.0.1/", "x", "hosts = [\"http://a/b\"]", &[]).exits(4);
    assert!(done.err.contains("\"*.example.org\""), "{}", done.err);
}
