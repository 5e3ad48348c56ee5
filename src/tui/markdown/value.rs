//! A structured value as blocks: lists are numbered, fields are named, and a text inside is Markdown of its own.

use serde_json::Value;

use super::block::{Block, Inline, Item, Marks, parse};
use crate::core::diff_text::is_diff;
use crate::core::text::Untrusted;

/// Deeper values are shown as they are printed.
const MAX_DEPTH: usize = 8;

pub(super) fn blocks(value: &Value) -> Vec<Block> {
    nested(value, 0)
}

fn nested(value: &Value, depth: usize) -> Vec<Block> {
    match value {
        Value::Array(items) if depth < MAX_DEPTH && !items.is_empty() => {
            let item = |(at, item): (usize, &Value)| Item {
                sign: Some(format!("{}.", at + 1)),
                task: None,
                blocks: nested(item, depth + 1),
            };
            vec![Block::List(items.iter().enumerate().map(item).collect())]
        }
        Value::Object(fields) if depth < MAX_DEPTH && !fields.is_empty() => {
            let mut blocks = Vec::new();
            let mut lines: Vec<Inline> = Vec::new();
            for (name, field) in fields {
                if !lines.is_empty() {
                    lines.push(plain("\n"));
                }
                let name = Untrusted::from(name.as_str()).line().into_owned();
                lines.push(Inline::new(name, Marks { strong: true, ..Marks::default() }));
                let mut inner = nested(field, depth + 1);
                match inner.as_mut_slice() {
                    [Block::Paragraph(inlines)] if !matches!(field, Value::Object(_)) => {
                        lines.push(plain(": "));
                        lines.append(inlines);
                    }
                    _ => {
                        blocks.push(Block::Paragraph(std::mem::take(&mut lines)));
                        blocks.push(Block::Indent(inner));
                    }
                }
            }
            if !lines.is_empty() {
                blocks.push(Block::Paragraph(lines));
            }
            blocks
        }
        Value::String(text) if is_diff(text) => {
            let text = Untrusted::from(text.as_str()).block().into_owned();
            vec![Block::Code { language: "diff".to_owned(), text }]
        }
        Value::String(text) => {
            let parsed = parse(&Untrusted::from(text.as_str()).block(), |_| None);
            let blocks: Vec<Block> = parsed.blocks.into_iter().map(|(_, block)| block).collect();
            if blocks.is_empty() { vec![Block::Paragraph(vec![plain("")])] } else { blocks }
        }
        other => vec![Block::Paragraph(vec![plain(&Untrusted::new(other.to_string()).line())])],
    }
}

fn plain(text: &str) -> Inline {
    Inline::new(text, Marks::default())
}
