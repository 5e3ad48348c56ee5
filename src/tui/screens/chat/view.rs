//! A conversation as it is painted.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::notice::About;
use super::transcript::Transcript;
use super::{ChatScreen, Focus};
use crate::core::run::Status;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit, beside};
use crate::tui::commands::{self, Id};
use crate::tui::screens::run::documents;
use crate::tui::screens::{model_of, status_of};
use crate::tui::text::wrap::wrap_text;
use crate::tui::text::{dollars, thousands};
use crate::tui::widgets::find::Find;
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
        if self.shown().is_none() && !in_document {
            self.talk(canvas, body);
        } else if area.width < NARROW || self.zoom {
            if in_document {
                self.document(canvas, body);
            } else {
                self.talk(canvas, body);
            }
        } else {
            let (left, right) = beside(body, area.width * 9 / 20);
            self.document(canvas, right);
            self.talk(canvas, left);
        }
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        let found = self.search.as_ref().map(Find::says);
        let note = self.note.as_deref().or(found.as_deref());
        footer::paint(canvas, foot, &commands::hints(&situation), &help, note);
    }

    fn header(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = canvas.theme;
        let mut facts = Vec::new();
        facts.extend(self.run.calls.values().rev().find_map(|call| model_of(&call.newest()?.measured, theme)));
        if self.run.usage.tokens() > 0 {
            let about = if self.run.usage.estimated { "~" } else { "" };
            facts.push(Fact::new(format!("{about}{} tok", thousands(self.run.usage.tokens())), theme.muted, 2));
            facts.push(Fact::new(dollars(self.run.usage.usd), theme.muted, 4));
        }
        let (status, style) = match self.run.status {
            // It goes on with the next message.
            Status::Completed if !self.run.newer && !self.locked => ("saved ✓", theme.accepted),
            _ => status_of(&self.run, self.locked, theme),
        };
        let status = Fact::new(status, style, 6);
        facts.push(if self.run.newer { status.or("newer or damaged", 7) } else { status });
        header::paint(canvas, area, &Untrusted::from(self.run.title.as_str()).line(), facts);
    }

    /// The conversation, what is missing, and what is typed.
    fn talk(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        let focused = matches!(self.focus, Focus::Conversation);
        let title = if canvas.as_written { "Conversation · as written" } else { "Conversation" };
        let inner = canvas.pane(area, title, focused);
        let line = inner.bottom() - INPUT - 1;
        canvas.divide(area, line, self.turn());
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
        // A demo is no model, and is labelled where its text stands.
        let newest = self.run.calls.values().rev().find_map(|call| call.newest()?.measured.model.as_deref());
        let demo = newest.is_some_and(|model| model.starts_with("demo"));
        let transcript = Transcript {
            said: &self.said,
            live: self.live.as_ref().map(|(.., text)| text),
            notice: self.notice.as_ref(),
            model: if demo { "demo" } else { "model" },
            unfolded: self.unfolded,
            key: commands::key_in(Id::Thoughts, &self.situation()),
        };
        transcript.paint(canvas, area, self.talk);
    }

    /// What is below the conversation: who speaks next.
    fn turn(&self) -> &'static str {
        let about = self.notice.as_ref().map(|notice| notice.about);
        match about {
            _ if self.run.under_way() > 0 => "answering…",
            Some(About::Retrying) => "waiting to try again…",
            _ => "You",
        }
    }

    fn document(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        let focused = !matches!(self.focus, Focus::Conversation);
        let shown = self.shown();
        let title = shown.map_or("Document".into(), |(_, version)| version.title.line());
        let title = if let Focus::Edit(..) = self.focus { format!("{title} · editing") } else { title.into_owned() };
        let pane = canvas.pane(area, &title, focused);
        let mut inner = Rect { x: pane.x + 1, width: pane.width.saturating_sub(2), ..pane };
        if let Some(find) = &self.search {
            find.paint_below(canvas, area, &mut inner);
        }
        canvas.hit(inner, Hit::Output);
        canvas.frame.content = self.shown_id().filter(|_| !inner.is_empty());
        if let Focus::Edit(_, editor) = &self.focus {
            editor.paint(canvas, inner, true);
            return;
        }
        let look = canvas.look();
        let Some((number, version)) = shown else {
            let key = commands::key_in(Id::Edit, &self.situation()).unwrap_or_default();
            let says = format!("It is not written yet. {key} writes it yourself.");
            canvas.lines(inner, &wrap_text(&says, theme.muted, inner.width.into()));
            return;
        };
        let lines = self.body.height(inner.width, look);
        canvas.frame.output = Extent { lines, height: inner.height.into() };
        let top = self.page.top(canvas.frame.output);
        self.body.paint(inner, canvas.buf, top, look);
        if let Some(find) = &self.search {
            find.mark(&self.body, canvas, inner, top);
        }
        let all = self.written().map_or(0, |written| written.versions.len());
        let by = documents::by(version);
        let written = if look.as_written { "as written · " } else { "" };
        canvas.marker(area, &format!(" {written}version {number} of {all} ({by}) "), theme.muted);
    }
}
