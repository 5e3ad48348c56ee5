//! Models that call tools: what each protocol is sent, and what comes of its answers.

mod refused;

use super::*;
use stepwell::core::model::{ModelCall, ToolOffer, ToolResult};

const SSE: &str = "text/event-stream";

fn offer(name: &str) -> ToolOffer {
    let input = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    ToolOffer { name: name.to_owned(), description: format!("Does {name}."), input }
}

fn with_tools(prompt: &str) -> ModelRequest {
    ModelRequest { tools: vec![offer("files__read"), offer("files__list")], ..request(prompt) }
}

fn call(id: &str, name: &str, arguments: Value) -> ModelCall {
    ModelCall { id: id.to_owned(), name: name.to_owned(), arguments }
}

fn result(call: &ModelCall, text: &str) -> ToolResult {
    ToolResult { id: call.id.clone(), name: call.name.clone(), text: text.to_owned(), ..ToolResult::default() }
}

/// The request of the next turn, after every call of this one has returned its own name.
fn after(asked: &ModelRequest, turn: &Completion) -> ModelRequest {
    let results = turn.calls.iter().map(|call| result(call, &format!("what {} says", call.name))).collect();
    let said = Message {
        calls: turn.calls.clone(),
        opaque: turn.opaque.clone(),
        ..Message::new(Role::Assistant, turn.text.data())
    };
    let mut next = asked.clone();
    next.messages.extend([said, Message { results, ..Message::new(Role::Tool, "") }]);
    next
}

fn sse(frames: &[Value]) -> Reply {
    let frame = |frame: &Value| format!("data: {frame}\n\n");
    Reply::raw(SSE, frames.iter().map(frame).collect::<String>() + "data: [DONE]\n\n")
}

fn lines(frames: &[Value]) -> Reply {
    Reply::raw(
        "application/x-ndjson",
        frames.iter().flat_map(|frame| [frame.to_string(), "\n".to_owned()]).collect::<String>(),
    )
}

/// Frames of chat completions with these deltas, which end for this reason.
fn deltas(deltas: &[Value], reason: &str) -> Reply {
    let mut frames: Vec<Value> = deltas.iter().map(|delta| json!({"choices": [{"delta": delta}]})).collect();
    frames.push(json!({"choices": [{"delta": {}, "finish_reason": reason}]}));
    sse(&frames)
}

/// Frames of Anthropic with these blocks, each streamed as its service does.
fn blocks(blocks: &[Value]) -> Reply {
    let mut frames = vec![json!({"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 5}}})];
    for (index, block) in blocks.iter().enumerate() {
        let mut begins = block.clone();
        let mut deltas = Vec::new();
        let mut piece = |kind: &str, field: &str, text: &str| {
            for piece in text.as_bytes().chunks(4) {
                deltas.push(json!({"type": kind, field: String::from_utf8_lossy(piece)}));
            }
        };
        match block["type"].as_str().unwrap() {
            "text" => piece("text_delta", "text", block["text"].as_str().unwrap()),
            "tool_use" => piece("input_json_delta", "partial_json", &block["input"].to_string()),
            "thinking" => {
                piece("thinking_delta", "thinking", block["thinking"].as_str().unwrap());
                piece("signature_delta", "signature", block["signature"].as_str().unwrap());
            }
            _ => {}
        }
        for (field, empty) in
            [("text", json!("")), ("input", json!({})), ("thinking", json!("")), ("signature", json!(""))]
        {
            if begins.get(field).is_some() {
                begins[field] = empty;
            }
        }
        frames.push(json!({"type": "content_block_start", "index": index, "content_block": begins}));
        frames.extend(deltas.iter().map(|d| json!({"type": "content_block_delta", "index": index, "delta": d})));
        frames.push(json!({"type": "content_block_stop", "index": index}));
    }
    frames.push(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}));
    frames.push(json!({"type": "message_stop"}));
    sse(&frames)
}

/// A turn that says something and calls two tools, as each protocol writes it.
fn two_calls(kind: ProviderKind) -> Reply {
    match kind {
        ProviderKind::Anthropic => blocks(&[
            json!({"type": "text", "text": "Let me look."}),
            json!({"type": "tool_use", "id": "toolu_1", "name": "files__read", "input": {"path": "a"}}),
            json!({"type": "tool_use", "id": "toolu_2", "name": "files__list", "input": {"path": "b"}}),
        ]),
        ProviderKind::Ollama => lines(&[
            json!({"message": {"content": "Let me look."}}),
            json!({"message": {"content": "", "tool_calls": [{"function": {"name": "files__read", "arguments": {"path": "a"}}}]}}),
            json!({"message": {"content": "", "tool_calls": [{"function": {"name": "files__list", "arguments": {"path": "b"}}}]}}),
            json!({"message": {"content": ""}, "done": true, "done_reason": "stop"}),
        ]),
        _ => deltas(
            &[
                json!({"content": "Let me look."}),
                json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "files__read", "arguments": ""}}]}),
                json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"path\""}}]}),
                json!({"tool_calls": [{"index": 1, "id": "c2", "type": "function", "function": {"name": "files__list", "arguments": "{\"path\": "}}]}),
                json!({"tool_calls": [{"index": 0, "function": {"arguments": ": \"a\"}"}}]}),
                json!({"tool_calls": [{"index": 1, "function": {"arguments": "\"b\"}"}}]}),
            ],
            "tool_calls",
        ),
    }
}

#[tokio::test]
async fn a_model_of_every_protocol_calls_tools_and_reads_what_they_return() {
    for kind in KINDS {
        let server = ModelServer::start([two_calls(kind), Reply::text("Done.")]);
        let models = models(config(vec![("p", provider(kind, &server))]));
        let (screen, asked) = (Screen::default(), with_tools("What is in a and b?"));
        let turn = models.complete(asked.clone(), screen.sink(), CancellationToken::new()).await.unwrap();
        let ids = match kind {
            ProviderKind::Anthropic => ["toolu_1", "toolu_2"],
            ProviderKind::Ollama => ["", ""],
            _ => ["c1", "c2"],
        };
        let calls =
            [call(ids[0], "files__read", json!({"path": "a"})), call(ids[1], "files__list", json!({"path": "b"}))];
        assert_eq!(
            (turn.text.data(), turn.finish, &turn.calls[..]),
            ("Let me look.", Finish::Calls, &calls[..]),
            "{kind:?}"
        );
        assert_eq!((screen.text().as_str(), turn.notes.len(), &turn.opaque), ("Let me look.", 0, &None), "{kind:?}");

        let done = ask(&models, after(&asked, &turn)).await.unwrap();
        assert_eq!((done.text.data(), done.finish, done.calls.len()), ("Done.", Finish::Stop, 0), "{kind:?}");
        let sent = server.requests();
        let tools = sent[0].body["tools"].as_array().unwrap();
        let schema = &offer("x").input;
        if kind == ProviderKind::Anthropic {
            assert_eq!(
                tools[0],
                json!({"name": "files__read", "description": "Does files__read.", "input_schema": schema})
            );
            assert_eq!(sent[0].body.get("tool_choice"), None);
            let messages = sent[1].body["messages"].as_array().unwrap();
            assert_eq!(
                messages[1..],
                [
                    json!({"role": "assistant", "content": [
                        {"type": "text", "text": "Let me look."},
                        {"type": "tool_use", "id": "toolu_1", "name": "files__read", "input": {"path": "a"}},
                        {"type": "tool_use", "id": "toolu_2", "name": "files__list", "input": {"path": "b"}},
                    ]}),
                    json!({"role": "user", "content": [
                        {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "what files__read says"}]},
                        {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "what files__list says"}]},
                    ]}),
                ]
            );
        } else {
            let function = json!({"name": "files__read", "description": "Does files__read.", "parameters": schema});
            assert_eq!(tools[0], json!({"type": "function", "function": function}));
            let messages = sent[1].body["messages"].as_array().unwrap();
            assert_eq!((&messages[2]["role"], &messages[2]["content"]), (&json!("assistant"), &json!("Let me look.")));
            let calls = messages[2]["tool_calls"].as_array().unwrap();
            if kind == ProviderKind::Ollama {
                assert_eq!(calls[1], json!({"function": {"name": "files__list", "arguments": {"path": "b"}}}));
                assert_eq!(
                    messages[4],
                    json!({"role": "tool", "tool_name": "files__list", "content": "what files__list says"})
                );
            } else {
                let function = json!({"name": "files__list", "arguments": "{\"path\":\"b\"}"});
                assert_eq!(calls[1], json!({"id": "c2", "type": "function", "function": function}));
                assert_eq!(
                    messages[4],
                    json!({"role": "tool", "tool_call_id": "c2", "content": "what files__list says"})
                );
            }
        }
    }
}

/// What servers of chat completions make of one call, or two, each in its own way.
#[tokio::test]
async fn calls_are_read_however_a_server_writes_them() {
    let one = vec![("files__read", json!({"path": "a"}))];
    let two = vec![("files__read", json!({"path": "a"})), ("files__read", json!({"path": "b"}))];
    let function = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    let whole = function("files__read", json!("{\"path\": \"a\"}"));
    let again = function("files__read", json!("{\"path\": \"b\"}"));
    for (how, deltas_of, reason, expected) in [
        ("finished as `stop`", vec![json!({"tool_calls": [{"index": 0, "id": "c", "function": whole}]})], "stop", &one),
        ("without id and index", vec![json!({"tool_calls": [{"function": whole}]})], "tool_calls", &one),
        (
            "two, without id and index",
            vec![json!({"tool_calls": [{"function": whole}, {"function": again}]})],
            "tool_calls",
            &two,
        ),
        (
            "two, one after the other, without id and index",
            vec![json!({"tool_calls": [{"function": whole}]}), json!({"tool_calls": [{"function": again}]})],
            "stop",
            &two,
        ),
        (
            "two, by id only",
            vec![
                json!({"tool_calls": [{"id": "c1", "function": whole}]}),
                json!({"tool_calls": [{"id": "c2", "function": again}]}),
            ],
            "tool_calls",
            &two,
        ),
        (
            "an index as text, an id as a number",
            vec![
                json!({"tool_calls": [{"index": "0", "id": 7, "function": whole}, {"index": "1", "id": 8, "function": again}]}),
            ],
            "tool_calls",
            &two,
        ),
        (
            "arguments as an object",
            vec![json!({"tool_calls": [{"index": 0, "function": function("files__read", json!({"path": "a"}))}]})],
            "tool_calls",
            &one,
        ),
        (
            "arguments twice",
            vec![
                json!({"tool_calls": [{"index": 0, "id": "c", "function": function("files__read", json!("{\"path\":"))}]}),
                json!({"tool_calls": [{"index": 0, "function": {"arguments": " \"a\"}"}}]}),
                json!({"tool_calls": [{"index": 0, "id": "c", "function": whole}]}),
            ],
            "tool_calls",
            &one,
        ),
        (
            "the old form",
            vec![
                json!({"function_call": function("files__read", json!("{\"path\":"))}),
                json!({"function_call": {"arguments": "\"a\"}"}}),
            ],
            "function_call",
            &one,
        ),
        (
            "nulls",
            vec![
                json!({"content": null, "tool_calls": null}),
                json!({"content": null, "function_call": null, "tool_calls": [{"index": null, "id": null, "function": whole}]}),
            ],
            "stop",
            &one,
        ),
    ] {
        let server = ModelServer::start([deltas(&deltas_of, reason)]);
        let turn =
            ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), with_tools("x")).await.unwrap();
        let found: Vec<(&str, Value)> =
            turn.calls.iter().map(|call| (call.name.as_str(), call.arguments.clone())).collect();
        assert_eq!((&found, turn.finish), (expected, Finish::Calls), "{how}");
        assert_eq!((turn.text.data(), turn.notes.len()), ("", 0), "{how}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_stream_has_its_calls_too() {
    let openai = json!({"choices": [{"finish_reason": "tool_calls", "message": {"content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "files__read", "arguments": "{\"path\":\"a\"}"}}]}}]});
    let anthropic = json!({"type": "message", "stop_reason": "tool_use", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "S"},
        {"type": "tool_use", "id": "c1", "name": "files__read", "input": {"path": "a"}}]});
    let ollama = json!({"message": {"content": "", "tool_calls": [{"id": "c1", "function": {"index": 0, "name": "files__read", "arguments": {"path": "a"}}}]}, "done": true});
    for (kind, body) in
        [(ProviderKind::OpenAi, openai), (ProviderKind::Anthropic, anthropic), (ProviderKind::Ollama, ollama)]
    {
        let server = ModelServer::start([Reply::raw("application/json", body.to_string())]);
        let turn = ask(&models(config(vec![("p", provider(kind, &server))])), with_tools("x")).await.unwrap();
        assert_eq!(turn.calls, [call("c1", "files__read", json!({"path": "a"}))], "{kind:?}");
        assert_eq!((turn.finish, turn.opaque.is_some()), (Finish::Calls, kind == ProviderKind::Anthropic));
    }
}

#[tokio::test]
async fn arguments_that_are_no_json_are_kept_as_they_were_written_and_go_back_as_an_object() {
    for kind in KINDS {
        let written = "{\"path\": a}";
        let first = match kind {
            ProviderKind::Anthropic => sse(&[
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "c", "name": "files__read", "input": {}}}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": written}}),
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
                json!({"type": "message_stop"}),
            ]),
            ProviderKind::Ollama => lines(&[
                json!({"message": {"tool_calls": [{"function": {"name": "files__read", "arguments": written}}]}, "done": true}),
            ]),
            _ => deltas(
                &[
                    json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "files__read", "arguments": written}}]}),
                ],
                "tool_calls",
            ),
        };
        let server = ModelServer::start([first, Reply::text("ok")]);
        let models = models(config(vec![("p", provider(kind, &server))]));
        let asked = with_tools("x");
        let turn = ask(&models, asked.clone()).await.unwrap();
        assert_eq!(turn.calls[0].arguments, json!(written), "{kind:?}");
        ask(&models, after(&asked, &turn)).await.unwrap();
        let sent = &server.requests()[1].body["messages"];
        let wrapped = json!({"arguments": written});
        match kind {
            ProviderKind::Anthropic => assert_eq!(sent[1]["content"][0]["input"], wrapped),
            ProviderKind::Ollama => assert_eq!(sent[2]["tool_calls"][0]["function"]["arguments"], wrapped),
            _ => assert_eq!(sent[2]["tool_calls"][0]["function"]["arguments"], wrapped.to_string()),
        }
    }
}

#[tokio::test]
async fn thoughts_that_were_signed_go_back_in_their_places_to_who_signed_them_and_to_nobody_else() {
    let thought = json!({"type": "thinking", "thinking": "I shall read a, then b.", "signature": "c2lnbmVk"});
    let hidden = json!({"type": "redacted_thinking", "data": "b3BhcXVl"});
    let between = json!({"type": "thinking", "thinking": "And b.", "signature": "Yg=="});
    let uses = |id: &str| json!({"type": "tool_use", "id": id, "name": "files__read", "input": {"path": id}});
    let said = json!({"type": "text", "text": "Reading."});
    let turn = [thought.clone(), hidden.clone(), said.clone(), uses("c1"), between.clone(), uses("c2")];
    let server = ModelServer::start([blocks(&turn), Reply::text("ok"), Reply::text("ok"), Reply::text("ok")]);
    let other = ModelServer::start([Reply::text("ok")]);
    let models = models(config(vec![
        ("p", provider(ProviderKind::Anthropic, &server)),
        ("q", provider(ProviderKind::Anthropic, &other)),
    ]));
    let mut asked = with_tools("x");
    asked.tuning.thinking = Some(stepwell::core::tuning::Thinking::Tokens(2_000));
    asked.models = vec!["p/m".to_owned()];
    let first = ask(&models, asked.clone()).await.unwrap();
    assert_eq!((first.text.data(), first.thinking.data()), ("Reading.", "I shall read a, then b.And b."));
    let shown = serde_json::to_string(&first.opaque).unwrap();
    assert!(shown.contains("c2lnbmVk") && shown.contains("b3BhcXVl") && shown.contains("p/m"), "{shown}");

    let next = after(&asked, &first);
    ask(&models, next.clone()).await.unwrap();
    let sent = server.requests();
    assert_eq!(sent[1].body["messages"][1]["content"], json!(turn), "as it came, word for word");
    assert_eq!(sent[1].body["thinking"]["budget_tokens"], 2_000);

    // Another model of the same provider, and another provider: neither has signed it, and neither may think without it.
    ask(&models, ModelRequest { models: vec!["p/other".to_owned()], ..next.clone() }).await.unwrap();
    ask(&models, ModelRequest { models: vec!["q/m".to_owned()], ..next.clone() }).await.unwrap();
    for body in [&server.requests()[2].body, &other.requests()[0].body] {
        assert_eq!(body["messages"][1]["content"], json!([said, uses("c1"), uses("c2")]));
        assert_eq!(body.get("thinking"), None);
    }
    // What a person says ends the turn: from there on it may think again.
    let mut later = next;
    later.messages.extend([Message::new(Role::Assistant, "There."), Message::new(Role::User, "And now?")]);
    ask(&models, ModelRequest { models: vec!["p/other".to_owned()], ..later }).await.unwrap();
    assert_eq!(server.requests()[3].body["thinking"]["budget_tokens"], 2_000);
}

#[tokio::test]
async fn reasoning_goes_back_within_the_turn_in_the_field_in_which_it_came() {
    let calls = json!([{"index": 0, "id": "c1", "function": {"name": "files__read", "arguments": "{\"path\":\"a\"}"},
        "extra_content": {"google": {"thought_signature": "c2ln"}}}]);
    let details = |text: &str| json!([{"type": "reasoning.text", "index": 0, "text": text}]);
    for (thoughts, field, back) in [
        (vec![json!({"reasoning_content": "h"}), json!({"reasoning_content": "m"})], "reasoning_content", json!("hm")),
        (vec![json!({"reasoning": "hm"})], "reasoning", json!("hm")),
        (
            vec![
                json!({"reasoning": "h", "reasoning_details": details("h")}),
                json!({"reasoning": "m", "reasoning_details": details("m")}),
                json!({"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "c2ln"}]}),
                json!({"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "ZGF0YQ=="}]}),
            ],
            "reasoning_details",
            json!([
                {"type": "reasoning.text", "index": 0, "text": "hm", "signature": "c2ln"},
                {"type": "reasoning.encrypted", "index": 1, "data": "ZGF0YQ=="},
            ]),
        ),
    ] {
        let mut frames = thoughts.clone();
        frames.push(json!({"tool_calls": calls}));
        let server = ModelServer::start([deltas(&frames, "tool_calls"), Reply::text("ok")]);
        let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
        let asked = with_tools("x");
        let turn = ask(&models, asked.clone()).await.unwrap();
        assert_eq!(turn.thinking.data(), "hm");
        ask(&models, after(&asked, &turn)).await.unwrap();
        let said = &server.requests()[1].body["messages"][2];
        assert_eq!((&said[field], &said["content"]), (&back, &Value::Null), "{said}");
        assert_eq!(said["tool_calls"][0]["extra_content"]["google"]["thought_signature"], "c2ln");
        assert_eq!(said["tool_calls"][0]["function"]["name"], "files__read");
    }
    let server = ModelServer::start([
        lines(&[
            json!({"message": {"content": "", "thinking": "hm"}}),
            json!({"message": {"tool_calls": [{"function": {"name": "files__read", "arguments": {}}}]}, "done": true}),
        ]),
        Reply::text("ok"),
    ]);
    let models = models(config(vec![("p", provider(ProviderKind::Ollama, &server))]));
    let turn = ask(&models, with_tools("x")).await.unwrap();
    ask(&models, after(&with_tools("x"), &turn)).await.unwrap();
    assert_eq!(server.requests()[1].body["messages"][2]["thinking"], "hm");
}

#[tokio::test]
async fn a_server_that_refuses_what_it_wrote_itself_is_asked_without_it() {
    let server = ModelServer::answering(|_, asked| {
        let messages = asked.body["messages"].as_array().unwrap();
        if messages.len() < 3 {
            return deltas(
                &[
                    json!({"reasoning_content": "hm"}),
                    json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "files__read", "arguments": "{}"}}]}),
                ],
                "tool_calls",
            );
        }
        let refused = messages.iter().any(|message| message.get("reasoning_content").is_some());
        let why = json!({"error": {"message": "reasoning_content is not allowed in the input messages"}});
        if refused { Reply::status(400).body(&why.to_string()) } else { Reply::text("ok") }
    });
    let models = models(config(vec![("p", provider(ProviderKind::OpenAi, &server))]));
    let turn = ask(&models, with_tools("x")).await.unwrap();
    let next = after(&with_tools("x"), &turn);
    for _ in 0..2 {
        assert_eq!(ask(&models, next.clone()).await.unwrap().text.data(), "ok");
    }
    assert_eq!(server.requests().len(), 4, "it is learned");
}

#[tokio::test]
async fn calls_without_ids_and_with_ids_used_before_are_told_apart_in_the_next_request() {
    for kind in [ProviderKind::OpenAi, ProviderKind::Anthropic] {
        let server = ModelServer::start([Reply::text("ok")]);
        let mut asked = with_tools("x");
        for turn in 0..2 {
            let calls = vec![call("call_0", "files__read", json!({})), call("", "files__list", json!({"n": turn}))];
            let results = calls.iter().map(|call| result(call, &format!("{turn} {}", call.name))).collect();
            asked.messages.push(Message { calls, ..Message::new(Role::Assistant, "") });
            asked.messages.push(Message { results, ..Message::new(Role::Tool, "") });
        }
        ask(&models(config(vec![("p", provider(kind, &server))])), asked).await.unwrap();
        let body = &server.requests()[0].body;
        let parts: Vec<&Value> = body["messages"].as_array().unwrap().iter().collect();
        let all = |name: &str, of: &dyn Fn(&Value) -> Vec<Value>| -> Vec<String> {
            parts.iter().flat_map(|part| of(part)).filter_map(|part| part[name].as_str().map(str::to_owned)).collect()
        };
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let (called, returned) = match kind {
            ProviderKind::Anthropic => {
                (all("id", &|m| list(&m["content"])), all("tool_use_id", &|m| list(&m["content"])))
            }
            _ => (all("id", &|m| list(&m["tool_calls"])), all("tool_call_id", &|m| vec![(*m).clone()])),
        };
        assert_eq!((called.len(), &called), (4, &returned), "{kind:?}");
        let different: std::collections::BTreeSet<&String> = called.iter().collect();
        assert_eq!((different.len(), called[0].as_str()), (4, "call_0"), "{kind:?}: {called:?}");
        assert!(called.iter().all(|id| !id.is_empty()));
    }
}

#[tokio::test]
async fn pictures_and_failures_of_tools_reach_the_model_as_each_protocol_has_them() {
    let image = Image { name: "a.png".to_owned(), media_type: "image/png".to_owned(), base64: "AAAA".into() };
    for kind in KINDS {
        let server = ModelServer::start([Reply::text("ok")]);
        let mut asked = with_tools("x");
        let calls = vec![call("c1", "files__read", json!({})), call("c2", "files__list", json!({}))];
        let seen = ToolResult { images: vec![image.clone()], ..result(&calls[0], "") };
        let failed = ToolResult { is_error: true, ..result(&calls[1], "no such folder") };
        asked.messages.push(Message { calls, ..Message::new(Role::Assistant, "") });
        asked.messages.push(Message { results: vec![seen, failed], ..Message::new(Role::Tool, "") });
        asked.messages.push(Message::new(Role::User, "Go on."));
        ask(&models(config(vec![("p", provider(kind, &server))])), asked).await.unwrap();
        let body = &server.requests()[0].body;
        let messages = body["messages"].as_array().unwrap();
        match kind {
            ProviderKind::Anthropic => {
                let source = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
                assert_eq!(messages.len(), 3, "results, and what the person says after them, are one message");
                assert_eq!(
                    messages[2]["content"],
                    json!([
                        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "image", "source": source}]},
                        {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "no such folder"}], "is_error": true},
                        {"type": "text", "text": "Go on."},
                    ])
                );
            }
            ProviderKind::Ollama => {
                assert_eq!(
                    (&messages[3]["images"], &messages[4]["content"]),
                    (&json!(["AAAA"]), &json!("Error: no such folder"))
                );
            }
            _ => {
                assert_eq!(messages[4]["content"], "Error: no such folder");
                assert_eq!(messages[5]["role"], "user");
                assert_eq!(messages[5]["content"][1]["image_url"]["url"], "data:image/png;base64,AAAA");
                assert_eq!(messages[6]["content"], "Go on.");
            }
        }
    }
}

#[tokio::test]
async fn text_that_looks_like_a_call_is_text() {
    for text in [
        "<tool_call>\n{\"name\": \"files__read\", \"arguments\": {\"path\": \"a\"}}\n</tool_call>",
        "[TOOL_CALLS][{\"name\": \"files__read\", \"arguments\": {}}]",
        "{\"name\": \"files__read\", \"parameters\": {\"path\": \"a\"}}",
    ] {
        let server = ModelServer::start([Reply::chunks([text])]);
        let done =
            ask(&models(config(vec![("p", provider(ProviderKind::OpenAi, &server))])), with_tools("x")).await.unwrap();
        assert_eq!((done.text.data(), done.finish, done.calls.len()), (text, Finish::Stop, 0));
    }
}

#[tokio::test]
async fn what_a_server_repeats_of_a_key_in_a_call_is_taken_out() {
    let server = ModelServer::start([deltas(
        &[
            json!({"reasoning_content": "the key is sk-very-secret"}),
            json!({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "files__read", "arguments": "{\"path\": \"sk-very-secret\"}"}}]}),
        ],
        "tool_calls",
    )]);
    let settings =
        ProviderSettings { api_key_env: Some("TEST_KEY".to_owned()), ..provider(ProviderKind::OpenAi, &server) };
    let turn = ask(&models(config(vec![("p", settings)])), with_tools("x")).await.unwrap();
    let kept = format!("{:?}", (&turn.calls, &turn.opaque));
    assert!(!kept.contains("very-secret") && kept.contains("[redacted]"), "{kept}");
}

#[tokio::test]
async fn tools_and_what_they_returned_are_part_of_the_estimate_of_a_prompt() {
    let kind = ProviderKind::Ollama;
    let server = ModelServer::start([Reply::text("ok").usage(None)]);
    let mut asked = with_tools("x");
    asked.tools[0].description = "d".repeat(40_000);
    let read = call("", "files__read", json!({"path": "p".repeat(40_000)}));
    let returned = result(&read, &"r".repeat(40_000));
    asked.messages.push(Message { calls: vec![read], ..Message::new(Role::Assistant, "") });
    asked.messages.push(Message { results: vec![returned], ..Message::new(Role::Tool, "") });
    assert!((30_000..31_000).contains(&asked.prompt_tokens()), "{}", asked.prompt_tokens());
    ask(&models(config(vec![("p", provider(kind, &server))])), asked).await.unwrap();
    assert_eq!(server.requests()[0].body["options"]["num_ctx"], 65_536);
}
