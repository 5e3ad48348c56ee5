//! `history`: lists runs, and searches what they held.

use super::out::Put as _;
use chrono::{DateTime, Local, NaiveTime, TimeZone as _, Utc};

use super::args::{HistoryArgs, Since};
use super::problem::{Exit, Problem};
use super::{App, out};
use crate::core::ports::{HistoryQuery, RunRow};
use crate::core::text::visible;
use crate::export::wire;

/// `history`.
///
/// # Errors
/// When the store cannot be used.
pub fn history(app: &App, args: HistoryArgs) -> Result<Exit, Problem> {
    let query = HistoryQuery {
        text: args.query.join(" "),
        task: args.task,
        statuses: args.status,
        since: args.since.map(begin),
        limit: args.limit,
        archived: args.archived,
        ..HistoryQuery::default()
    };
    let records = app.records()?;
    let rows = records.history(&query)?;
    let mut text = String::new();
    for row in &rows {
        if args.json {
            text.push_str(&wire::row(row, args.archived, Utc::now()));
        } else {
            text.push_str(&line(row, !query.text.is_empty()));
        }
    }
    if args.json {
        out::json(&text);
    } else if rows.is_empty() {
        let all = query == (HistoryQuery { limit: query.limit, archived: query.archived, ..HistoryQuery::default() });
        let put_away = || {
            let archived = HistoryQuery { limit: 1, archived: true, ..query.clone() };
            records.history(&archived).is_ok_and(|rows| !rows.is_empty())
        };
        out::say(match (all, query.archived) {
            (true, true) => "no run is archived",
            (true, false) if put_away() => "every run is archived; `stepwell history --archived` lists them",
            (true, false) => "no runs yet; `stepwell tasks` lists what can be started",
            (false, false) if put_away() => "no run fits that, but archived ones do; --archived lists them",
            (false, _) => "no run fits that",
        });
    } else {
        out::page(&text);
    }
    Ok(Exit::Done)
}

fn begin(since: Since) -> DateTime<Utc> {
    match since {
        Since::Ago(time) => chrono::TimeDelta::from_std(time).ok().and_then(|time| Utc::now().checked_sub_signed(time)),
        Since::Day(day) => Local.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest().map(|at| at.to_utc()),
    }
    .unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn line(row: &RunRow, with_snippet: bool) -> String {
    let at = row.updated_at.with_timezone(&Local).format("%Y-%m-%d %H:%M");
    let due = row.due.map(|due| format!("; {}", due.words(Utc::now(), &Local))).unwrap_or_default();
    let waits = if row.waiting > 0 { format!(" ({} waiting{due})", row.waiting) } else { String::new() };
    let waits = if row.newer { format!("{waits} (written by a newer version, or damaged)") } else { waits };
    let title = visible(&row.title, false);
    let mut line = format!("{}  {at}  {:9}  {:<18} {title}{waits}\n", row.run.short(), row.status.name(), row.task);
    if with_snippet && !row.snippet.is_empty() {
        // The match stands between two marks, which a screen shows as brackets.
        let snippet = row.snippet.data().replace('\u{2}', "[").replace('\u{3}', "]");
        line.put(format_args!("          {}\n", visible(&snippet, false).trim()));
    }
    line
}
