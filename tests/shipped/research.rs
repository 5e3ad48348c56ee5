//! `web_research` on the web as it is: dead pages, files that are no pages, search services of every shape, and people who
//! leave things out. One server plays the search service, the pages and the model.

use serde_json::{Value, json};
use stepwell::core::decide::{Decision, DecisionKind};
use stepwell::core::event::Event;
use stepwell::core::gate::GateKind;
use stepwell::core::run::{Run, Status};

use super::support::model_server::{ModelServer, Reply, Request};
use super::{Call, Machine, Person, body, output};

const MODEL: &str = "/v1/chat/completions";

fn found(urls: &[String]) -> Value {
    urls.iter().map(|url| json!({ "title": "Found", "url": url })).collect()
}

fn linked(urls: &[String]) -> Value {
    urls.iter().map(|url| json!({ "title": "Found", "link": url })).collect()
}

fn page(text: &str) -> Reply {
    Reply::raw("text/html; charset=utf-8", format!("<title>A page</title><p>{text}</p>"))
}

/// The model of a research: it has a note for every page, and never enough.
fn model(prompt: &str) -> Reply {
    if prompt.contains("work out which questions") {
        Reply::json(&json!([{ "question": "How warm?", "why": "it decides", "good_source": "a measurement" }]))
    } else if prompt.contains("Choose the one question") {
        Reply::json(&json!({ "question": "How warm is it?", "query": "how warm & cold" }))
    } else if prompt.contains("Judge whether the topic") {
        Reply::json(&json!({ "enough": false, "gap": "a second source" }))
    } else if prompt.contains("Take a note of one web page") {
        Reply::text("The institute, 2024. It measured 20 degrees.")
    } else {
        assert!(prompt.contains("Now answer the question"), "{prompt}");
        Reply::text("It is warm [1].")
    }
}

/// A server for all of it: `search` is what `/search` answers with, given the address of the server and how often it was
/// searched before; `web` gives every other page.
fn server(
    search: impl Fn(&str, usize) -> Reply + Send + Sync + 'static,
    web: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    model: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> ModelServer {
    let searched = std::sync::atomic::AtomicUsize::new(0);
    ModelServer::answering(move |_, request| match request.path.as_str() {
        MODEL => model(&request.prompt()),
        "/search" => {
            let before = searched.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            search(&format!("http://{}", request.header("host").unwrap()), before)
        }
        _ => web(request),
    })
}

/// What each page was asked for, without what the search service and the model were asked.
fn pages(server: &ModelServer) -> Vec<String> {
    let asked = server.requests().into_iter().filter(|request| request.path != MODEL && request.path != "/search");
    asked.map(|request| request.target).collect()
}

async fn research(server: &ModelServer, more: Value, person: Person) -> (Machine, Run) {
    let machine = Machine::asking(format!("{}/v1", server.url()));
    let mut inputs =
        json!({ "topic": "How warm is it?", "search": format!("{}/search?q=", server.url()), "rounds": 1, "pages": 6 });
    inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    inputs.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let run = machine.finish(machine.start("web_research", inputs), person).await;
    (machine, run)
}

fn finished(run: &Run) {
    assert_eq!(run.status, Status::Completed, "{:?} {:?}", run.error, run.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_cannot_be_read_costs_one_line_of_the_answer() {
    let server = server(
        |base, _| {
            let urls: Vec<String> = ["forbidden", "gone", "down", "report.pdf", "photo", "round", "empty", "warm"]
                .map(|path| format!("{base}/{path}"))
                .to_vec();
            let mut list = found(&urls);
            // Nobody listens there, and a result without an address.
            list.as_array_mut().unwrap().push(json!({ "url": "http://127.0.0.1:1/" }));
            list.as_array_mut().unwrap().insert(0, json!({ "title": "A book", "url": null }));
            Reply::raw("application/json", json!({ "results": list }).to_string())
        },
        |request| match request.path.as_str() {
            "/forbidden" => page("no").with_status(403),
            "/gone" => page("no").with_status(404),
            "/down" => page("no").with_status(500),
            "/report.pdf" => Reply::raw("application/pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj".as_slice()),
            "/photo" => Reply::raw("image/png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice()),
            "/round" => page("").with_status(302).header("location", "/round"),
            "/empty" => Reply::raw("text/html", "<script>draw()</script>"),
            _ => page("It is warm."),
        },
        model,
    );
    let (_, run) = research(&server, json!({ "rounds": 2 }), Person::Easy).await;
    finished(&run);
    let url = |path: &str| format!("<{}/{path}>", server.url());
    let text = body(&run);
    let (_, sources) = text.split_once("## Sources\n").unwrap();
    let (sources, left_out) = sources.split_once("## Left out\n").unwrap();
    assert_eq!(sources.trim(), format!("1. {}", url("warm")));
    for (name, why) in [
        ("A book".to_owned(), "no web address"),
        (url("forbidden"), "403 Forbidden"),
        (url("gone"), "404 Not Found"),
        (url("down"), "500 Internal Server Error"),
        (url("report.pdf"), "PDF"),
        (url("photo"), "image"),
        (url("round"), "redirects"),
        (url("empty"), "no text"),
        ("<http://127.0.0.1:1/>".to_owned(), "could not be reached"),
    ] {
        let lines: Vec<&str> = left_out.lines().filter(|line| line.starts_with(&format!("- {name}: "))).collect();
        assert!(lines.len() == 1 && lines[0].contains(why), "{name} {why}\n{left_out}");
        // The model knows what it did not see.
        assert!(server.prompts("").last().unwrap().contains(lines[0]), "{}", lines[0]);
    }
    assert_eq!(left_out.trim().lines().count(), 9, "{left_out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_failed_was_skipped_or_says_nothing_useful_is_no_source() {
    let search = |base: &str, _: usize| {
        let urls: Vec<String> = ["useless", "Useless", "failing", "warm"].map(|path| format!("{base}/{path}")).to_vec();
        Reply::raw("application/json", json!({ "results": found(&urls) }).to_string())
    };
    let answers = |prompt: &str| match prompt {
        note if note.contains("/useless\n") => Reply::text("**Nothing useful**: a cookie wall."),
        note if note.contains("/Useless\n") => Reply::text("NOTHING USEFUL: another subject."),
        note if note.contains("/failing\n") => Reply::status(400),
        other => model(other),
    };
    let server_of = || server(search, |_| page("It is warm."), answers);
    let server = server_of();
    let (_, run) = research(&server, json!({}), Person::Easy).await;
    finished(&run);
    let (_, sources) = body(&run).split_once("## Sources\n").unwrap();
    let url = server.url();
    assert_eq!(
        sources.lines().filter(|line| !line.is_empty() && !line.contains("/failing")).collect::<Vec<_>>(),
        [
            format!("1. <{url}/warm>"),
            "## Left out".to_owned(),
            format!("- <{url}/useless>: nothing useful in it"),
            format!("- <{url}/Useless>: nothing useful in it"),
        ],
    );
    assert!(sources.contains(&format!("- <{url}/failing>: no note of it could be taken: ")), "{sources}");
    let last = server.prompts("").pop().unwrap();
    assert!(last.contains("\n[1] ") && !last.contains("\n[2] ") && !last.contains("cookie wall"), "{last}");

    let server = server_of();
    let (_, run) = research(&server, json!({}), Person::Skips("note")).await;
    finished(&run);
    let text = body(&run);
    assert!(!text.contains("## Sources") && text.contains(&format!("- <{}/warm>: its note was skipped", server.url())));
    assert!(server.prompts("").last().unwrap().contains("(No source could be read.)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_read_once_however_often_and_however_it_is_found() {
    let server = server(
        |base, before| {
            let host = base.strip_prefix("http://").unwrap();
            let same =
                [format!("{base}/a"), format!("{base}/a/"), format!("{base}/a#part"), format!("HTTP://{host}/a/#top")];
            let other = [format!("{base}/b?page=1"), format!("{base}/b/?page=1#x"), format!("{base}/B?page=1")];
            let later = [format!("{base}/c")];
            let urls = if before < 2 {
                [same.as_slice(), &other].concat()
            } else {
                [other.as_slice(), &same, &later].concat()
            };
            Reply::raw("application/json", json!({ "results": found(&urls) }).to_string())
        },
        |_| page("It is warm."),
        model,
    );
    let (_, run) = research(&server, json!({ "rounds": 3 }), Person::Easy).await;
    finished(&run);
    let mut asked = pages(&server);
    asked.sort();
    assert_eq!(asked, ["/B?page=1", "/a", "/b?page=1", "/c"]);
    assert!(body(&run).contains("4. <") && !body(&run).contains("5. <"), "{}", body(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn search_services_of_every_form_are_read_also_when_they_find_nothing() {
    type Form = fn(&[String]) -> Value;
    let forms: [(&str, Form); 11] = [
        ("SearXNG", |urls| json!({ "query": "x", "results": found(urls) })),
        ("Brave", |urls| json!({ "type": "search", "query": {}, "web": { "results": found(urls) } })),
        ("Bing", |urls| json!({ "_type": "SearchResponse", "webPages": { "value": found(urls) } })),
        ("Google", |urls| json!({ "kind": "customsearch#search", "searchInformation": {}, "items": linked(urls) })),
        ("SerpAPI", |urls| json!({ "search_metadata": {}, "organic_results": linked(urls) })),
        ("YaCy", |urls| json!({ "channels": [{ "title": "YaCy", "items": linked(urls) }] })),
        ("addresses", |urls| json!(urls)),
        ("objects", |urls| found(urls)),
        ("objects with links", |urls| linked(urls)),
        ("objects with href", |urls| urls.iter().map(|url| json!({ "href": url })).collect()),
        ("OpenSearch", |urls| json!(["x", ["t"], [""], urls])),
    ];
    let nothing = [
        json!({ "query": "x", "results": [] }),
        json!({ "type": "search", "query": {}, "mixed": {} }),
        json!({ "_type": "SearchResponse", "queryContext": {} }),
        json!({ "kind": "customsearch#search", "searchInformation": { "totalResults": "0" } }),
        json!({ "search_metadata": {}, "error": "Google hasn't returned any results for this query." }),
        json!({ "channels": [{ "title": "YaCy", "items": [] }] }),
        json!({ "channels": [] }),
        json!([]),
    ];
    for (name, form) in forms {
        let server = server(
            move |base, _| {
                Reply::raw("application/json", form(&[format!("{base}/one"), format!("{base}/two")]).to_string())
            },
            |_| page("It is warm."),
            model,
        );
        let (_, run) = research(&server, json!({}), Person::Easy).await;
        finished(&run);
        let mut asked = pages(&server);
        asked.sort();
        assert_eq!(asked, ["/one", "/two"], "{name}");
    }
    for answer in nothing {
        let shown = answer.to_string();
        let server = server(move |_, _| Reply::raw("application/json", answer.to_string()), |_| page(""), model);
        let (_, run) = research(&server, json!({}), Person::Easy).await;
        finished(&run);
        assert!(pages(&server).is_empty() && !body(&run).contains("## Sources"), "{shown}");
        let by_hand = run.calls.values().any(|call| call.step == "by_hand" && call.standing.is_some());
        assert!(!by_hand, "the service has answered: {shown}");
        assert!(server.prompts("").last().unwrap().contains("(No source could be read.)"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_service_that_is_not_understood_is_refused_before_anything_is_paid_for() {
    let json = |text: &str| Reply::raw("application/json", text);
    for (answer, says) in [
        (json(r#"{"status":"ok","documents":[]}"#), "with a list of addresses, in JSON"),
        (json(r#""nothing""#), "with a list of addresses, in JSON"),
        (page("Results"), "with a list of addresses, in JSON"),
        (page("no").with_status(403), "give its key"),
        (page("no").with_status(401), "give its key"),
        (page("no").with_status(404), "look at the address"),
    ] {
        let server = server(move |_, _| answer.clone(), |_| page(""), model);
        let (_, run) = research(&server, json!({}), Person::Easy).await;
        let (_, error) = run.error.as_ref().unwrap();
        assert_eq!(run.status, Status::Failed, "{says}");
        assert!(error.message.contains(says) && !error.message.contains('\n'), "{error:?}");
        assert!(server.prompts("").is_empty(), "a model was asked: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_skips_the_refusal_of_a_search_service_searches_by_hand() {
    let server = server(|_, _| Reply::raw("application/json", r#"{"hits":1}"#), |_| page("It is warm."), model);
    let (machine, run) = research(&server, json!({}), Person::Easy).await;
    assert_eq!(run.status, Status::Failed);
    machine.engine.decide(run.id, Decision::new("search_form".parse().unwrap(), DecisionKind::Skip)).await.unwrap();
    let pasted: &'static str = Box::leak(format!("{}/one", server.url()).into_boxed_str());
    let run = machine.finish(run.id, Person::Types(pasted)).await;
    finished(&run);
    assert_eq!(pages(&server), ["/one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_not_given_is_no_header() {
    let server = server(|_, _| Reply::raw("application/json", "[]"), |_| page(""), model);
    let (_, run) = research(&server, json!({}), Person::Easy).await;
    finished(&run);
    let searched: Vec<Request> = server.requests().into_iter().filter(|request| request.path == "/search").collect();
    assert_eq!(searched.len(), 2);
    for request in &searched {
        let keys = ["x-subscription-token", "ocp-apim-subscription-key"].map(|name| request.header(name));
        assert_eq!(keys, [None, None], "{:?}", request.headers);
    }
    assert_eq!(searched[1].target, "/search?q=how%20warm%20%26%20cold");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_pastes_may_be_lines_with_addresses_in_them() {
    let server = server(|_, _| Reply::status(500), |_| page("It is warm."), model);
    let pasted: &'static str = Box::leak(
        format!("1. {0}/one\r\n- A page <{0}/two> (2024)\n\n{0}/one#end\nsee the library\n", server.url())
            .into_boxed_str(),
    );
    let (_, run) = research(&server, json!({ "search": null }), Person::Types(pasted)).await;
    finished(&run);
    let mut asked = pages(&server);
    asked.sort();
    assert_eq!(asked, ["/one", "/two"]);
    assert!(body(&run).contains("- see the library: it is not a web address"), "{}", body(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn research_goes_on_when_the_search_service_does_not_answer() {
    let machine = Machine::new();
    let inputs = json!({ "topic": "x", "search": "http://127.0.0.1:9/search?q=" });
    let run = machine.run("web_research", inputs, Person::Easy).await;
    assert!(!run.warnings.is_empty());
    let asked = run.calls.values().any(|call| call.step == "by_hand" && call.standing.is_some());
    assert!(asked, "{:?}", run.calls.keys().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_has_a_note_for_every_page_that_is_read() {
    let server = server(
        |base, _| Reply::raw("application/json", json!([format!("{base}/one")]).to_string()),
        |_| page("It is warm."),
        model,
    );
    let inputs = json!({ "topic": "x", "search": format!("{}/search?q=", server.url()), "rounds": 1 });
    let run = Machine::new().run("web_research", inputs, Person::Easy).await;
    assert!(body(&run).contains("## Sources") && !body(&run).contains("## Left out"), "{}", body(&run));
}

#[tokio::test(flavor = "multi_thread")]
async fn research_asks_once_before_it_reads_what_was_found() {
    let machine = Machine::new();
    // Two pages of machines that are not public, others each time.
    let server = server(
        |_, before| {
            let urls = [1, 2].map(|host| format!("http://10.0.{before}.{host}/"));
            Reply::raw("application/json", json!({ "results": found(&urls) }).to_string())
        },
        |_| page(""),
        model,
    );
    let inputs = json!({ "topic": "x", "search": format!("{}/search?q=", server.url()), "rounds": 2 });
    let id = machine.start("web_research", inputs);
    let first = machine.finish(id, Person::Easy).await;
    assert_eq!(first.status, Status::Completed, "{:?}", first.error);
    // The recorded judge has enough after one round; a person has not.
    let judged = first.call(&"rounds#0.so_far".parse().unwrap()).unwrap();
    let mut so_far = output(judged);
    so_far["enough"] = json!(false);
    for kind in [DecisionKind::Reopen, DecisionKind::Edit { output: so_far, accept: true }] {
        machine.engine.decide(id, Decision::new(judged.key.clone(), kind)).await.unwrap();
    }
    let run = machine.finish(id, Person::Easy).await;
    assert_eq!(run.status, Status::Completed, "{:?}", run.error);
    let searched = run.calls.values().filter(|call| call.step == "look_up" && call.standing.is_some()).count();
    assert_eq!(searched, 2, "{:?}", run.calls.keys().collect::<Vec<_>>());
    let events = machine.engine.events(id, 0).unwrap();
    let asked = events.iter().filter_map(|recorded| match &recorded.event {
        Event::GateOpened(gate) if gate.kind() == GateKind::Approval => Some(gate.key.to_string()),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), ["rounds#0.allowed"], "one question for two hosts and two rounds");
    let read = run.calls.values().filter(|call| call.step == "page" && !call.attempts.is_empty()).count();
    assert_eq!(read, 4);
    let refused = |call: &Call| format!("{:?}", call.ending).contains("not public");
    assert!(run.calls.values().filter(|call| call.step == "page").all(refused), "no private address is reached");
    assert!(body(&run).contains("## Left out") && body(&run).contains("not public"), "{}", body(&run));
}
