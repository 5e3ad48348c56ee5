//! Keys that are pressed while a search is under way act on what it finds: on no row that was listed before.

use super::opening::{asked, typed};
use super::*;
use crate::core::ports::HistoryQuery;
use crate::tui::effect::Manage;

/// The history, with its first page.
pub(super) fn history() -> Interface {
    let mut interface = home();
    let orders = typed(&mut interface, &["^f"]);
    found(&mut interface, &orders, rows(3));
    interface
}

/// The questions among orders.
fn searches(orders: &[Order]) -> Vec<(u64, HistoryQuery)> {
    let search = |order: &Order| match order {
        Order::Backend(Request::Errand(Errand::Search { ticket, query })) => Some((*ticket, query.clone())),
        _ => None,
    };
    orders.iter().filter_map(search).collect()
}

/// The newest question is answered, before a frame is drawn.
pub(super) fn found(interface: &mut Interface, orders: &[Order], rows: Vec<RunRow>) -> Vec<Order> {
    let (ticket, query) = searches(orders).pop().expect("nothing was searched");
    UiModel::update(interface, Message::Rows { ticket, offset: query.offset, rows }).0
}

/// Types in one burst: no frame is drawn between the keys.
fn burst(interface: &mut Interface, keys: &[&str]) -> Vec<Order> {
    keys.iter().flat_map(|name| UiModel::update(interface, Message::Key(key(name))).0).collect()
}

/// The changes, and the runs that are to be opened.
fn done(orders: &[Order]) -> Vec<&Order> {
    let does = |order: &&Order| matches!(order, Order::Backend(Request::Change(_) | Request::Open(..)));
    orders.iter().filter(does).collect()
}

fn archived(run: RunId) -> Order {
    Order::Backend(Request::Change(Change::Manage(run, Manage::Archive)))
}

#[test]
fn a_key_that_follows_a_search_at_once_acts_on_what_it_finds() {
    let lighthouse = rows(9).pop().unwrap();
    let mut interface = history();
    let orders = burst(&mut interface, &["l", "i", "g", "Enter"]);
    assert_eq!(done(&orders), Vec::<&Order>::new(), "a run of the old list was opened");
    assert!(look(&mut interface).contains("Searching…"), "they see that it is under way");
    let orders = found(&mut interface, &orders, vec![lighthouse.clone()]);
    assert_eq!(asked(&orders), [&Opening::Run(lighthouse.run)]);
    let mut interface = history();
    let orders = burst(&mut interface, &["l", "^x"]);
    assert_eq!(done(&orders), Vec::<&Order>::new());
    assert_eq!(done(&found(&mut interface, &orders, vec![lighthouse.clone()])), [&archived(lighthouse.run)]);
    // A paste is typed, too.
    let mut interface = history();
    let mut orders = UiModel::update(&mut interface, Message::Paste("lighthouse".into())).0;
    orders.extend(burst(&mut interface, &["Down", "Enter"]));
    assert_eq!(done(&orders), Vec::<&Order>::new());
    let orders = found(&mut interface, &orders, rows(9)[7..].to_vec());
    assert_eq!(asked(&orders), [&Opening::Run(lighthouse.run)], "keys keep their order");
}

#[test]
fn the_palette_of_a_search_is_about_what_it_finds() {
    let lighthouse = rows(9).pop().unwrap();
    let mut interface = history();
    let orders = burst(&mut interface, &["l", "F2", "a", "r", "c", "h", "i", "v", "e", "Enter"]);
    assert_eq!(done(&orders), Vec::<&Order>::new());
    assert_eq!(done(&found(&mut interface, &orders, vec![lighthouse.clone()])), [&archived(lighthouse.run)]);
}

#[test]
fn only_the_newest_search_answers_a_key_that_waits() {
    let mut interface = history();
    let mut orders = burst(&mut interface, &["l"]);
    let first = searches(&orders).pop().unwrap().0;
    orders.extend(burst(&mut interface, &["i", "Enter"]));
    tell(&mut interface, Message::Rows { ticket: first, offset: 0, rows: rows(3) });
    let lighthouse = rows(9).pop().unwrap();
    let orders = found(&mut interface, &orders, vec![lighthouse.clone()]);
    assert_eq!(asked(&orders), [&Opening::Run(lighthouse.run)]);
}

#[test]
fn what_a_search_does_not_find_is_not_acted_on() {
    // Nothing is found.
    let mut interface = history();
    let orders = burst(&mut interface, &["x", "^x"]);
    assert_eq!(done(&found(&mut interface, &orders, vec![])), Vec::<&Order>::new());
    // The search fails.
    let mut interface = history();
    let orders = burst(&mut interface, &["x", "^x"]);
    let (ticket, query) = searches(&orders).pop().unwrap();
    let request = Box::new(Request::Errand(Errand::Search { ticket, query }));
    let orders = tell(&mut interface, Message::NotDone { request, why: "the store is damaged".into() });
    assert_eq!(done(&orders), Vec::<&Order>::new());
    assert!(look(&mut interface).contains("the store is damaged"));
    // Esc gives up what was pressed, and keeps what was typed.
    let mut interface = history();
    let orders = burst(&mut interface, &["x", "^x", "Esc"]);
    assert_eq!(done(&found(&mut interface, &orders, rows(3))), Vec::<&Order>::new());
    assert!(!look(&mut interface).contains("Searching…"));
    assert!(look(&mut interface).contains('x'));
}

#[test]
fn a_filter_is_a_search_and_ways_out_do_not_wait() {
    let mut interface = history();
    let orders = burst(&mut interface, &["Tab", "Right", "Right", "Down", "Esc", "^x"]);
    assert_eq!(done(&orders), Vec::<&Order>::new());
    let last = rows(3).pop().unwrap();
    assert_eq!(done(&found(&mut interface, &orders, vec![last.clone()])), [&archived(last.run)]);
    let mut interface = history();
    burst(&mut interface, &["x", "^n"]);
    assert!(matches!(interface.top(), AnyScreen::Inbox(_)), "the inbox does not wait for a search");
}

#[test]
fn what_is_typed_on_home_before_anything_is_listed_finds_what_is_listed_then() {
    let new = || Interface::new("/home/ana".into(), at(400), FixedOffset::east_opt(0).unwrap());
    let lists = || {
        let Some(task) = home().home().map(|home| home.tasks().to_vec()) else { unreachable!() };
        [Message::Tasks(task), Message::OpenRuns(rows(2))]
    };
    for (drawn, order) in [(false, [0, 1]), (true, [0, 1]), (true, [1, 0])] {
        let mut interface = new();
        let orders = burst(&mut interface, &["p", "o", "e", "m", "Enter"]);
        assert_eq!(done(&orders), Vec::<&Order>::new(), "it is asked of a chat before the task is known");
        let mut orders = Vec::new();
        for at in order {
            if drawn {
                look(&mut interface);
            }
            orders.extend(UiModel::update(&mut interface, lists()[at].clone()).0);
        }
        assert_eq!(asked(&orders), [&Opening::Task("poem".into())]);
    }
    // Where nothing can be listed, what was typed is for nothing.
    let mut interface = new();
    burst(&mut interface, &["p", "Enter"]);
    let request = Box::new(Request::Errand(Errand::ListTasks));
    let orders = tell(&mut interface, Message::NotDone { request, why: "the store is damaged".into() });
    assert_eq!(done(&orders), Vec::<&Order>::new());
    assert_eq!(asked(&typed(&mut interface, &["Enter"])), [&Opening::Chat("p".into())], "what is listed can be used");
}

#[test]
fn what_is_to_be_taken_back_is_read_before_it_is_answered() {
    let mut interface = history();
    look(&mut interface);
    let orders = burst(&mut interface, &["Alt-u", "Y"]);
    let run = rows(1)[0].run;
    assert_eq!(asked(&orders), [&Opening::TakeBack(run)]);
    let undo = Effect::Change(Change::Undo { run, seq: 3 });
    let confirm = crate::tui::layers::Confirm::new(vec!["Take it back?".into()], vec![undo]);
    let ready = Ready::Above(Box::new(Layered::Confirm(confirm).into()));
    let ticket = interface.ticket;
    assert_eq!(done(&tell(&mut interface, Message::Ready(ticket, ready))), Vec::<&Order>::new());
    assert_eq!(done(&typed(&mut interface, &["Y"])).len(), 1, "once it was seen, it does");
}
