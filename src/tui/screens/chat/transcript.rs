//! What was said in a conversation, laid out once, with the model's thoughts folded beneath the name of who speaks.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::notice::{About, Notice};
use crate::core::call::Call;
use crate::core::model::Role;
use crate::core::run::{ChatMessage, Run};
use crate::core::text::Untrusted;
use crate::tui::asides;
use crate::tui::canvas::{Canvas, Extent, Hit};
use crate::tui::markdown::Document;
use crate::tui::screens::speaker;
use crate::tui::theme::Theme;
use crate::tui::tool_calls;
use crate::tui::widgets::scroll::Scroll;
use crate::tui::widgets::stacked::{self, Shown};

/// One message.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) role: Role,
    /// Who says it.
    who: String,
    pub(super) text: Document,
    /// What there is to know of it: that it wrote a version of the document, or was stopped.
    remark: Option<String>,
    /// What the answer has besides: what it is in short, and all of it.
    besides: Option<(String, Document)>,
}

impl Said {
    pub(super) fn new(run: &Run, message: &ChatMessage) -> Self {
        let attempt = message.reply.as_ref().and_then(|(key, attempt)| run.call(key)?.attempt(*attempt));
        let besides = message.reply.as_ref().and_then(|(key, attempt)| besides(run.call(key)?, *attempt));
        let who = match message.role {
            Role::User => "you".to_owned(),
            _ => speaker(attempt.and_then(|attempt| attempt.measured.model.as_deref())),
        };
        Self { role: message.role, who, text: Document::new(&message.text), remark: message.remark(run), besides }
    }

    /// The version that an answer wrote is there a moment after what it says.
    pub(super) fn refresh(&mut self, run: &Run, message: &ChatMessage) {
        self.remark = message.remark(run);
    }

    /// Whether there are thoughts to be unfolded.
    pub(super) fn has_more(&self) -> bool {
        self.besides.is_some()
    }
}

/// What an answer has besides: the tools that were called for it, and its thoughts.
fn besides(call: &Call, attempt: u32) -> Option<(String, Document)> {
    let attempt = call.attempt(attempt)?;
    let thoughts = asides::of(attempt);
    let Some(used) = attempt.tool_use.as_deref().filter(|used| used.calls().next().is_some()) else { return thoughts };
    let calls = tool_calls::document(call, used, true);
    let short = tool_calls::in_short(used)?;
    Some(match thoughts {
        Some((other, thoughts)) => {
            let all = format!("{}\n{}", calls.raw().data(), thoughts.raw().data());
            (format!("{short}, {other}"), Document::new(&Untrusted::new(all)))
        }
        None => (short, calls),
    })
}

/// A conversation as it is painted.
pub(super) struct Transcript<'a> {
    pub(super) said: &'a [Said],
    /// What is being said.
    pub(super) live: Option<&'a Document>,
    /// What is shown while it has no words yet.
    pub(super) silence: Option<&'a Document>,
    /// The tools that were called for it so far.
    pub(super) calls: Option<&'a Document>,
    pub(super) notice: Option<&'a Notice>,
    /// The model that is asked now, or was asked last.
    pub(super) model: String,
    /// The thoughts are unfolded.
    pub(super) unfolded: bool,
    /// The key that does that.
    pub(super) key: Option<String>,
}

/// What is said at a time: who says it, and the texts beneath.
struct Block<'a> {
    who: Line<'static>,
    texts: Vec<Shown<'a>>,
}

impl Block<'_> {
    /// With a line for who says it, and one to part it from the next.
    fn height(&self, width: u16, as_written: bool) -> usize {
        stacked::height(&self.texts, width, as_written) + 2
    }
}

impl Transcript<'_> {
    pub(super) fn paint(&self, canvas: &mut Canvas<'_>, area: Rect, scroll: Scroll) {
        let blocks = self.blocks(canvas.theme);
        let heights: Vec<usize> = blocks.iter().map(|block| block.height(area.width, canvas.as_written)).collect();
        let extent = Extent { lines: heights.iter().sum::<usize>().saturating_sub(1), height: area.height.into() };
        canvas.frame.list = extent;
        canvas.hit(area, Hit::List);
        let (mut at, top) = (0, scroll.top(extent));
        for (block, height) in blocks.iter().zip(heights) {
            if at + height > top && at < top + extent.height {
                paint(canvas, area, block, at, top);
            }
            at += height;
        }
    }

    fn blocks(&self, theme: &Theme) -> Vec<Block<'_>> {
        let muted = theme.aside();
        let mut blocks: Vec<Block<'_>> = Vec::with_capacity(self.said.len() + 2);
        for said in self.said {
            let style = if said.role == Role::User { theme.accent } else { theme.muted };
            let mut spans = vec![Span::styled(said.who.clone(), style)];
            spans.extend(said.remark.iter().map(|remark| Span::styled(format!(" · {remark}"), theme.muted)));
            let mut texts = Vec::with_capacity(2);
            if let Some((short, all)) = &said.besides {
                let sign = if self.unfolded { "▾" } else { "▸" };
                let key = self.key.as_deref().map(|key| format!(": {key}")).unwrap_or_default();
                spans.push(Span::styled(format!("  {sign} {short}{key}"), theme.muted));
                if self.unfolded {
                    texts.push((all, muted));
                }
            }
            texts.push((&said.text, *theme));
            blocks.push(Block { who: Line::from(spans), texts });
        }
        let silence = self.silence.map(|silence| (silence, muted));
        let live = self.live.map(|live| (live, *theme)).or(silence);
        let texts: Vec<Shown<'_>> = self.calls.map(|calls| (calls, muted)).into_iter().chain(live).collect();
        if !texts.is_empty() {
            blocks.push(Block { who: Line::styled(self.model.clone(), theme.muted), texts });
        }
        if let Some(notice) = self.notice {
            if !notice.arrived.is_empty() {
                let who = Line::styled(format!("{}, as far as it came", self.model), theme.muted);
                blocks.push(Block { who, texts: vec![(&notice.arrived, *theme)] });
            }
            let (who, style) = match notice.about {
                About::Failed => ("✗ failed", theme.failed),
                About::Retrying => ("↻ failed, trying again", theme.unsettled),
                About::Unfinished => ("⊘ unfinished", theme.unsettled),
                About::Waits | About::Asks(_) => ("● waiting", theme.waiting),
            };
            blocks.push(Block { who: Line::styled(who, style), texts: vec![(&notice.text, *theme)] });
        }
        blocks
    }
}

/// Paints a block that begins `at` lines below the beginning, of which the pane shows those from `top` on.
fn paint(canvas: &mut Canvas<'_>, area: Rect, block: &Block<'_>, at: usize, top: usize) {
    if at >= top {
        let y = area.y.saturating_add(u16::try_from(at - top).unwrap_or(u16::MAX));
        canvas.line(Rect { y, height: 1, ..area }, &block.who);
    }
    stacked::paint(canvas, area, &block.texts, at + 1, top);
}
