//! A conversation as it is painted.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::notice::{self, About};
use super::transcript::Transcript;
use super::{ChatScreen, Focus};
use crate::core::call::{Attempt, Call};
use crate::core::run::Status;
use crate::core::text::Untrusted;
use crate::tui::canvas::{Canvas, Extent, Hit, beside};
use crate::tui::commands::{self, Id};
use crate::tui::screens::{speaker, status_of};
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
        facts.extend(self.model(theme));
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

    /// The attempt at the newest reply that there is one of.
    fn newest_attempt(&self) -> Option<&Attempt> {
        let newest = notice::newest(&self.run).and_then(Call::newest);
        newest.or_else(|| self.run.calls.values().rev().find_map(Call::newest))
    }

    /// The conversation, what is missing, and what is typed.
    fn talk(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        let focused = matches!(self.focus, Focus::Conversation);
        let title = if canvas.as_written { "Conversation · as written" } else { "Conversation" };
        let inner = canvas.pane(area, title, focused);
        let line = inner.bottom() - INPUT - 1;
        canvas.divide(area, line, &self.turn());
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
        let frame = Rect { height: line - area.y + 1, ..area };
        canvas.marker(frame, &self.talk.hidden(canvas.frame.list), theme.accent);
    }

    fn said(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let newest = self.newest_attempt().and_then(|attempt| attempt.measured.model.as_deref());
        let transcript = Transcript {
            said: &self.said,
            live: self.live.as_ref().map(|(.., text)| text).filter(|text| !text.is_empty()),
            silence: (self.is_silent() && self.calls.is_empty()).then_some(&self.silence),
            calls: Some(&self.calls).filter(|calls| !calls.is_empty()),
            notice: self.notice.as_ref(),
            model: speaker(newest.or_else(|| self.asked_model())),
            unfolded: self.unfolded,
            key: commands::key_in(Id::Thoughts, &self.situation()),
        };
        transcript.paint(canvas, area, self.talk);
    }

    /// What is below the conversation: who speaks next.
    fn turn(&self) -> String {
        let about = self.notice.as_ref().map(|notice| notice.about);
        match about {
            Some(About::Asks(_)) => "waiting for you".to_owned(),
            _ if self.run.under_way() > 0 => self.says_answering(),
            Some(About::Retrying) => "waiting to try again…".to_owned(),
            _ => "You".to_owned(),
        }
    }

    fn document(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let theme = *canvas.theme;
        let focused = !matches!(self.focus, Focus::Conversation);
        let shown = self.shown();
        let title = shown.map_or("Document".into(), |(_, version)| version.title.line());
        let title = if let Focus::Edit(edited, _) = &self.focus { edited.title_of(&title) } else { title.into_owned() };
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
        if shown.is_none() {
            let key = commands::key_in(Id::Edit, &self.situation()).unwrap_or_default();
            let says = format!("It is not written yet. {key} writes it yourself.");
            canvas.lines(inner, &wrap_text(&says, theme.muted, inner.width.into()));
            return;
        }
        let lines = self.body.height(inner.width, look);
        canvas.frame.output = Extent { lines, height: inner.height.into() };
        let top = self.page.top(canvas.frame.output);
        self.body.show(canvas, inner, top, look);
        if let Some(find) = &self.search {
            find.mark(&self.body, canvas, inner, top);
        }
        let mut says = self.says_version(look.as_written);
        says.extend(self.page.hidden(canvas.frame.output));
        if !Canvas::has_room(area, &says) {
            says.splice(..1, [self.short_version()]);
        }
        canvas.marker(area, &says, theme.muted);
    }
}
