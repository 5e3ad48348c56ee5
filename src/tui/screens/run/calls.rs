//! The transcript of an attempt whose model calls tools: what it said in each turn and what it called, a line each. The
//! selected call unfolds to what it was called with and what it returned.

use std::cell::Cell;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::core::call::{Call, ToolUse};
use crate::core::key::Key;
use crate::core::run::Run;
use crate::core::tool_call::ToolCallId;
use crate::tui::canvas::{Canvas, Extent};
use crate::tui::theme::Theme;
use crate::tui::tool_calls;
use crate::tui::widgets::scroll::{By, Scroll};

/// The model.
#[derive(Debug)]
pub struct Calls {
    /// The call of the flow.
    key: Key,
    attempt: u32,
    selected: Option<ToolCallId>,
    unfolded: HashSet<ToolCallId>,
    /// Where the person has scrolled to; `None`: to the selected call.
    top: Option<usize>,
    /// The line at the top of the last frame.
    shown: Cell<usize>,
}

impl Calls {
    /// Of an attempt that has called a tool; the newest call is selected.
    pub fn of(call: &Call, attempt: u32) -> Option<Self> {
        let used = call.attempt(attempt)?.tool_use.as_deref()?;
        let newest = used.calls().next_back()?.asked.call;
        let (key, selected) = (call.key.clone(), Some(newest));
        Some(Self { key, attempt, selected, unfolded: HashSet::new(), top: None, shown: Cell::new(0) })
    }

    /// What it is called above.
    pub fn title(&self) -> String {
        format!("{} · tool calls", self.key)
    }

    fn used<'a>(&self, run: &'a Run) -> Option<(&'a Call, &'a ToolUse)> {
        let call = run.call(&self.key)?;
        Some((call, call.attempt(self.attempt)?.tool_use.as_deref()?))
    }

    /// Moves to another call, or through the text.
    pub fn by(&mut self, by: By, run: &Run, extent: Extent) {
        let Some((_, used)) = self.used(run) else { return };
        let all: Vec<ToolCallId> = used.calls().map(|each| each.asked.call).collect();
        let page = isize::try_from(extent.height.saturating_sub(2).max(1)).unwrap_or(isize::MAX);
        let at = all.iter().position(|id| Some(*id) == self.selected).unwrap_or(0);
        let to = match by {
            By::Pages(pages) => {
                let top = self.shown.get().saturating_add_signed(pages.saturating_mul(page));
                self.top = Some(top.min(extent.last_top()));
                return;
            }
            By::Lines(lines) => at.saturating_add_signed(lines).min(all.len().saturating_sub(1)),
            By::Start => 0,
            By::End => all.len().saturating_sub(1),
        };
        self.selected = all.get(to).copied();
        self.top = None;
    }

    /// Shows all of the selected call, or its line alone.
    pub fn unfold(&mut self) {
        if let Some(id) = self.selected
            && !self.unfolded.remove(&id)
        {
            self.unfolded.insert(id);
        }
    }

    /// Its lines, and which of them is that of the selected call.
    fn lines(&self, run: &Run, now: DateTime<Utc>, cells: u16, theme: &Theme) -> (Vec<Line<'static>>, usize) {
        let (mut lines, mut selected) = (Vec::new(), 0);
        let Some((call, used)) = self.used(run) else { return (lines, selected) };
        for turn in &used.turns {
            lines.extend(tool_calls::said(turn, cells, theme));
            for each in &turn.calls {
                let mut line = tool_calls::line(call, each, now, cells, theme);
                if Some(each.asked.call) == self.selected {
                    selected = lines.len();
                    line = line.patch_style(theme.selection);
                }
                lines.push(line);
                if self.unfolded.contains(&each.asked.call) {
                    lines.extend(tool_calls::unfolded(each, cells, theme));
                }
            }
        }
        (lines, selected)
    }

    /// Paints it.
    pub fn paint(&self, canvas: &mut Canvas<'_>, area: Rect, run: &Run, now: DateTime<Utc>) {
        let theme = *canvas.theme;
        let (lines, selected) = self.lines(run, now, area.width, &theme);
        canvas.frame.output = Extent { lines: lines.len(), height: area.height.into() };
        let top = self.top(selected, canvas.frame.output);
        self.shown.set(top);
        canvas.lines(area, &lines[top.min(lines.len())..]);
    }

    /// Where the last frame was.
    pub fn scroll(&self) -> Scroll {
        Scroll::at(self.shown.get())
    }

    /// A little above the selected call, unless the person has scrolled.
    fn top(&self, selected: usize, extent: Extent) -> usize {
        let usual = selected.saturating_sub(extent.height / 3);
        self.top.unwrap_or(usual).min(extent.last_top())
    }
}
