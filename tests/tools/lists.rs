//! What a server lists.

use serde_json::json;
use stepwell::core::failure::FailureClass;
use stepwell::core::tool::{Pattern, ToolApproval};

use crate::fixture::{Servers, odd};

#[tokio::test]
async fn all_pages_are_read_in_the_servers_order() {
    let plain = Servers::one(odd(&[])).list().await.unwrap();
    assert!(plain.len() > 15 && plain[..2] == ["odd/echo", "odd/add"], "{plain:?}");
    let servers = Servers::one(odd(&["pages=4"]));
    assert_eq!(servers.list().await.unwrap(), plain);
    let heard = servers.heard().await;
    let asked = heard.iter().filter(|one| one["method"] == "tools/list").count();
    assert_eq!(asked, plain.len().div_ceil(4));
}

#[tokio::test]
async fn a_list_is_read_again_when_the_server_says_that_it_changed_and_only_then() {
    let servers = Servers::one(odd(&[]));
    let before = servers.list().await.unwrap();
    assert_eq!(servers.list().await.unwrap(), before);
    servers.call("grow", json!({})).await;
    let after = servers.list().await.unwrap();
    assert_eq!(after.last().unwrap(), "odd/grown0");
    let asked = servers.heard().await.iter().filter(|one| one["method"] == "tools/list").count();
    assert_eq!(asked, 2);
    // One that does not say so is asked each time.
    let servers = Servers::one(odd(&["silent"]));
    servers.list().await.unwrap();
    servers.call("grow", json!({})).await;
    assert_eq!(servers.list().await.unwrap(), after);
}

#[tokio::test]
async fn tools_that_cannot_be_called_are_left_out_and_said() {
    let servers = Servers::one(odd(&["odd-tools"]));
    let inspected = stepwell::core::ports::ToolServers::inspect(&servers.mcp, servers.scope()).await;
    let tools = inspected[0].tools.as_ref().unwrap();
    assert_eq!(tools.iter().filter(|tool| tool.tool == "odd/echo").count(), 1);
    assert_eq!(tools[0].description.data(), "Does echo.");
    assert!(!tools.iter().any(|tool| tool.tool == "odd/broken"));
    let notes = inspected[0].notes.join("\n");
    for says in
        ["two tools are named `odd/echo`", "`odd/broken` is left out", "`odd/worse` is left out", "without a name"]
    {
        assert!(notes.contains(says), "{notes}");
    }
}

#[tokio::test]
async fn what_is_no_list_says_so() {
    for (flag, says) in [
        ("no-list", "the server `odd` does not list its tools: its answer has no `tools`"),
        ("endless", "its list has no end"),
    ] {
        let failure = Servers::one(odd(&[flag])).list().await.unwrap_err();
        assert!(failure.class == FailureClass::Tool && failure.message.contains(says), "{failure}");
    }
    let mut late = odd(&["never-lists"]);
    late.timeout = Some(stepwell::core::step::Timespan(200));
    let failure = Servers::one(late).list().await.unwrap_err();
    assert!(failure.message.contains("it did not list its tools within 200ms"), "{failure}");
    assert_eq!(Servers::one(odd(&["no-tools"])).list().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_server_is_named_with_the_rules_of_its_tools() {
    use stepwell::core::ports::ToolServers as _;
    let mut server = odd(&["mark=mark"]);
    server.approve = vec![(Pattern("read_*".into()), ToolApproval::Never)];
    let servers = Servers::one(server);
    assert_eq!(servers.mcp.servers(&servers.scope()), ["odd"]);
    let approve = |tool: &str| servers.mcp.rules(&servers.scope(), tool).approve;
    assert_eq!(approve("odd/read_file"), ToolApproval::Never);
    for tool in ["odd/write", "nobody/read_file", "read_file"] {
        assert_eq!(approve(tool), ToolApproval::Always, "{tool}");
    }
    assert!(!servers.path("mark").exists(), "nothing is started for that");
}
