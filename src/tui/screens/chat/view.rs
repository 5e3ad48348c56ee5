//! A conversation as it is painted.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{ChatScreen, Focus};
use crate::core::model::Role;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::commands;
use crate::tui::markdown::Document;
use crate::tui::text::{dollars, thousands};
use crate::tui::widgets::header::Fact;
use crate::tui::widgets::{footer, header};

/// Below this, one pane is shown at a time.
const NARROW: u16 = 60;

/// Lines for what is typed.
const INPUT: u16 = 3;

impl ChatScreen {
    /// Paints the screen.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.height < 8 || area.width < 12 {
            canvas.text(area, "too small", canvas.theme.muted);
            return;
        }
        self.header(canvas, Rect { height: 1, ..area });
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let in_document = !matches!(self.focus, Focus::Conversation);
        if self.shown().is_none() {
            self.talk(canvas, body);
        } else if area.width < NARROW {
            if in_document {
                self.document(canvas, body);
            } else {
                self.talk(canvas, body);
            }
        } else {
            let wide = area.width * 9 / 20;
            self.document(canvas, Rect { x: body.x + wide, width: body.width - wide, ..body });
            self.talk(canvas, Rect { width: wide, ..body });
        }
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        footer::paint(canvas, foot, &commands::hints(&situation), &help, self.note.as_deref());
    }

    fn header(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = canvas.theme;
        let mut facts = Vec::new();
        if let Some(model) = self.run.calls.values().rev().find_map(|call| call.newest()?.measured.model.as_ref()) {
            let style = if model.starts_with("demo") { theme.waiting } else { theme.muted };
            let model = Untrusted::from(model.as_str()).line().into_owned();
            let short = model.rsplit('/').next().unwrap_or(&model).to_owned();
            facts.push(Fact::new(model, style, 1).or(short, 3));
        }
        if self.run.usage.tokens() > 0 {
            let about = if self.run.usage.estimated { "~" } else { "" };
            facts.push(Fact::new(format!("{about}{} tok", thousands(self.run.usage.tokens())), theme.muted, 2));
            facts.push(Fact::new(dollars(self.run.usage.usd), theme.muted, 4));
        }
        facts.push(if self.run.newer {
            Fact::new("written by a newer version, or damaged", theme.unsettled, 6).or("newer or damaged", 7)
        } else {
            Fact::new("saved ✓", theme.accepted, 5)
        });
        header::paint(canvas, area, &Untrusted::from(self.run.title.as_str()).line(), facts);
    }

    /// The conversation, what is missing, and what is typed.
    fn talk(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        let focused = matches!(self.focus, Focus::Conversation);
        let title = if canvas.as_written { "Conversation · as written" } else { "Conversation" };
        let inner = canvas.pane(area, title, focused);
        let line = inner.bottom() - INPUT - 1;
        canvas.divide(area, line, if self.run.under_way() > 0 { "answering…" } else { "You" });
        let input = Rect { x: inner.x + 1, y: line + 1, width: inner.width.saturating_sub(2), height: INPUT };
        self.input.paint(canvas, input, focused);
        let mut said = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), height: line - inner.y, ..inner };
        if let Some((missing, known)) = self.asked() {
            let list = known.iter().map(|need| ("☑ ", need, theme.accepted));
            let list = list.chain(missing.iter().map(|need| ("☐ ", need, theme.waiting)));
            let spans = list.flat_map(|(box_, need, style)| {
                let need = Untrusted::from(need.as_str()).line().into_owned();
                [Span::styled(box_, style), Span::styled(format!("{need}  "), theme.text)]
            });
            let needs = Line::from(spans.collect::<Vec<_>>());
            said.height = said.height.saturating_sub(1);
            canvas.line(Rect { y: said.bottom(), height: 1, ..said }, &needs);
        }
        self.said(canvas, said);
        let below = self.talk.below(canvas.frame.list);
        if below > 0 {
            canvas.marker(Rect { height: line - area.y + 1, ..area }, &format!(" {below} more ↓ "), theme.accent);
        }
    }

    fn said(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let (theme, look) = (*canvas.theme, canvas.look());
        // A demo is no model, and is labelled where its text stands.
        let newest = self.run.calls.values().rev().find_map(|call| call.newest()?.measured.model.as_deref());
        let model = if newest.is_some_and(|model| model.starts_with("demo")) { "demo" } else { "model" };
        let live = self.live.as_ref().map(|(_, _, text)| (Role::Assistant, text));
        let all: Vec<(Role, &Document)> = self.said.iter().map(|(role, said)| (*role, said)).chain(live).collect();
        // Each takes a line for who says it, and one to part it from the next.
        let heights: Vec<usize> = all.iter().map(|(_, said)| said.height(area.width, look) + 2).collect();
        let extent = Extent { lines: heights.iter().sum::<usize>().saturating_sub(1), height: area.height.into() };
        canvas.frame.list = extent;
        canvas.hit(area, Hit::List);
        let (mut at, top) = (0, self.talk.top(extent));
        for ((role, said), height) in all.into_iter().zip(heights) {
            let end = at + height;
            if end > top && at < top + extent.height {
                let row = |line: usize| u16::try_from(line.saturating_sub(top)).unwrap_or(u16::MAX);
                if at >= top {
                    let (who, style) = if role == Role::User { ("you", theme.accent) } else { (model, theme.muted) };
                    canvas.text(Rect { y: area.y + row(at), height: 1, ..area }, who, style);
                }
                let y = area.y + row(at + 1);
                let place = Rect { y, height: area.bottom().saturating_sub(y).min(row(end - 1) + area.y - y), ..area };
                said.paint(place, canvas.buf, top.saturating_sub(at + 1), look);
            }
            at = end;
        }
    }

    fn document(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let Some((number, version)) = self.shown() else { return };
        let theme = *canvas.theme;
        let focused = !matches!(self.focus, Focus::Conversation);
        let title = if let Focus::Edit(..) = self.focus {
            format!("{} · editing", version.title.line())
        } else {
            version.title.line().into_owned()
        };
        let inner = canvas.pane(area, &title, focused);
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner };
        canvas.hit(inner, Hit::Output);
        canvas.frame.content = self.shown_id().filter(|_| !inner.is_empty());
        if let Focus::Edit(_, editor) = &self.focus {
            editor.paint(canvas, inner, true);
            return;
        }
        let look = canvas.look();
        let lines = self.body.height(inner.width, look);
        canvas.frame.output = Extent { lines, height: inner.height.into() };
        self.body.paint(inner, canvas.buf, self.page.top(canvas.frame.output), look);
        let all = self.written().map_or(0, |written| written.versions.len());
        let by = if version.by.is_person() { "mine" } else { version.by.as_str() };
        let written = if look.as_written { "as written · " } else { "" };
        canvas.marker(area, &format!(" {written}version {number} of {all} ({by}) "), theme.muted);
    }
}
