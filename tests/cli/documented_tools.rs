//! What the page about tools begins with, done as it says.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use crate::support::cli::Home;

/// The first block of the page that is fenced as `language`.
fn block(language: &str) -> String {
    let page = include_str!("../../docs/tools.md");
    let begins = format!("```{language}\n");
    let (_, rest) = page.split_once(begins.as_str()).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_example_that_runs_without_network_gives_what_the_page_says() {
    let home = Home::new();
    home.write("workflows/prices/workflow.toml", &block("toml"));
    home.write("workflows/prices/price.sh", &block("sh"));
    assert_eq!(home.step("check").exits(0).out.matches("prices").count(), 0, "nothing is wrong with it");
    assert_eq!(home.step("run prices").exits(0).out.trim(), "54.0");
    let failed = home.step("run prices -i thing=gold").exits(1);
    assert!(failed.err.contains("there is no price for that"), "{}", failed.err);
    let look_up = home.call("look_up");
    assert_eq!(look_up["attempts"][0]["error"]["class"], "tool", "{look_up}");
}

#[test]
fn a_tool_that_is_not_allowed_by_rule_waits_for_a_person_who_sees_what_would_run() {
    let home = Home::new();
    let text = block("toml").replacen("approve = \"never\"\n", "", 1);
    home.write("workflows/prices/workflow.toml", &text);
    home.write("workflows/prices/price.sh", &block("sh"));
    let waits = home.step("run prices").exits(3);
    assert!(waits.out.contains("price") && waits.out.contains("@/price.sh"), "{}", waits.out);
    assert_eq!(home.step("review last look_up --approve").exits(0).out.trim(), "54.0");
}
