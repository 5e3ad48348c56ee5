//! A gate as the first release wrote it, one for each shape that it wrote.

use crate::core::gate::{Gate, GateKind};
use serde_json::Value;

const HASH: &str = "84b6a8d18afa16a1a62fcfa7f04e622fd8d0e376a4589a351c5dcf50bfdcbf9c";

/// Every shape of `shows` that has a writer, with the `for` that it belongs to. Empty: the member is absent.
fn written() -> Vec<(GateKind, String)> {
    let plain = |kind, shows: &str| (kind, shows.to_owned());
    vec![
        plain(GateKind::Review, ""),
        plain(GateKind::Review, r#"{"schema":{"type":"integer"},"failed":["it rhymes"]}"#),
        plain(GateKind::Review, r#"{"cancelled":true}"#),
        plain(GateKind::Review, r#"{"schema":{"type":"integer"},"problem":"it is a text"}"#),
        (
            GateKind::Approval,
            format!(
                r#"{{"step":"act","work":{{"kind":"command","argv":["touch","it"],"stdin":"","parse":"text","shell":false}},"bytes":"{HASH}","fingerprint":"{HASH}"}}"#
            ),
        ),
        plain(GateKind::Input, r#"{"text":"Who is it for?","missing":["recipient"],"known":[]}"#),
        plain(GateKind::Input, r#"{"text":"","missing":[],"known":[]}"#),
        plain(GateKind::Input, r#"{"text":null,"fields":[{"name":"n","type":"integer","required":true}]}"#),
        plain(GateKind::Input, r#"{"text":"Say:","fields":[{"name":"n","type":"text","required":false}]}"#),
        // As the program wrote it, whatever else it put in.
        plain(GateKind::Input, r#"{"fields":[{"label":"Say when","name":"n","hint":1,"required":true}]}"#),
        plain(GateKind::InDoubt, r#"{"why":"no answer"}"#),
        plain(GateKind::InDoubt, r#"{"why":"no answer","partial":"half a l"}"#),
        (GateKind::Stale, format!(r#"{{"because":["plan"],"had_effect":false,"fingerprint":"{HASH}"}}"#)),
        plain(
            GateKind::Budget,
            r#"{"spent":{"input_tokens":20,"output_tokens":10,"usd":0.2},"budget":{"usd":0.25},"next":{"input_tokens":0,"output_tokens":0,"usd":0.1}}"#,
        ),
        plain(GateKind::Secret, r#"{"name":"key"}"#),
    ]
}

fn gate(kind: GateKind, shows: &str) -> String {
    let shows = if shows.is_empty() { String::new() } else { format!(r#","shows":{shows}"#) };
    format!(r#"{{"key":"act","for":"{kind}","attempt":1,"version":0{shows},"allowed":["answer","skip"]}}"#)
}

#[test]
fn every_gate_of_the_first_release_is_written_again_byte_for_byte() {
    for (kind, shows) in written() {
        let json = gate(kind, &shows);
        let read: Gate = serde_json::from_str(&json).unwrap();
        assert_eq!(read.kind(), kind, "{json}");
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
}

#[test]
fn a_gate_whose_body_lacks_what_its_kind_shows_is_not_read() {
    for (kind, shows) in written() {
        let Ok(Value::Object(members)) = serde_json::from_str(&shows) else { continue };
        if kind == GateKind::Review || kind == GateKind::Input {
            continue;
        }
        for name in members.keys().filter(|name| *name != "partial") {
            let mut less = members.clone();
            less.remove(name);
            let json = gate(kind, &Value::Object(less).to_string());
            assert!(serde_json::from_str::<Gate>(&json).is_err(), "{json}");
        }
    }
    assert!(serde_json::from_str::<Gate>(&gate(GateKind::Stale, "")).is_err());
    assert!(serde_json::from_str::<Gate>(&gate(GateKind::Review, r#"{"failed":"rhyme"}"#)).is_err());
}
