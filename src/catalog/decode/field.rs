//! `[[inputs]]` and `[[steps.fields]]`.

use serde_json::Value;

use super::{Context, Schema, values};
use crate::core::diagnostic::did_you_mean;
use crate::core::form::{Bound, Field, FieldType};
use crate::core::schema;
use crate::core::toml_reader::{Item, Table};

const TYPES: [(&str, FieldType); 14] = [
    ("text", FieldType::Text),
    ("multiline", FieldType::Multiline),
    ("integer", FieldType::Integer),
    ("number", FieldType::Number),
    ("boolean", FieldType::Boolean),
    ("choice", FieldType::Choice),
    ("choices", FieldType::Choices),
    ("date", FieldType::Date),
    ("file", FieldType::File),
    ("files", FieldType::Files),
    ("image", FieldType::Image),
    ("images", FieldType::Images),
    ("secret", FieldType::Secret),
    ("json", FieldType::Json),
];

impl Context<'_> {
    /// The fields under `key`; names are unique among them.
    pub(super) fn fields(&self, owner: &Table<'_>, key: &str) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for table in owner.tables(key) {
            let field = self.field(&table);
            if !field.name.is_empty() && fields.iter().any(|earlier| earlier.name == field.name) {
                table.error(format!(
                    "there is another field `{}` in this form; give one of them another name",
                    field.name
                ));
            }
            fields.push(field);
        }
        for (table, field) in owner.tables(key).iter().zip(&fields) {
            for other in &field.unless {
                if *other == field.name || !fields.iter().any(|field| field.name == *other) {
                    let names = fields.iter().filter(|known| known.name != field.name).map(|known| known.name.as_str());
                    let hint = did_you_mean(other, names);
                    table.error(format!(
                        "`unless` of `{}` names no other field of this form: `{other}`{hint}",
                        field.name
                    ));
                }
            }
        }
        fields
    }

    fn field(&self, table: &Table<'_>) -> Field {
        let name = table.required("name", "`name = \"topic\"`").and_then(|item| self.id(&item));
        let kind = table.get("type").map(|item| item.one_of(&TYPES));
        let default = table.get("default");
        let required = table.get("required").and_then(|item| item.boolean());
        let pattern = table.get("pattern");
        let choices = table.get("choices");
        let schema = table.get("schema");
        let unless = table.get("unless");
        let mut field = Field {
            name: name.map(|text| text.value).unwrap_or_default(),
            label: table.text("label").unwrap_or_default(),
            kind: kind.flatten().unwrap_or_default(),
            required: required.unwrap_or(default.is_none()),
            unless: Vec::new(),
            default: None,
            placeholder: table.text("placeholder"),
            help: table.text("help"),
            choices: values(table.texts("choices")),
            min: bound(table, "min"),
            max: bound(table, "max"),
            pattern: pattern.as_ref().and_then(Item::text).map(|text| text.value),
            schema: schema.as_ref().and_then(|item| self.schema_of_values(item)),
        };
        let spared_by = unless.as_ref().and_then(crate::core::toml_reader::Item::texts).unwrap_or_default();
        if let Some(item) = unless.filter(|_| !field.required) {
            item.error("`unless` says when a required field may stay empty; this one is not required");
        }
        field.unless = values(spared_by);
        table.done();
        if kind == Some(None) {
            // Its type is not known, so nothing more can be said about it.
            field.default = default.and_then(|item| item.json());
            return field;
        }
        let chooses = matches!(field.kind, FieldType::Choice | FieldType::Choices);
        if chooses && field.choices.is_empty() {
            table.error(format!("`{}` has nothing to choose from; add `choices = [\"one\", \"other\"]`", field.name));
        } else if let Some(choices) = choices.filter(|_| !chooses) {
            choices.error("`choices` belongs to a field of type \"choice\" or \"choices\"");
        }
        if let Some(schema) = schema.filter(|_| field.kind != FieldType::Json) {
            schema.error("`schema` belongs to a field of type \"json\"");
        }
        if let Some(item) = &pattern
            && let Some(Err(why)) = field.regex()
        {
            item.error(why);
        }
        if let (Some(min), Some(max)) = (field.min, field.max)
            && min > max
        {
            table.error(format!("`min` ({min}) is greater than `max` ({max})"));
        }
        if let Some(item) = default
            && let Some(value) = item.json()
            // A mistake in the schema is said by itself.
            && field.schema.as_ref().is_none_or(|schema| schema::check(schema).is_ok())
        {
            match field.validate(&value) {
                Ok(value) => field.default = Some(value),
                // A path: what is there is seen when a run starts.
                Err(_) if field.kind.is_read() && (value.is_string() || value.is_array()) => {
                    field.default = Some(value);
                }
                Err(why) if !(chooses && field.choices.is_empty()) => {
                    item.error(format!("the default does not fit: {why}"));
                }
                Err(_) => {}
            }
        }
        field
    }

    /// The schema of a JSON value that a person gives.
    fn schema_of_values(&self, item: &Item<'_>) -> Option<Value> {
        if !item.is_table() && item.as_boolean().is_none() {
            item.error("`schema` is a JSON Schema, such as `schema = { type = \"array\" }`");
            return None;
        }
        let value = item.json()?;
        if schema::has_templates(&value) {
            item.error("the schema of an input is known before there are inputs, so it has no templates");
            return None;
        }
        self.notes.borrow_mut().schemas.push(Schema { value: value.clone(), parts: item.parts() });
        Some(value)
    }
}

/// A number, exactly as it is written.
fn bound(table: &Table<'_>, key: &str) -> Option<Bound> {
    let item = table.get(key)?;
    // What is no number is said there.
    item.number()?;
    match item.json()? {
        Value::Number(number) => Bound::of(&number),
        _ => None,
    }
}
