//! What a server asks the person in the middle of a call: its schema as a form of ours, and the answer as it expects it.
//!
//! The form begins with what is to be done: `accept` sends the answer, `decline` says no, `cancel` gives no answer at all. A
//! person says which: what is answered without asking anybody never agrees to a server's question.
//! Because no field has to be filled in to decline, what is required is checked here when the answer is accepted, against
//! the schema as the server sent it.

use serde_json::{Map, Value, json};

use crate::core::form::WrittenForm;
use crate::core::schema::Schema;

/// The words of the first field.
const ACTIONS: [&str; 3] = ["accept", "decline", "cancel"];
/// The name of the first field, unless the server has one of that name.
const ACTION: &str = "action";

/// A question of a server's.
#[derive(Debug)]
pub struct Question {
    server: String,
    message: String,
    schema: Value,
    action: String,
    fields: Vec<Value>,
    /// Of fields whose choices have titles: each title with its value.
    titled: Vec<(String, Vec<(String, Value)>)>,
}

/// What to tell the server.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Send(Value),
    /// It does not fit: why. The person is asked again.
    Again(String),
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// It cannot be asked here; what to tell the server.
    pub fn read(server: &str, params: &Value) -> Result<Self, Value> {
        let no = || json!({ "action": "decline" });
        if params["mode"].as_str().is_some_and(|mode| mode != "form") {
            return Err(no());
        }
        let schema = params["requestedSchema"].clone();
        let properties = match &schema["properties"] {
            Value::Object(properties) => properties.clone(),
            Value::Null => Map::new(),
            _ => return Err(no()),
        };
        let mut action = ACTION.to_owned();
        while properties.contains_key(&action) {
            action.push('_');
        }
        let message = params["message"].as_str().unwrap_or_default().trim().to_owned();
        let mut question =
            Self { server: server.to_owned(), message, action, fields: Vec::new(), titled: Vec::new(), schema };
        let required = question.schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in &properties {
            let field = question.field(name, property, required.iter().any(|required| required == name));
            question.fields.push(field);
        }
        Ok(question)
    }

    /// The form; `wrong` says what was wrong with the answer before.
    ///
    /// # Errors
    /// It has a field that no form can have: which.
    pub fn form(&self, wrong: Option<&str>) -> Result<WrittenForm, String> {
        let mut label = format!("`{}` asks: {}", self.server, self.message);
        if let Some(wrong) = wrong {
            label = format!("{label}\nThe answer does not fit: {wrong}");
        }
        let action = json!({
            "name": self.action, "label": label, "type": "choice", "choices": ACTIONS, "required": true,
            "help": "accept sends what you enter to the server, decline says no, cancel gives no answer",
        });
        let fields: Vec<Value> = std::iter::once(action).chain(self.fields.iter().cloned()).collect();
        WrittenForm::try_from(Value::Array(fields)).map_err(|error| error.to_string())
    }

    /// What the person's answer means.
    pub fn answer(&self, given: &Value) -> Answer {
        let Some(given) = given.as_object() else {
            // Who leaves the question out says no; where nobody answers any more, there is no answer.
            let action = if *given == json!(false) { "decline" } else { "cancel" };
            return Answer::Send(json!({ "action": action }));
        };
        match given.get(&self.action).and_then(Value::as_str) {
            Some("accept") => {}
            action => return Answer::Send(json!({ "action": action.unwrap_or("cancel") })),
        }
        let mut content = Map::new();
        for (name, value) in given {
            let empty = value.is_null() || value.as_str() == Some("");
            if *name != self.action && !empty {
                content.insert(name.clone(), self.untitled(name, value));
            }
        }
        let content = Value::Object(content);
        match Schema::compile(&self.schema).map(|schema| schema.judge(&content)) {
            Ok(Err(why)) => Answer::Again(why),
            // A schema that is none says nothing about the answer.
            _ => Answer::Send(json!({ "action": "accept", "content": content })),
        }
    }

    /// A value with titles of choices as what they stand for.
    fn untitled(&self, field: &str, value: &Value) -> Value {
        let Some((_, titles)) = self.titled.iter().find(|(name, _)| name == field) else { return value.clone() };
        let one = |value: &Value| {
            let found = titles.iter().find(|(title, _)| Some(title.as_str()) == value.as_str());
            found.map_or_else(|| value.clone(), |(_, value)| value.clone())
        };
        match value {
            Value::Array(values) => values.iter().map(one).collect(),
            value => one(value),
        }
    }

    fn field(&mut self, name: &str, property: &Value, required: bool) -> Value {
        let list = property["type"] == "array";
        let choices = choices(if list { &property["items"] } else { property });
        let kind = match (property["type"].as_str(), &choices) {
            (Some("array"), Some(_)) => "choices",
            (_, Some(_)) => "choice",
            (Some("string"), None) if property["format"] == "date" => "date",
            (Some("string"), None) => "text",
            (Some("boolean"), None) => "boolean",
            (Some("integer"), None) => "integer",
            (Some("number"), None) => "number",
            _ => "json",
        };
        let title = property["title"].as_str().unwrap_or(name);
        let label = if required { format!("{title} (required)") } else { title.to_owned() };
        let mut field = json!({ "name": name, "label": label, "type": kind });
        let help = [property["description"].as_str(), property["format"].as_str().filter(|_| kind == "text")];
        let help: Vec<&str> = help.into_iter().flatten().collect();
        if !help.is_empty() {
            field["help"] = help.join("; ").into();
        }
        let bounds = match kind {
            "text" => ["minLength", "maxLength"],
            "choices" => ["minItems", "maxItems"],
            _ => ["minimum", "maximum"],
        };
        // An empty field is one that is not answered, so a least length is left to the schema.
        for (bound, key) in bounds.into_iter().zip(["min", "max"]) {
            if property[bound].is_number() && !(key == "min" && kind == "choices") {
                field[key] = property[bound].clone();
            }
        }
        if let Some(pattern) = property["pattern"].as_str().filter(|_| kind == "text") {
            field["pattern"] = pattern.into();
        }
        let mut default = property["default"].clone();
        if let Some(choices) = choices {
            let title_of = |value: &Value| {
                let found = choices.iter().find(|(_, of)| of == value);
                found.map_or_else(|| value.clone(), |(title, _)| title.as_str().into())
            };
            default = match &default {
                Value::Array(values) => values.iter().map(title_of).collect(),
                value => title_of(value),
            };
            field["choices"] = choices.iter().map(|(title, _)| title.as_str()).collect();
            self.titled.push((name.to_owned(), choices));
        }
        if !default.is_null() {
            field["default"] = default;
        }
        if kind == "json" {
            field["schema"] = property.clone();
        }
        field
    }
}

/// What may be chosen, by what is shown for it: by titles where each is another, else by the values.
fn choices(property: &Value) -> Option<Vec<(String, Value)>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let values: Vec<(String, Value)> = if let Some(values) = property["enum"].as_array() {
        let titles = property["enumNames"].as_array();
        let title = |at: usize| titles.and_then(|titles| text(titles.get(at)?));
        let shown =
            |(at, value): (usize, &Value)| title(at).or_else(|| text(value)).unwrap_or_else(|| value.to_string());
        values.iter().enumerate().map(|one| (shown(one), one.1.clone())).collect()
    } else {
        let options = property["oneOf"].as_array().or_else(|| property["anyOf"].as_array())?;
        let option = |option: &Value| {
            let value = option.get("const")?.clone();
            let shown = text(&option["title"]).or_else(|| text(&value)).unwrap_or_else(|| value.to_string());
            Some((shown, value))
        };
        options.iter().map(option).collect::<Option<_>>()?
    };
    let mut titles: Vec<&String> = values.iter().map(|(title, _)| title).collect();
    titles.sort_unstable();
    titles.dedup();
    if titles.len() == values.len() {
        return Some(values);
    }
    Some(values.into_iter().map(|(_, value)| (text(&value).unwrap_or_else(|| value.to_string()), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::form::{FieldType, fill};
    use crate::core::gate::InputBody;

    fn question() -> Question {
        let params = json!({"message": "Who are you?", "requestedSchema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "title": "Full name", "description": "As in your passport", "minLength": 2},
                "mail": {"type": "string", "format": "email"},
                "born": {"type": "string", "format": "date"},
                "age": {"type": "integer", "minimum": 1, "maximum": 150, "default": 30},
                "weight": {"type": "number"},
                "agrees": {"type": "boolean", "default": true},
                "colour": {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"], "default": "g"},
                "pet": {"type": "string", "oneOf": [{"const": "c", "title": "Cat"}, {"const": "d", "title": "Dog"}]},
                "days": {"type": "array", "items": {"anyOf": [{"const": "1", "title": "Mon"}, {"const": "2", "title": "Tue"}]}, "minItems": 1},
                "action": {"type": "string"},
                "odd": {"type": "object"},
            },
            "required": ["name", "days"],
        }});
        Question::read("people", &params).unwrap()
    }

    #[test]
    fn a_schema_is_a_form_and_its_answer_is_what_the_server_expects() {
        use FieldType::{Boolean, Choice, Choices, Date, Integer, Json, Number, Text};
        let question = question();
        let form = question.form(None).unwrap();
        let kinds: Vec<FieldType> = form.fields().iter().map(|field| field.kind).collect();
        assert_eq!(kinds, [Choice, Text, Text, Date, Integer, Number, Boolean, Choice, Choice, Choices, Text, Json]);
        assert!(form.fields()[0].label.contains("`people` asks: Who are you?"));
        assert_eq!(form.fields()[1].label, "Full name (required)");
        assert_eq!(form.fields()[2].help.as_deref(), Some("email"));
        let given = json!({"action_": "accept", "name": "Ada", "pet": "Dog", "days": ["Tue"], "action": "runs"});
        let filled = fill(form.fields(), &given).unwrap();
        let Answer::Send(answer) = question.answer(&filled) else { panic!("{filled}") };
        assert_eq!(answer["action"], "accept");
        let content = &answer["content"];
        assert_eq!((&content["colour"], &content["pet"], &content["days"]), (&json!("g"), &json!("d"), &json!(["2"])));
        assert_eq!((&content["age"], &content["action"]), (&json!(30), &json!("runs")));
        assert!(content.get("mail").is_none() && content.get("action_").is_none());
    }

    #[test]
    fn declining_and_cancelling_need_no_answer_and_are_two_things() {
        let question = question();
        let form = question.form(None).unwrap();
        for action in ["decline", "cancel"] {
            let filled = fill(form.fields(), &json!({"action_": action})).unwrap();
            assert_eq!(question.answer(&filled), Answer::Send(json!({"action": action})));
        }
        assert_eq!(question.answer(&Value::Null), Answer::Send(json!({"action": "cancel"})), "nobody answers");
        assert_eq!(question.answer(&json!(false)), Answer::Send(json!({"action": "decline"})), "it was left out");
    }

    #[test]
    fn an_answer_that_does_not_fit_is_asked_for_again() {
        let question = question();
        let filled = fill(question.form(None).unwrap().fields(), &json!({"action_": "accept", "name": "Ada"})).unwrap();
        let Answer::Again(why) = question.answer(&filled) else { panic!("{filled}") };
        assert!(why.contains("days"), "{why}");
        assert!(question.form(Some(&why)).unwrap().fields()[0].label.contains("does not fit"));
    }

    /// `--review accept` and deadlines take forms as they are that anybody may send without entering anything.
    #[test]
    fn nobody_agrees_to_a_question_by_its_defaults() {
        for params in [
            json!({"message": "Really delete 40 files?"}),
            json!({"message": "x", "requestedSchema": {"type": "object", "properties": {"all": {"type": "boolean", "default": true}}}}),
        ] {
            let question = Question::read("s", &params).unwrap();
            let fields = question.form(None).unwrap();
            assert!(fill(fields.fields(), &json!({})).is_err());
            assert_eq!(InputBody::Question { fields }.with_defaults(), None);
            assert_eq!(question.answer(&json!({})), Answer::Send(json!({"action": "cancel"})));
        }
    }

    #[test]
    fn what_cannot_be_asked_here_is_declined() {
        for params in [
            json!({"mode": "url", "url": "https://example.org", "message": "go there"}),
            json!({"message": "x", "requestedSchema": {"properties": []}}),
        ] {
            assert_eq!(Question::read("s", &params).unwrap_err(), json!({"action": "decline"}));
        }
        let plain = Question::read("s", &json!({"message": "Sure?"})).unwrap();
        assert_eq!(
            plain.answer(&json!({"action": "accept"})),
            Answer::Send(json!({"action": "accept", "content": {}}))
        );
        let odd = json!({"message": "x", "requestedSchema": {"type": "object", "properties": {"a": {"type": "string", "default": 5, "enum": ["x", "x"]}}}});
        assert!(Question::read("s", &odd).unwrap().form(None).is_ok());
    }
}
