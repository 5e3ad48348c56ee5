//! The messages of a conversation, as they are shown. Each answer leaves one: what it says to the person, or that it wrote a
//! version of the document and said nothing else.

use crate::core::call::AttemptStatus;
use crate::core::document::Said;
use crate::core::key::Key;
use crate::core::model::Role;
use crate::core::run::Run;
use crate::core::text::Untrusted;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who says it.
    pub role: Role,
    /// What is said; empty where an answer is a document and nothing else.
    pub text: Untrusted,
    /// The call and the attempt whose answer it is.
    pub reply: Option<(Key, u32)>,
    /// The version of the document that the answer wrote.
    pub wrote: Option<u32>,
}

impl ChatMessage {
    /// Something that the person says.
    #[must_use]
    pub fn by_person(text: Untrusted) -> Self {
        Self { role: Role::User, text, reply: None, wrote: None }
    }

    /// What the model says in an attempt at a reply.
    #[must_use]
    pub fn by_model(key: &Key, attempt: u32, text: Untrusted) -> Self {
        Self { role: Role::Assistant, text, reply: Some((key.clone(), attempt)), wrote: None }
    }

    /// Whether it is what had arrived of an answer when that was stopped.
    #[must_use]
    pub fn is_stopped(&self, run: &Run) -> bool {
        let attempt = self.reply.as_ref().and_then(|(key, attempt)| run.call(key)?.attempt(*attempt));
        attempt.is_some_and(|attempt| attempt.status == AttemptStatus::Cancelled)
    }

    /// What there is to know of it beside its text: `stopped`, `wrote version 2`.
    #[must_use]
    pub fn remark(&self, run: &Run) -> Option<String> {
        let wrote = self.wrote.map(|version| format!("wrote version {version}"));
        wrote.or_else(|| self.is_stopped(run).then(|| "stopped".to_owned()))
    }
}

impl Run {
    /// The newest reply wrote a version of the document.
    pub(in crate::core) fn delivered(&mut self, version: u32) {
        let newest = self.said.iter().rev().find_map(|said| match said {
            Said::Model { key, attempt, .. } => Some((key.clone(), *attempt)),
            Said::Person(_) | Said::Written { .. } => None,
        });
        let Some((key, attempt)) = newest else { return };
        let of_it = |message: &&mut ChatMessage| message.reply.as_ref() == Some(&(key.clone(), attempt));
        if let Some(message) = self.messages.iter_mut().rfind(of_it) {
            message.wrote = Some(version);
            return;
        }
        let silent = ChatMessage::by_model(&key, attempt, Untrusted::default());
        self.messages.push(ChatMessage { wrote: Some(version), ..silent });
    }
}
