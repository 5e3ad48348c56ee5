//! `[[actions]]`: what may be made of a document at one key.

use super::rules::on_cut;
use super::{Context, SnippetForm, TemplateScope};
use crate::core::step::OnCut;
use crate::core::step_name::REPLY;
use crate::core::task::{Action, Kind};
use crate::core::toml_reader::Table;
use crate::core::tuning::ModelSettings;

/// Keys that say how a model is asked, in addition to [`ModelSettings::KEYS`]: a message in a conversation is asked as the
/// conversation is.
const OF_PROMPTS: [&str; 3] = ["system", "model", "on_cut"];

impl Context<'_> {
    pub(super) fn action(&self, table: &Table<'_>, kind: Kind) -> Action {
        let id = table.required("id", "`id = \"shorter\"`").and_then(|item| self.id(&item));
        if let Some(id) = &id {
            self.notes.borrow_mut().actions.push(id.clone());
        }
        let id = id.map(|text| text.value).unwrap_or_default();
        let name = table.text("name").unwrap_or_else(|| id.clone());
        let given = [table.get("instruction"), table.get("prompt"), table.get("prompt_file")];
        match given.iter().flatten().count() {
            1 => {}
            0 => table.error(format!(
                "action `{id}` asks nothing; add `instruction = \"Make it shorter.\"`, or a `prompt` that names \
                 `{{{{ document.body }}}}`"
            )),
            _ => table.error(format!("action `{id}` has one of `instruction`, `prompt` and `prompt_file`")),
        }
        let [instruction, prompt, from_file] = given;
        // A message of the person is made of the inputs; what is put to the document may name all that it was made of.
        let scope = if kind == Kind::Instruct { TemplateScope::Inputs } else { TemplateScope::Action };
        let instruction = instruction.and_then(|item| self.template(&item, None, scope, false));
        let prompt = prompt.and_then(|item| item.filled()).or_else(|| from_file.and_then(|item| self.file(&item)));
        let prompt = prompt.map(|text| self.note(text, SnippetForm::Template, None, TemplateScope::Action, false));
        if kind == Kind::Instruct && prompt.is_none() {
            for item in OF_PROMPTS.iter().chain(&ModelSettings::KEYS).filter_map(|key| table.get(key)) {
                let why = "an `instruction` is a message in the conversation; it goes with a `prompt`";
                item.error(format!("`{}` has no effect here: {why}", item.name()));
            }
        }
        if kind == Kind::Instruct && prompt.is_some() && id == REPLY {
            table.error("`reply` names the answers of the conversation; give the action another id");
        }
        let system = table.get("system");
        let system = system.and_then(|item| self.template(&item, None, TemplateScope::Action, false));
        let on_cut = on_cut(table);
        if on_cut == Some(OnCut::Ask) {
            let why = "nobody reviews an action, so `on_cut` is \"continue\", \"accept\" or \"fail\"";
            table.get("on_cut").into_iter().for_each(|item| item.error(why));
        }
        let action = Action {
            id,
            name,
            instruction: instruction.unwrap_or_default(),
            prompt,
            system,
            model: table.text("model"),
            on_cut,
            settings: Box::new(ModelSettings::read(table)),
        };
        table.done();
        action
    }
}
