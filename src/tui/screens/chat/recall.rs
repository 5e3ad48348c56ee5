//! Messages that come back: Up brings the last one into the empty box, then those before it; Down the way back.

use crossterm::event::{KeyCode, KeyEvent};

use crate::core::model::Role;
use crate::core::run::Run;
use crate::tui::widgets::editor::Editor;

/// How far back the person is.
#[derive(Debug, Default)]
pub(super) struct Recall(Option<Recalled>);

#[derive(Debug)]
struct Recalled {
    /// Counted from the last message.
    back: usize,
    /// As it was put into the box: once it is changed, the arrows move in it.
    text: String,
}

impl Recall {
    /// Takes a key; whether it was one that brings a message back. A text that the person began stays.
    pub(super) fn key(&mut self, key: KeyEvent, input: &mut Editor, run: &Run) -> bool {
        let up = match key.code {
            KeyCode::Up if key.modifiers.is_empty() => true,
            KeyCode::Down if key.modifiers.is_empty() => false,
            _ => return false,
        };
        let now = self.0.take().filter(|recalled| recalled.text == input.text());
        let back = match (&now, up) {
            (None, true) if input.is_empty() => 0,
            (None, _) => return false,
            (Some(recalled), true) => recalled.back + 1,
            (Some(recalled), false) if recalled.back == 0 => {
                *input = Editor::default();
                return true;
            }
            (Some(recalled), false) => recalled.back - 1,
        };
        let said = run.messages.iter().rev().filter(|message| message.role == Role::User).nth(back);
        match said {
            Some(message) => {
                let text = message.text.data().to_owned();
                *input = Editor::at_end(&text);
                self.0 = Some(Recalled { back, text: input.text() });
            }
            // There is none before it.
            None => self.0 = now,
        }
        true
    }
}
