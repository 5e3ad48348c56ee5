//! A form as it is painted: the focused field is always in view with what stands beside it.

use ratatui::layout::Rect;

use super::{For, FormScreen};
use crate::tui::canvas::{Canvas, Hit};
use crate::tui::commands;
use crate::tui::text::PROSE;
use crate::tui::text::wrap::wrap_text;
use crate::tui::widgets::header::Fact;
use crate::tui::widgets::{footer, header};

impl FormScreen {
    /// Paints the screen.
    pub fn view(&self, canvas: &mut Canvas<'_>, area: Rect) {
        if area.height < 4 || area.width < 12 {
            canvas.text(area, "too small", canvas.theme.muted);
            return;
        }
        let theme = *canvas.theme;
        let missing = self.fields.iter().filter(|field| !field.is_valid()).count();
        let state = match (missing, &self.purpose) {
            (0, For::Start(..)) => Fact::new("ready to start", theme.accepted, 1),
            (0, For::Connect(_)) => Fact::new("ready to try", theme.accepted, 1),
            (0, For::Answer(_)) => Fact::new("ready to answer", theme.accepted, 1),
            (_, _) => Fact::new(format!("{missing} to fill in"), theme.muted, 1),
        };
        let cost = self.cost.iter().map(|cost| Fact::new(cost.as_str(), theme.muted, 0));
        header::paint(canvas, Rect { height: 1, ..area }, &self.title, cost.chain([state]).collect());
        let body = Rect { x: area.x + 1, y: area.y + 2, width: (area.width - 2).min(PROSE), height: area.height - 3 };
        self.fields(canvas, body);
        let situation = self.situation();
        let help: Vec<_> = commands::help_hint(&situation).into_iter().collect();
        let foot = Rect { y: area.bottom() - 1, height: 1, ..area };
        footer::paint(canvas, foot, &commands::hints(&situation), &help, self.note.as_deref());
    }

    fn fields(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let intro = wrap_text(&self.intro.block(), canvas.theme.muted, area.width.into());
        let intro_height = u16::try_from(intro.len()).unwrap_or(u16::MAX).min(area.height / 4);
        // The first field that is shown: the intro goes first when there is no room, then fields from the top.
        let needed = |from: usize| self.fields[from..=self.at].iter().map(|field| field.height() + 1).sum::<u16>();
        let mut first = 0;
        let mut y = area.y;
        if self.fields.is_empty() || needed(0) + intro_height < area.height {
            canvas.lines(Rect { height: intro_height, ..area }, &intro);
            y += if intro_height > 0 { intro_height + 1 } else { 0 };
        } else {
            while first < self.at && needed(first) > area.height + 1 {
                first += 1;
            }
        }
        for (at, field) in self.fields.iter().enumerate().skip(first) {
            let height = field.height().min(area.bottom().saturating_sub(y));
            if height < 2 {
                break;
            }
            let place = Rect { y, height, ..area };
            canvas.hit(place, Hit::Row(at));
            field.paint(canvas, place, at == self.at);
            y += field.height() + 1;
        }
    }
}
