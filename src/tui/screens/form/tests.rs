//! Forms as a person fills them in.

use serde_json::json;

use super::*;
use crate::core::form::{Bound, FieldType};
use crate::tui::testing::{SIZES, at, frame, key};
use crate::tui::theme::Depth;

fn fields() -> Vec<Field> {
    let field =
        |name: &str, label: &str, kind| Field { name: name.into(), label: label.into(), kind, ..Field::default() };
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    vec![
        Field {
            required: true,
            placeholder: Some("the sea, a town at night".into()),
            ..field("topic", "What is it about?", FieldType::Text)
        },
        Field {
            min: Some(Bound::Float(1.0)),
            max: Some(Bound::Float(12.0)),
            default: Some(json!(3)),
            ..field("stanzas", "How many stanzas?", FieldType::Integer)
        },
        Field { choices: words(&["plain", "rich", "strict"]), ..field("style", "Style", FieldType::Choice) },
        Field { choices: words(&["sound", "light", "people"]), ..field("themes", "Themes", FieldType::Choices) },
        field("rhyme", "Does it rhyme?", FieldType::Boolean),
        field("notes", "Notes for the poet", FieldType::Multiline),
        field("due", "Due", FieldType::Date),
        Field { help: Some("an earlier poem to be read first".into()), ..field("source", "Source", FieldType::File) },
        field("key", "Key of the print shop", FieldType::Secret),
    ]
}

fn form() -> FormScreen {
    let intro = Untrusted::from("A poem, stanza by stanza; you accept, edit or retry each.");
    FormScreen::new("Write a poem", intro, &fields(), For::Start("poem".into(), None), &json!({}), at(0))
}

fn look(form: &mut FormScreen, size: (u16, u16)) -> String {
    let (picture, info) = frame(size, Depth::None, |canvas, area| form.view(canvas, area));
    form.set_last_frame(info);
    picture
}

fn press(form: &mut FormScreen, keys: &[&str]) -> Vec<Effect> {
    keys.iter().flat_map(|name| form.update(Message::Key(key(name))).0).collect()
}

fn typed(form: &mut FormScreen, text: &str) {
    for c in text.chars() {
        form.update(Message::Key(KeyCode::Char(c).into()));
    }
}

#[test]
fn every_type_of_field_at_three_sizes() {
    for size in SIZES {
        insta::assert_snapshot!(format!("fields_{}x{}", size.0, size.1), look(&mut form(), size));
    }
    for size in [(1, 1), (12, 4), (10, 3), (300, 4)] {
        look(&mut form(), size);
    }
}

#[test]
fn a_form_that_was_worked_on() {
    let mut form = form();
    press(&mut form, &["Enter", "x", "Tab", "Right", "Tab", "Right", "Space", "Tab", "y", "Tab"]);
    typed(&mut form, "Slow.");
    press(&mut form, &["Enter"]);
    typed(&mut form, "And dark.");
    insta::assert_snapshot!(look(&mut form, (80, 24)));
}

#[test]
fn a_field_that_another_one_replaces_is_not_asked_for_as_soon_as_that_is_typed() {
    let field = |name: &str, unless: &[&str]| Field {
        name: name.into(),
        label: name.into(),
        required: !unless.is_empty(),
        unless: unless.iter().map(|name| (*name).to_owned()).collect(),
        ..Field::default()
    };
    let fields = [field("file", &[]), field("text", &["file"])];
    let open = || FormScreen::new("Proofread", "".into(), &fields, For::Start("p".into(), None), &json!({}), at(0));
    let mut form = open();
    assert!(look(&mut form, (80, 24)).contains("1 to fill in"));
    typed(&mut form, "a.md");
    assert!(!look(&mut form, (80, 24)).contains("to fill in"), "before the field is left");
    let draft = form.unsaved().unwrap().text.unwrap();
    let mut back = open();
    back.restore(&draft);
    assert!(!look(&mut back, (80, 24)).contains("to fill in"), "so it is when it comes back");
}

#[test]
fn the_focused_field_is_always_in_view() {
    let mut form = form();
    for _ in 0..8 {
        press(&mut form, &["Tab"]);
        for size in SIZES {
            let picture = look(&mut form, size);
            assert!(picture.contains(form.fields[form.at].field().question()), "{picture}");
        }
    }
    form.update(Message::Paste("sk-secret".into()));
    let picture = look(&mut form, (40, 12));
    assert!(!picture.contains("sk-secret"), "{picture}");
}

#[test]
fn enter_walks_through_and_starts_on_the_last_field() {
    let mut form = FormScreen::new(
        "Ask",
        Untrusted::default(),
        &fields()[..2],
        For::Start("poem".into(), None),
        &json!({}),
        at(0),
    );
    typed(&mut form, "the sea");
    assert_eq!(press(&mut form, &["Enter"]), []);
    let inputs = json!({"topic": "the sea", "stanzas": 3});
    assert_eq!(
        press(&mut form, &["Enter"]),
        [Effect::Open(Opening::Start { task: "poem".into(), inputs, secrets: vec![], from: None })]
    );
}

#[test]
fn what_is_missing_is_gone_to_instead_of_starting() {
    let mut form = form();
    press(&mut form, &["Tab", "Tab"]);
    assert_eq!(press(&mut form, &["^s"]), []);
    assert_eq!(form.at, 0);
    assert!(look(&mut form, (80, 24)).contains("needed"));
}

#[test]
fn the_values_of_the_last_run_come_on_a_key() {
    let mut form = form();
    form.offer_last(json!({"topic": "the moor", "stanzas": 5, "themes": ["light"], "gone": 1}));
    press(&mut form, &["^r"]);
    let effects = press(&mut form, &["^s"]);
    let [Effect::Open(Opening::Start { inputs, .. })] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(*inputs, json!({"topic": "the moor", "stanzas": 5, "themes": ["light"]}));
}

/// What was left empty is `null` in the inputs of a run: no form shows it as a word.
#[test]
fn what_was_empty_in_the_last_run_is_empty_again() {
    use FieldType::{
        Boolean, Choice, Choices, Date, File, Files, Image, Images, Integer, Json, Multiline, Number, Text,
    };
    let kinds = [Text, Multiline, Integer, Number, Boolean, Choice, Choices, Date, File, Files, Image, Images, Json];
    let fields: Vec<Field> = kinds
        .into_iter()
        .map(|kind| {
            let choices =
                if matches!(kind, Choice | Choices) { vec!["null".to_owned(), "b".to_owned()] } else { vec![] };
            Field { name: kind.name().to_owned(), kind, choices, ..Field::default() }
        })
        .collect();
    let empty: Value = fields.iter().map(|field| (field.name.clone(), Value::Null)).collect();
    let start = For::Start("poem".into(), None);
    let mut again = FormScreen::new("Again", Untrusted::default(), &fields, start.clone(), &empty, at(0));
    let mut last = FormScreen::new("Last values", Untrusted::default(), &fields, start, &json!({}), at(0));
    last.offer_last(empty);
    press(&mut last, &["^r"]);
    for form in [&mut again, &mut last] {
        let effects = press(form, &["^s"]);
        let [Effect::Open(Opening::Start { inputs, .. })] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(*inputs, json!({}));
    }
}

#[test]
fn an_example_of_several_lines_is_shown_as_it_would_be_typed() {
    let field = Field {
        name: "fields".into(),
        kind: FieldType::Multiline,
        placeholder: Some("invoice number\ntotal: what is due".into()),
        ..Field::default()
    };
    let mut form = FormScreen::new("Extract", "".into(), &[field], For::Start("x".into(), None), &json!({}), at(0));
    let picture = look(&mut form, (80, 24));
    assert!(picture.lines().any(|line| line.trim_end().ends_with("total: what is due")), "{picture}");
    assert!(!picture.contains("numbertotal"), "{picture}");
}

#[test]
fn an_image_is_given_by_its_path_and_completed() {
    let mut form = form();
    press(&mut form, &["Tab"; 7]);
    typed(&mut form, "po");
    let effects = press(&mut form, &["Right"]);
    assert_eq!(effects, [Effect::Errand(Errand::Complete { field: 7, typed: "po".into() })]);
    form.update(Message::Completions { field: 7, typed: "po".into(), paths: vec!["poems/".into()] });
    assert!(look(&mut form, (80, 24)).contains("poems/▮"));
}

#[test]
fn a_paste_of_five_megabytes_is_a_chip_and_submits_nothing() {
    let mut form = form();
    let (effects, _) = form.update(Message::Paste("a line\n".repeat(750_000)));
    assert_eq!(effects, []);
    assert!(look(&mut form, (80, 24)).contains("[pasted 5,250,000 characters]"));
}
