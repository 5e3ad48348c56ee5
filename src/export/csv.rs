//! The calls of a run as a table for a spreadsheet (RFC 4180).

use super::markdown::plain;
use crate::core::call::Call;
use crate::core::run::Run;
use crate::core::text::visible;
use crate::core::usage::Usage;

/// The names of the columns.
const HEADER: &str = "key,step,status,attempt,model,tokens,usd,output\r\n";

/// One row a call. Tokens and cost are those of all its attempts; the output is what stands, else the newest.
pub(super) fn calls(run: &Run) -> String {
    let mut table = HEADER.to_owned();
    for call in run.calls.values() {
        row(&mut table, call);
    }
    table
}

fn row(table: &mut String, call: &Call) {
    let mut usage = Usage::default();
    for attempt in &call.attempts {
        usage += attempt.measured.usage;
    }
    let newest = call.newest();
    let made = call.standing.as_ref().and_then(|standing| call.attempt(standing.attempt));
    let model =
        made.or_else(|| call.shown_attempt()).and_then(|attempt| attempt.measured.model.as_deref()).unwrap_or_default();
    let output =
        call.standing.as_ref().map(|standing| &standing.output).or_else(|| call.output().map(|(_, _, output)| output));
    let cells = [
        text(&call.key.to_string()),
        text(&call.step),
        call.status.name().to_owned(),
        newest.map_or(0, |attempt| attempt.number).to_string(),
        text(model),
        usage.tokens().to_string(),
        usage.usd.to_string(),
        text(&output.map(|output| plain(output)).unwrap_or_default()),
    ];
    table.push_str(&cells.join(","));
    table.push_str("\r\n");
}

/// A text as a cell that a spreadsheet takes for text: one that could begin a formula has an apostrophe before it.
fn text(text: &str) -> String {
    let shown = visible(text, true);
    let apostrophe = if shown.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
        || shown.starts_with(['\t', '\n'])
    {
        "'"
    } else {
        ""
    };
    if apostrophe.is_empty() && !shown.contains([',', '"', '\n', ' ']) {
        return shown.into_owned();
    }
    format!("\"{apostrophe}{}\"", shown.replace('"', "\"\""))
}
