//! What has come of an answer that is under way: what the person sees of it, and what it is without its thoughts.
//!
//! It outlives the request: what continues a cut answer is read, and shown, as the rest of the same text.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::core::model::{Delta, DeltaSink};
use crate::core::text::Untrusted;
use crate::core::turn::StreamedReply;
use crate::steps::thoughts::{AnswerForm, Piece, Split, ThoughtSplitter};

/// An answer that is under way, shared with the sink of its deltas.
#[derive(Clone)]
pub(super) struct LiveAnswer(Arc<Mutex<Transcript>>);

impl LiveAnswer {
    /// `turn`: for a turn of a conversation, whether it is one of a plain chat.
    pub(super) fn new(turn: Option<bool>) -> Self {
        Self(Arc::new(Mutex::new(Transcript {
            turn,
            before: String::new(),
            live: turn.map(StreamedReply::new),
            shown: Untrusted::default(),
            request: Request::new(AnswerForm::Prose),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Transcript> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins; what it brings follows the `before` of earlier ones. The sink passes on what the person is to see.
    pub(super) fn begin(&self, before: &str, form: AnswerForm, deltas: &DeltaSink) -> DeltaSink {
        let mut transcript = self.lock();
        before.clone_into(&mut transcript.before);
        transcript.request = Request::new(form);
        drop(transcript);
        let (live, deltas) = (self.clone(), DeltaSink::clone(deltas));
        Arc::new(move |delta| {
            let mut transcript = live.lock();
            match delta {
                Delta::Text(text) => {
                    for piece in transcript.request.splitter.push(text.data()) {
                        transcript.take(piece, &deltas);
                    }
                }
                Delta::Restart(why) => {
                    transcript.request = Request::new(transcript.request.form);
                    transcript.restart(why, &deltas);
                }
                Delta::Asks(_) | Delta::Progress(_) => deltas(delta),
            }
        })
    }

    /// The stream of a request is over: what was held back of it is passed on too. What it brought, without its thoughts.
    pub(super) fn end(&self, deltas: &DeltaSink) -> Split {
        let mut transcript = self.lock();
        for piece in transcript.request.splitter.finish() {
            transcript.take(piece, deltas);
        }
        std::mem::take(&mut transcript.request.split)
    }

    /// What the person sees: of a turn the plain text, never the structure that carries it.
    pub(super) fn shown(&self) -> Untrusted {
        self.lock().shown.clone()
    }
}

struct Transcript {
    turn: Option<bool>,
    /// What earlier requests brought.
    before: String,
    live: Option<StreamedReply>,
    shown: Untrusted,
    request: Request,
}

/// What belongs to one request.
struct Request {
    form: AnswerForm,
    splitter: ThoughtSplitter,
    split: Split,
    /// The person was told that it thinks.
    thinks: bool,
}

impl Request {
    fn new(form: AnswerForm) -> Self {
        Self { form, splitter: ThoughtSplitter::new(form), split: Split::default(), thinks: false }
    }
}

impl Transcript {
    /// Takes a piece and tells the person of it.
    fn take(&mut self, piece: Piece, deltas: &DeltaSink) {
        match &piece {
            Piece::Answer(text) => {
                let new = self.show(text);
                if !new.is_empty() {
                    deltas(Delta::Text(new));
                }
            }
            Piece::Thought(_) if self.request.thinks => {}
            Piece::Thought(_) => {
                self.request.thinks = true;
                deltas(Delta::Progress("The model is thinking.".into()));
            }
            Piece::AllWasThought if self.request.split.answer.is_empty() => {}
            Piece::AllWasThought => {
                self.restart("it was what the model thought before it answered".to_owned(), deltas);
            }
        }
        self.request.split.take(piece);
    }

    /// Adds to what the person sees.
    fn show(&mut self, text: &str) -> Untrusted {
        let new: Untrusted = match &mut self.live {
            Some(live) => live.push(text).into(),
            None => text.into(),
        };
        self.shown.push(&new);
        new
    }

    /// What this request brought leaves the screen.
    fn restart(&mut self, why: String, deltas: &DeltaSink) {
        self.live = self.turn.map(StreamedReply::new);
        self.shown = Untrusted::default();
        deltas(Delta::Restart(why));
        let before = std::mem::take(&mut self.before);
        let shown = self.show(&before);
        self.before = before;
        if !shown.is_empty() {
            deltas(Delta::Text(shown));
        }
    }
}
