//! What a server was given in confidence does not come back: in whatever it says, and wherever that is cut.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stepwell::core::failure::Failure;
use stepwell::core::ports::ToolServers as _;
use stepwell::core::tool::{Reach, ToolServer};

use crate::fixture::{SECRET, Servers, odd};
use crate::http::Running;

/// A server that was given the secret.
fn trusted(flags: &[&str]) -> ToolServer {
    let mut server = odd(flags);
    let Reach::Program { env, .. } = &mut server.reach else { unreachable!() };
    *env = BTreeMap::from([("TOKEN".to_owned(), "env:TOKEN".to_owned())]);
    server
}

/// Nothing of the secret that says anything is in there, and what comes before it is.
fn assert_clean(shown: &str) {
    for at in 0..=SECRET.len() - 6 {
        assert!(!shown.contains(&SECRET[at..at + 6]), "{shown}");
    }
}

fn all(failure: &Failure) -> String {
    format!("{} {}", failure.message, failure.detail.clone().unwrap_or_default())
}

#[tokio::test]
async fn a_question_has_no_secret_in_it() {
    let servers = Servers::one(trusted(&[]));
    *servers.answers.lock().unwrap() = vec![json!({"action": "decline"})];
    servers.text("ask", json!({"message": format!("Token {SECRET} is about to expire. Renew?")})).await;
    let form = servers.forms()[0].to_string();
    assert!(form.contains("Token [redacted] is about"), "{form}");
    assert_clean(&form);
    servers.close().await;
}

#[tokio::test]
async fn a_list_of_tools_has_no_secret_in_it() {
    let servers = Servers::one(trusted(&[&format!("says={SECRET}"), "odd-tools"]));
    let listed = servers.mcp.list(servers.scope(), "odd".to_owned()).await.unwrap().tools;
    assert_eq!(listed[0].description.data(), "Queries https://example.org/?key=[redacted]");
    assert_eq!(listed[0].input["properties"]["key"]["default"], "[redacted]");
    assert_clean(&format!("{listed:?} {:?}", servers.mcp.inspect(servers.scope()).await));
    servers.close().await;
}

#[tokio::test]
async fn why_a_server_does_not_list_its_tools_has_no_secret_in_it() {
    let running = Running::new(&[&format!("refuses-lists=token {SECRET} lacks scope")]);
    let servers = Servers::one(running.with_headers(&[("Authorization", "Bearer env:TOKEN")]));
    let failure = servers.list().await.unwrap_err();
    assert!(failure.message.contains("token [redacted] lacks scope"), "{failure}");
    assert_clean(&all(&failure));
    servers.close().await;
}

#[tokio::test]
async fn what_a_picture_is_called_has_no_secret_in_it() {
    let servers = Servers::one(trusted(&[]));
    let picture = servers.call("named", json!({"name": SECRET})).await;
    assert_eq!(picture.images[0].name, "c.png?sig=[redacted]");
    assert_clean(&format!("{picture:?}"));
    servers.close().await;
}

#[tokio::test]
async fn no_part_of_a_secret_is_left_where_what_a_server_says_is_cut() {
    let running = Running::new(&[]);
    let over_http = Servers::one(running.with_headers(&[("Authorization", "Bearer env:TOKEN")]));
    let servers = Servers::one(trusted(&[]));
    for before in [1_990, 1_995, 1_999] {
        let message = format!("{}{SECRET}", "x".repeat(before));
        let refused = json!({"status": 422, "body": message});
        for failure in [
            servers.failure("error", json!({"message": message})).await.0,
            over_http.failure("error", json!({"message": message})).await.0,
            over_http.failure("refuse", refused).await.0,
        ] {
            assert!(failure.message.contains("xxxx"), "{failure}");
            assert_clean(&all(&failure));
        }
    }
    over_http.close().await;
    for after in [3_986, 3_990, 3_995] {
        let servers = Servers::one(trusted(&[]));
        let message = format!("key={SECRET}{}", "x".repeat(after));
        let (failure, _) = servers.failure("die", json!({"message": message})).await;
        assert!(failure.detail.as_ref().is_some_and(|detail| detail.ends_with("xxxx")), "{failure:?}");
        assert_clean(&all(&failure));
    }
    servers.close().await;
}

#[tokio::test]
async fn a_secret_is_found_in_texts_that_meet_only_on_a_line_of_their_own() {
    let servers = Servers::one(trusted(&[]));
    let items = |texts: &[&str]| -> Value {
        let items: Vec<Value> = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
        json!({"result": {"content": items}})
    };
    assert_eq!(servers.text("returns", items(&["hunt", "x"])).await, "hunt\nx");
    assert_eq!(servers.text("returns", items(&["", "hunt", "", SECRET])).await, "\nhunt\n\n[redacted]");
    servers.close().await;
}
