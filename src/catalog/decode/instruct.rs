//! `tasks/ID.toml`.

use super::rules::on_cut;
use super::tools::max_turns;
use super::{Context, TemplateScope};
use crate::core::task::{Asks, Delivery, Instruct, Need};
use crate::core::toml_reader::{Item, Table};
use crate::core::tuning::ModelSettings;

const ASKS: [(&str, Asks); 2] = [("at_once", Asks::AtOnce), ("one_by_one", Asks::OneByOne)];

impl Context<'_> {
    /// The keys of an instruct task that a workflow does not have.
    pub(super) fn instruct(&self, root: &Table<'_>) -> Instruct {
        let instruction =
            root.get("instruction").and_then(|item| self.template(&item, None, TemplateScope::Inputs, false));
        let request = root.get("request").and_then(|item| self.template(&item, None, TemplateScope::Inputs, false));
        let mut needs: Vec<Need> = Vec::new();
        for table in root.tables("needs") {
            let name = table.required("name", "`name = \"recipient\"`").and_then(|item| self.id(&item));
            let description = table.text("description").unwrap_or_default();
            table.done();
            let name = name.map(|text| text.value).unwrap_or_default();
            if !name.is_empty() && needs.iter().any(|earlier| earlier.name == name) {
                table.error(format!("there is another need `{name}`; give one of them another name"));
            }
            needs.push(Need { name, description });
        }
        let result = root.get("result").and_then(Item::table).map(|table| {
            let parts = table.get("parts");
            if let Some(item) = parts.as_ref().filter(|_| !needs.is_empty()) {
                item.error(
                    "`parts` counts what the first turn delivers, so it can ask for nothing: leave out `[[needs]]`",
                );
            }
            let delivery = Delivery {
                title: table.text("title").unwrap_or_default(),
                body: table.text("body").unwrap_or_default(),
                parts: parts.and_then(|item| self.template(&item, None, TemplateScope::Inputs, false)),
                kind: table.text("kind"),
            };
            table.done();
            delivery
        });
        let asks = root.get("asks").and_then(|item| item.one_of(&ASKS)).unwrap_or_default();
        Instruct {
            instruction: instruction.unwrap_or_default(),
            request,
            asks,
            needs,
            result,
            on_cut: on_cut(root),
            tools: self.offered_by_task(root),
            max_turns: max_turns(root),
            settings: Box::new(ModelSettings::read(root)),
        }
    }
}
