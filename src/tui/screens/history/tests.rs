//! The history as a person searches it.

use super::*;
use crate::core::run::Status;
use crate::core::task::Kind as TaskKind;
use crate::tui::effect::{Change, Manage};
use crate::tui::message::RunChange;
use crate::tui::testing::{SIZES, at, frame, key, listed};
use crate::tui::theme::Depth;

const DAY: i64 = 86_400;

fn rows() -> Vec<RunRow> {
    let mut rows = vec![
        listed("poem · the sea", Status::Waiting, 2, 300),
        listed("poem · the moor", Status::Completed, 0, 0),
        listed("notes · meeting", Status::Failed, 0, -DAY),
        listed("poem · an old one with a very long title that has to give way", Status::Completed, 0, -20 * DAY),
    ];
    rows[0].snippet =
        "the \u{2}lamps\u{3} lean out across the tide and count the \u{2}lamps\u{3} that \u{1b}[31mcome home".into();
    rows
}

fn history() -> HistoryScreen {
    let (mut screen, ask) = HistoryScreen::new(
        vec!["email".into(), "poem".into()],
        Path::new("/home/ana"),
        at(400),
        FixedOffset::east_opt(3_600).unwrap(),
    );
    answer(&mut screen, &ask, rows());
    look(&mut screen, (80, 24));
    screen
}

/// Whether an effect only asks to see more of what is listed.
fn looks(effect: &Effect) -> bool {
    matches!(effect, Effect::Errand(Errand::Glance(_) | Errand::Preview(_)))
}

fn answer(screen: &mut HistoryScreen, ask: &Effect, rows: Vec<RunRow>) -> Vec<Effect> {
    let Effect::Errand(Errand::Search { ticket, query }) = ask else { panic!("{ask:?} is no search") };
    let effects = screen.update(Message::Rows { ticket: *ticket, offset: query.offset, rows }).0;
    effects.into_iter().filter(|effect| !looks(effect)).collect()
}

fn look(screen: &mut HistoryScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| screen.view(canvas, area));
    screen.set_last_frame(info);
    picture
}

fn press(screen: &mut HistoryScreen, keys: &[&str]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in keys {
        effects.extend(screen.update(Message::Key(key(name))).0.into_iter().filter(|effect| !looks(effect)));
        look(screen, (80, 24));
    }
    effects
}

fn changed(said: &str, undo: Option<u64>) -> RunChange {
    RunChange { run: rows()[0].run, said: said.to_owned(), undo, gone: undo.is_none(), restored: false }
}

fn searched(effects: &[Effect]) -> Vec<&HistoryQuery> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Errand(Errand::Search { query, .. }) = effect { Some(query) } else { None })
        .collect()
}

#[test]
fn runs_stand_by_day_with_the_newest_first() {
    for size in SIZES {
        insta::assert_snapshot!(format!("history_{}x{}", size.0, size.1), look(&mut history(), size));
    }
    for size in [(1, 1), (12, 6), (300, 7)] {
        look(&mut history(), size);
    }
}

#[test]
fn the_match_is_marked_in_the_list_and_in_the_preview() {
    let mut screen = history();
    press(&mut screen, &["l", "a", "m", "p", "s"]);
    let (picture, _) = frame((80, 24), Depth::Sixteen, |canvas, area| screen.view(canvas, area));
    assert!(!picture.contains('\u{1b}') && !picture.contains('\u{2}'), "{picture}");
    insta::assert_snapshot!(picture);
}

#[test]
fn letters_ask_and_only_the_newest_answer_counts() {
    let mut screen = history();
    let asked = press(&mut screen, &["s", "e", "a"]);
    let texts: Vec<&str> = searched(&asked).iter().map(|query| query.text.as_str()).collect();
    assert_eq!(texts, ["s", "se", "sea"]);
    answer(&mut screen, &asked[0], vec![]);
    assert!(screen.selected().is_some(), "a late answer to an older question changed the list");
    answer(&mut screen, &asked[2], vec![]);
    assert!(look(&mut screen, (80, 24)).contains("Nothing found."));
}

#[test]
fn a_hundred_thousand_runs_are_asked_for_by_the_page() {
    let all: Vec<RunRow> = (0..100_000).map(|n| listed(&format!("run {n}"), Status::Completed, 0, -n * 60)).collect();
    let (mut screen, mut ask) = HistoryScreen::new(vec![], Path::new("/"), at(0), FixedOffset::east_opt(0).unwrap());
    let mut pages = 0;
    while let Effect::Errand(Errand::Search { query, .. }) = ask.clone() {
        pages += 1;
        let page = all[query.offset..query.offset + query.limit].to_vec();
        let more = answer(&mut screen, &ask, page);
        assert!(more.is_empty(), "the next page was asked for although nobody looks at it");
        look(&mut screen, (80, 24));
        if pages == 3 {
            break;
        }
        ask = loop {
            if let [more] = press(&mut screen, &["PgDn"]).as_slice() {
                break more.clone();
            }
        };
    }
    assert_eq!(screen.runs.len(), 300);
}

#[test]
fn a_run_that_was_started_meanwhile_does_not_come_twice() {
    let (mut screen, ask) = HistoryScreen::new(vec![], Path::new("/"), at(0), FixedOffset::east_opt(0).unwrap());
    let all: Vec<RunRow> = (0..250).map(|n| listed(&format!("run {n}"), Status::Completed, 0, -n * 60)).collect();
    answer(&mut screen, &ask, all[..100].to_vec());
    look(&mut screen, (80, 24));
    let more = press(&mut screen, &["PgDn"; 6]);
    answer(&mut screen, &more[0], all[99..199].to_vec());
    assert_eq!(screen.runs.len(), 199);
}

#[test]
fn filters_narrow_the_search() {
    let mut screen = history();
    // Task: the second; status: open; here.
    let asked =
        press(&mut screen, &["Tab", "Down", "Down", "Right", "Right", "Down", "Right", "Down", "Right", "Down"]);
    let query = *searched(&asked).last().unwrap();
    assert_eq!((query.task.as_deref(), query.kind), (Some("poem"), None::<TaskKind>));
    assert!(query.statuses.contains(&Status::Waiting) && !query.statuses.contains(&Status::Completed));
    // Today began at midnight where the person is.
    assert_eq!(query.since.unwrap().to_rfc3339(), "2026-11-17T23:00:00+00:00");
    assert_eq!(query.cwd.as_deref(), Some(Path::new("/home/ana")));
    insta::assert_snapshot!(look(&mut screen, (80, 24)));
    insta::assert_snapshot!("filters_40x12", look(&mut screen, (40, 12)));
    let asked = press(&mut screen, &["Backspace"]);
    assert_eq!(searched(&asked)[0].cwd, None);
    // Typing goes on with the search.
    let asked = press(&mut screen, &["x"]);
    assert_eq!((searched(&asked)[0].text.as_str(), screen.focus), ("x", Focus::Search));
}

#[test]
fn enter_opens_what_is_selected() {
    let mut screen = history();
    assert_eq!(press(&mut screen, &["Enter"]), [Effect::Go(Go::Run(rows()[0].run))]);
    assert_eq!(press(&mut screen, &["Down", "Down", "Enter"]), [Effect::Go(Go::Run(rows()[2].run))]);
    assert_eq!(press(&mut screen, &["Up", "^g"]), [Effect::Open(Opening::RunAgain(rows()[1].run))]);
}

#[test]
fn two_marked_runs_are_compared_the_earlier_first() {
    let mut screen = history();
    assert_eq!(press(&mut screen, &["^d"]), []);
    let effects = press(&mut screen, &["^t", "Down", "^d"]);
    assert_eq!(effects, [Effect::Open(Opening::Compare(rows()[1].run, rows()[0].run))]);
    let effects = press(&mut screen, &["^t", "Down", "^d"]);
    assert_eq!(effects, [Effect::Open(Opening::Compare(rows()[1].run, rows()[0].run))]);
}

#[test]
fn esc_takes_back_the_search_then_goes_back() {
    let mut screen = history();
    let effects = press(&mut screen, &["s", "Esc", "Esc"]);
    assert_eq!(searched(&effects).last().unwrap().text, "");
    assert_eq!(effects.last(), Some(&Effect::Go(Go::Back)));
}

#[test]
fn a_deleted_run_leaves_the_selection_where_it_was() {
    let mut screen = history();
    press(&mut screen, &["Down", "Down"]);
    let ask = screen.update(Message::RunsChanged(changed("deleted", None))).0;
    let mut left = rows();
    left.remove(0);
    answer(&mut screen, &ask[0], left);
    assert_eq!(screen.selected().map(|run| run.run), Some(rows()[2].run));
}

/// What a run has to show: a result of sixty lines, in three of which it speaks of lamps.
fn a_long_result(row: &RunRow) -> Message {
    let line = |n: u32| {
        if n.is_multiple_of(25) { format!("The **Lamps** of line {n}.\n\n") } else { format!("Line {n}.\n\n") }
    };
    let body: String = (1..=75).map(line).collect();
    let completed = crate::core::event::Event::RunCompleted { title: "t".into(), body: body.as_str().into() };
    let mut run = crate::tui::testing::Story::new("poem", "poem", TaskKind::Workflow).then(completed).run;
    run.id = row.run;
    Message::Preview(std::sync::Arc::new(run))
}

#[test]
fn the_preview_is_the_whole_result_and_goes_from_match_to_match() {
    let mut screen = history();
    press(&mut screen, &["l", "a", "m", "p", "s"]);
    screen.update(a_long_result(&rows()[0]));
    // It begins with the first match.
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("The Lamps of line 25.") && !picture.contains("Line 1."), "{picture}");
    assert!(picture.contains("3 matches"), "{picture}");
    press(&mut screen, &["Tab", "Tab", "n"]);
    assert!(look(&mut screen, (80, 24)).contains("The Lamps of line 50."));
    press(&mut screen, &["N", "N"]);
    assert!(look(&mut screen, (80, 24)).contains("The Lamps of line 75."), "before the first comes the last");
    press(&mut screen, &["Home"]);
    assert!(look(&mut screen, (80, 24)).contains("Line 1."));
    press(&mut screen, &["End"]);
    assert!(look(&mut screen, (80, 24)).contains("The Lamps of line 75."));
    let copied = press(&mut screen, &["y"]);
    let [Effect::Terminal(Terminal::Copy(text))] = copied.as_slice() else { panic!("{copied:?}") };
    assert!(text.contains("**Lamps** of line 25") && text.contains("Line 1."), "the whole text is copied");
    press(&mut screen, &["z"]);
    let picture = look(&mut screen, (80, 24));
    assert!(!picture.contains("poem · the moor"), "the list is still there: {picture}");
    assert_eq!(press(&mut screen, &["Esc", "Esc", "Enter"]), [Effect::Go(Go::Run(rows()[0].run))]);
    for size in SIZES {
        look(&mut screen, size);
    }
}

#[test]
fn a_match_is_marked_wherever_it_stands_in_the_result() {
    let mut screen = history();
    press(&mut screen, &["l", "a", "m", "p", "s"]);
    screen.update(a_long_result(&rows()[0]));
    let (picture, _) = frame((100, 24), Depth::Sixteen, |canvas, area| screen.view(canvas, area));
    let marked = picture.lines().filter(|line| line.ends_with(" Lamps")).count();
    assert!(marked > 0, "{picture}");
}

#[test]
fn a_renamed_run_keeps_the_cursor_also_while_a_search_is_open() {
    let mut screen = history();
    let asked = press(&mut screen, &["p"]);
    answer(&mut screen, asked.last().unwrap(), rows());
    press(&mut screen, &["Down"]);
    for from_the_top in [true, false] {
        let before = screen.selected().unwrap().run;
        let ask = screen.update(Message::RunsChanged(changed("renamed", Some(9)))).0.remove(0);
        let mut found = rows();
        // It has moved to the top, because it changed last.
        found.rotate_right(1);
        answer(&mut screen, &ask, found);
        assert_eq!(screen.selected().unwrap().run, before);
        if from_the_top {
            press(&mut screen, &["Up"]);
        }
    }
    assert!(look(&mut screen, (120, 40)).contains("renamed · Alt-U takes it back"));
}

#[test]
fn a_run_is_archived_with_one_key_and_deleted_only_from_its_actions() {
    let mut screen = history();
    press(&mut screen, &["Down"]);
    let run = rows()[1].run;
    assert_eq!(press(&mut screen, &["^x"]), [Effect::Change(Change::Manage(run, Manage::Archive))]);
    screen.update(Message::RunsChanged(changed("archived", Some(9))));
    let back = press(&mut screen, &["Alt-u"]);
    assert_eq!(back, [Effect::Change(Change::Undo { run: rows()[0].run, seq: 9 })]);
    let effects = press(&mut screen, &["Alt-Enter"]);
    let [Effect::Go(Go::Above(above))] = effects.as_slice() else { panic!("{effects:?}") };
    let (picture, _) = frame((80, 24), Depth::None, |canvas, area| above.view(canvas, area));
    assert!(picture.contains("Delete it") && picture.contains("Archive it"), "{picture}");
}

#[test]
fn changes_are_taken_back_in_order_and_then_what_was_decided_in_the_selected_run() {
    let mut screen = history();
    let run = rows()[0].run;
    for seq in [5, 6] {
        screen.update(Message::RunsChanged(changed("changed", Some(seq))));
    }
    let back = |screen: &mut HistoryScreen| press(screen, &["Alt-u"]);
    assert_eq!(back(&mut screen), [Effect::Change(Change::Undo { run, seq: 6 })]);
    assert_eq!(back(&mut screen), [Effect::Change(Change::Undo { run, seq: 5 })]);
    press(&mut screen, &["Down"]);
    assert_eq!(back(&mut screen), [Effect::Open(Opening::TakeBack(rows()[1].run))]);
    // What is gone cannot be taken back.
    screen.update(Message::RunsChanged(changed("changed", Some(7))));
    screen.update(Message::RunsChanged(changed("deleted", None)));
    assert_eq!(back(&mut screen), [Effect::Open(Opening::TakeBack(rows()[1].run))]);
}

#[test]
fn a_run_that_was_brought_back_is_selected() {
    let mut screen = history();
    let ask = screen.update(Message::RunsChanged(changed("archived", Some(9)))).0.remove(0);
    answer(&mut screen, &ask, rows()[1..].to_vec());
    assert_eq!(screen.selected().map(|run| run.run), Some(rows()[1].run));
    let restored = RunChange { restored: true, gone: false, ..changed("taken back", None) };
    let ask = screen.update(Message::RunsChanged(restored)).0.remove(0);
    answer(&mut screen, &ask, rows());
    assert_eq!(screen.selected().map(|run| run.run), Some(rows()[0].run));
}

#[test]
fn what_others_change_shows_and_neither_the_selection_nor_the_search_is_lost() {
    let mut screen = history();
    let asked = press(&mut screen, &["p", "Down"]);
    answer(&mut screen, asked.last().unwrap(), rows());
    press(&mut screen, &["Down"]);
    let before = screen.selected().unwrap().run;
    let ask = screen.update(Message::HistoryChanged).0.remove(0);
    let mut found = rows();
    found[2].title = "renamed elsewhere".into();
    found.rotate_left(1);
    found.truncate(3);
    answer(&mut screen, &ask, found);
    assert_eq!(screen.selected().unwrap().run, before);
    assert_eq!(searched(&[ask])[0].text, "p");
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("renamed elsewhere") && picture.contains("› p"), "{picture}");
    assert!(!picture.contains("the sea"), "what was archived elsewhere is gone: {picture}");
}

#[test]
fn a_search_that_takes_long_is_not_asked_for_again_and_again() {
    let mut screen = history();
    let asked = press(&mut screen, &["p"]);
    for _ in 0..3 {
        assert_eq!(screen.update(Message::HistoryChanged).0, []);
    }
    let again = answer(&mut screen, &asked[0], rows());
    assert_eq!(searched(&again).len(), 1, "what has changed since is looked at once: {again:?}");
    assert_eq!(searched(&again)[0].text, "p");
    assert_eq!(searched(&answer(&mut screen, &again[0], rows())).len(), 0);
}

#[test]
fn a_run_that_goes_on_is_read_on_where_one_is() {
    let mut screen = history();
    screen.update(a_long_result(&rows()[0]));
    press(&mut screen, &["Tab", "Tab", "PgDn"]);
    let before = look(&mut screen, (80, 24));
    assert!(!before.contains("Line 1."));
    screen.update(a_long_result(&rows()[0]));
    assert_eq!(look(&mut screen, (80, 24)), before);
    // A version that is read stays, too.
    let mut screen = history();
    screen.update(an_edited_result(&rows()[0]));
    press(&mut screen, &["Tab", "Tab", "Left"]);
    screen.update(an_edited_result(&rows()[0]));
    assert!(look(&mut screen, (80, 24)).contains("The model's lamps"));
}

/// A result of which the person wrote a second version.
fn an_edited_result(row: &RunRow) -> Message {
    an_edit_of_a_result(row, "My own lamps")
}

fn an_edit_of_a_result(row: &RunRow, mine: &str) -> Message {
    use crate::core::event::Event;
    let written = |version, body: &str, by: &str| Event::DocumentWritten {
        name: "result".into(),
        version,
        title: "The sea".into(),
        body: body.into(),
        by: by.into(),
        proposed: false,
        action: None,
    };
    let mut run = crate::tui::testing::Story::new("poem", "poem", TaskKind::Workflow)
        .then(written(1, "The model's lamps", "model"))
        .then(Event::RunCompleted { title: "The sea".into(), body: "The model's lamps".into() })
        .then(written(2, mine, "ana@host"))
        .run;
    run.id = row.run;
    Message::Preview(std::sync::Arc::new(run))
}

#[test]
fn the_preview_has_the_keys_of_every_text() {
    let mut screen = history();
    screen.update(an_edited_result(&rows()[0]));
    press(&mut screen, &["Tab", "Tab"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("My own lamps") && picture.contains("version 2 of 2 (mine)"), "{picture}");
    press(&mut screen, &["Left"]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("The model's lamps") && picture.contains("version 1 of 2 (model)"), "{picture}");
    let copied = press(&mut screen, &["y"]);
    assert!(
        matches!(&copied[..], [Effect::Terminal(Terminal::Copy(text))] if text == "The model's lamps"),
        "{copied:?}"
    );
    // What is written is what is shown; an export would be of the version that counts.
    let written = press(&mut screen, &["w"]);
    let [Effect::Go(Go::Above(above))] = &written[..] else { panic!("{written:?}") };
    let (picture, _) = frame((100, 24), Depth::None, |canvas, area| above.view(canvas, area));
    assert!(picture.contains("Write it to") && !picture.contains("Export"), "{picture}");
    assert_eq!(press(&mut screen, &["e"]), [Effect::Go(Go::EditResult(rows()[0].run, 1))]);
    let compared = press(&mut screen, &["d"]);
    let [Effect::Go(Go::Above(above))] = &compared[..] else { panic!("{compared:?}") };
    let (picture, _) = frame((100, 24), Depth::None, |canvas, area| above.view(canvas, area));
    assert!(picture.contains("version 1 (model) → version 2 (mine)"), "{picture}");
    // It is searched as every text is, and what was searched in the list is forgotten for that.
    press(&mut screen, &["/", "m", "o", "d", "e", "l"]);
    assert!(look(&mut screen, (80, 24)).contains("Search the text"));
    press(&mut screen, &["Enter"]);
    assert!(look(&mut screen, (80, 24)).contains("1 of 1"));
    press(&mut screen, &["Esc"]);
    assert_eq!(screen.situation().layer, Layer::Preview);
    // Another run is shown as it is.
    press(&mut screen, &["Tab", "Down"]);
    assert!(!look(&mut screen, (80, 24)).contains("version 1 of 2"));
}

#[test]
fn the_preview_says_which_version_it_shows_however_narrow_it_is() {
    let mut screen = history();
    screen.update(an_edit_of_a_result(&rows()[0], &"My lamps\n\n".repeat(60)));
    for width in [76, 80, 90, 120] {
        let picture = look(&mut screen, (width, 24));
        assert!(picture.contains("2 of 2") && picture.contains("more ↓"), "{width}: {picture}");
    }
    assert!(look(&mut screen, (120, 24)).contains("version 2 of 2 (mine) · "));
}

#[test]
fn a_run_that_has_to_be_decided_in_time_says_until_when_and_that_the_time_is_up() {
    use crate::core::deadline::Due;
    use crate::core::step::OnTimeout;
    let (mut screen, ask) =
        HistoryScreen::new(vec!["poem".into()], Path::new("/home/ana"), at(400), FixedOffset::east_opt(3_600).unwrap());
    let mut rows = rows();
    rows[0].due = Some(Due { at: at(3_600), then: OnTimeout::Fail });
    answer(&mut screen, &ask, rows);
    let picture = look(&mut screen, (80, 24));
    let listed = |picture: &str, says: &str| picture.lines().any(|line| line.contains("poem") && line.contains(says));
    assert!(listed(&picture, "by 13:06"), "{picture}");
    assert!(picture.contains("deadline 2026-11-18 13:06: will") && picture.contains("fail"), "{picture}");
    assert!(listed(&look(&mut screen, (40, 12)), "by 13:06"));
    assert!(!screen.update(Message::Tick(at(3_599))).1);
    assert!(screen.update(Message::Tick(at(3_600))).1);
    let picture = look(&mut screen, (80, 24));
    assert!(listed(&picture, "overdue") && picture.contains("deadline passed: will fail"), "{picture}");
}

#[test]
fn where_the_filters_leave_nothing_no_words_are_blamed() {
    let mut screen = history();
    let asked = press(&mut screen, &["Tab", "Right", "Right", "Down", "Down"]);
    answer(&mut screen, asked.last().unwrap(), vec![]);
    let picture = look(&mut screen, (80, 24));
    assert!(picture.contains("No run passes the filters.") && !picture.contains("words"), "{picture}");
}
