//! What holds of every frame and of every key.

use super::*;

impl World {
    /// Title, content and the target of the keys are of one thing.
    pub(super) fn agrees(&self) {
        let Some(content) = &self.seen.content else { return };
        let run = self.at(content.run.unwrap_or(self.runs[0].run.id));
        let all = marks(&self.frame);
        match &content.subject {
            Subject::Call(key) => {
                let own = format!("r{run}.{}.", key.to_string().replace(['[', ']'], ""));
                for mark in &all {
                    assert!(mark.starts_with(&own), "{mark} stands where {own} is shown:\n{}", self.frame);
                }
                // Alone on the screen, a text has no title.
                let head = self.frame.lines().next().unwrap_or_default();
                let titled = format!("tale {run}");
                assert!(!head.contains("tale ") || head.contains(&titled), "{}", self.frame);
                let beside = format!("· {titled}");
                assert!(!head.contains("Inbox") || self.frame.contains(&beside), "{}", self.frame);
                // Where keys answer what waits, it is what is shown.
                if let Some(gate) = &self.seen.gate {
                    assert_eq!((gate.run, &gate.key), (self.runs[run].run.id, key), "{}", self.frame);
                    assert_eq!((gate.attempt, gate.version), (content.attempt, content.version), "{}", self.frame);
                }
                let text = mark(run, &key.to_string(), content.attempt, content.version);
                let stale = self.seen.gate.as_ref().is_some_and(|gate| gate.kind == GateKind::Stale);
                let has_text = content.version > 0 && self.size.1 > 12 && !stale;
                assert!(!has_text || all.contains(&text), "{text} is not shown:\n{}", self.frame);
            }
            Subject::Document(name) => {
                // Where it is asked which text counts, there may be no room for all of the person's own.
                if let Some(gate) = &self.seen.gate {
                    assert_eq!((gate.run, &gate.document), (self.runs[run].run.id, &Some(name.clone())));
                    return;
                }
                let body = &self.runs[run].run.documents[name].version(content.version).unwrap().body;
                for mark in marks(body.data()) {
                    assert!(all.contains(&mark), "{mark} is not shown:\n{}", self.frame);
                }
            }
            Subject::Run => {
                // A pane begins at a corner, or at the line that it has in common with the one beside it.
                let titles = ["┬", "┌"].map(|corner| format!("{corner} tale {run} "));
                let title = titles.into_iter().find(|title| self.frame.contains(title));
                let title = title.unwrap_or_else(|| panic!("tale {run} is not shown:\n{}", self.frame));
                // The pane under that title speaks of nothing else.
                let (own, pane) = (format!("r{run}."), under(&self.frame, &title));
                let all = marks(&pane);
                // Why something failed before it was performed is said in words of no run.
                let says = !all.is_empty() || pane.contains("It failed.");
                assert!(says, "nothing of {own} is shown:\n{}", self.frame);
                assert!(all.iter().all(|mark| mark.starts_with(&own)), "{all:?} is shown as {own}:\n{}", self.frame);
            }
            _ => {}
        }
    }

    pub(super) fn is_about_what_was_shown(&self, name: &str, order: &Order, before: &FrameInfo, layered: bool) {
        let bare = &self.bare;
        match order {
            Order::Backend(Request::Change(Change::Decide(run, decision, _))) => {
                let at = self.at(*run);
                let now = &self.runs[at].run;
                let Ok(_) = decide(now, decision, &"ana@host".into()) else { return };
                if let Some(name) = &decision.document {
                    let shown = before.content.as_ref().or(before.row.as_ref());
                    let is = shown.map(|shown| (shown.run, shown.subject.clone()));
                    assert_eq!(is, Some((Some(*run), Subject::Document(name.clone()))), "{bare}");
                    return;
                }
                let Some(gate) = now.call(&decision.key).and_then(|call| call.gate()) else { return };
                // Several are decided at once only when they are marked or that is asked for.
                if name == "A" || self.had_marks {
                    return;
                }
                let key = decision.key.to_string();
                let shown = before.content.as_ref().map(|shown| &shown.subject);
                if layered
                    && matches!(decision.kind, DecisionKind::Retry { .. })
                    && shown != Some(&Subject::Call(decision.key.clone()))
                {
                    // The box names the others that were ticked in it.
                    return;
                }
                let wanted = match &decision.kind {
                    // An earlier one is taken, and a text is edited or quoted, only as it was on screen.
                    DecisionKind::Take { take } => vec![mark(at, &key, take.attempt, take.version.unwrap())],
                    // A draft may be older than what is under it: it is what the editor shows.
                    DecisionKind::Edit { output, .. } => {
                        let typed = marks(&output.to_string());
                        assert!(typed.iter().all(|mark| is_in(&self.frame, mark)), "{typed:?} in:\n{}", self.frame);
                        return;
                    }
                    DecisionKind::Retry { instruction, .. } if !marks(instruction).is_empty() => marks(instruction),
                    _ if gate.kind() == GateKind::Approval => vec![asked(at, number(gate))],
                    _ => vec![mark(at, &key, gate.attempt, gate.version)],
                };
                for wanted in wanted {
                    assert!(
                        marks(bare).contains(&wanted),
                        "`{name}` decides {:?} about {wanted}, which was not on screen:\n{bare}",
                        decision.kind
                    );
                }
            }
            Order::Backend(Request::Change(Change::EditDocument { body, .. })) => {
                // What is taken was on screen; what was typed is what the editor shows.
                let (shown, typed) = (format!("{}\n{bare}", self.frame), marks(body));
                assert!(typed.iter().all(|mark| is_in(&shown, mark)), "{typed:?} in:\n{shown}");
            }
            Order::Terminal(Terminal::Copy(text)) => {
                // A box may show more than what is under it, and the palette acts on what is under it.
                let shown = if layered { format!("{}\n{bare}", self.frame) } else { bare.clone() };
                for mark in marks(text) {
                    assert!(shown.contains(&mark), "`{name}` copies {mark}, which was not on screen:\n{shown}");
                }
            }
            Order::Backend(Request::Open(_, Opening::Run(run))) if !layered && name == "Enter" => {
                let shown = before.content.as_ref().or(before.row.as_ref()).and_then(|shown| shown.run);
                assert_eq!(shown, Some(*run), "another run is opened than was on screen:\n{bare}");
            }
            Order::Backend(Request::Change(Change::Manage(run, Manage::Archive))) if !layered => {
                let shown = before.row.as_ref().and_then(|row| row.run);
                assert_eq!(shown, Some(*run), "another run is archived than was on screen:\n{bare}");
            }
            Order::Backend(Request::Change(Change::Stop { run, key, .. })) if !self.had_marks => {
                let shown = before.content.as_ref().or(before.row.as_ref());
                let is = shown.map(|shown| (shown.run, shown.subject.clone()));
                assert_eq!(is, Some((Some(*run), Subject::Call(key.clone()))), "{bare}");
            }
            _ => {}
        }
    }
}

/// Whether a mark is in what is shown. The caret may lie on any of its letters.
fn is_in(shown: &str, mark: &str) -> bool {
    let under_caret = |at: usize| [&mark[..at], "▮", &mark[at + 1..]].concat();
    shown.contains(mark) || (0..mark.len()).any(|at| shown.contains(&under_caret(at)))
}

/// The text of the pane with that title: everything to the right of where its frame begins, from there down.
fn under(frame: &str, title: &str) -> String {
    let Some((row, before)) = frame.lines().enumerate().find_map(|(at, line)| Some((at, line.split_once(title)?.0)))
    else {
        return String::new();
    };
    let cells = crate::tui::text::width(before);
    let right = |line: &str| line[crate::tui::text::take(line, cells).len()..].to_owned() + "\n";
    frame.lines().skip(row).map(right).collect()
}
