//! The filters of the history: task, kind, status, when, here. Each stands at "any" or at one of its values.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, FixedOffset, Utc};

use crate::core::ports::HistoryQuery;
use crate::core::run::Status;
use crate::core::task::Kind;
use crate::core::text::Untrusted;

const KINDS: [Kind; 2] = [Kind::Instruct, Kind::Workflow];

/// What a person calls each status, with what it stands for.
const STATUSES: [(&str, &[Status]); 6] = [
    ("open", &[Status::Waiting, Status::Running, Status::Paused, Status::Failed]),
    ("waiting", &[Status::Waiting]),
    ("done", &[Status::Completed]),
    ("failed", &[Status::Failed]),
    ("paused", &[Status::Paused]),
    ("cancelled", &[Status::Cancelled]),
];

/// Spans of days that end today.
const WHEN: [(&str, u64); 4] = [("today", 1), ("7 days", 7), ("30 days", 30), ("a year", 365)];

/// How many filters there are.
pub const COUNT: usize = 5;

/// The filters.
#[derive(Clone, Debug)]
pub struct Chips {
    /// The tasks that there are to choose from, by id.
    tasks: Vec<String>,
    here: PathBuf,
    /// The one with the focus.
    pub at: usize,
    /// Where each stands; 0 is "any".
    values: [usize; COUNT],
}

impl Chips {
    /// Filters that leave everything through. `here` is the folder that Stepwell was started in.
    #[must_use]
    pub fn new(tasks: Vec<String>, here: &Path) -> Self {
        Self { tasks, here: here.to_owned(), at: 0, values: [0; COUNT] }
    }

    /// Lets only runs of that task through.
    pub fn only_task(&mut self, task: &str) {
        let at = self.tasks.iter().position(|known| known == task).unwrap_or_else(|| {
            self.tasks.push(task.to_owned());
            self.tasks.len() - 1
        });
        self.values[0] = at + 1;
    }

    /// Whether everything gets through.
    #[must_use]
    pub fn are_open(&self) -> bool {
        self.values == [0; COUNT]
    }

    /// The focus goes to the filter before or after.
    pub fn go(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(COUNT - 1);
    }

    /// The filter with the focus goes to its value before or after, round and round.
    pub fn turn(&mut self, by: isize) {
        let count = self.count(self.at) + 1;
        let value = &mut self.values[self.at];
        *value = if by < 0 { (*value + count - 1) % count } else { (*value + 1) % count };
    }

    /// The filter with the focus stands at "any" again.
    pub fn clear(&mut self) {
        self.values[self.at] = 0;
    }

    fn count(&self, chip: usize) -> usize {
        match chip {
            0 => self.tasks.len(),
            1 => KINDS.len(),
            2 => STATUSES.len(),
            3 => WHEN.len(),
            _ => 1,
        }
    }

    /// A filter as it is shown, and whether it narrows anything.
    #[must_use]
    pub fn shown(&self, chip: usize) -> (String, bool) {
        let value = self.values[chip].checked_sub(1);
        let shown = match (chip, value) {
            (0, None) => "task".to_owned(),
            (0, Some(at)) => Untrusted::from(self.tasks.get(at).map_or("", String::as_str)).line().into_owned(),
            (1, None) => "kind".to_owned(),
            (1, Some(at)) => KINDS[at].name().to_owned(),
            (2, None) => "status".to_owned(),
            (2, Some(at)) => STATUSES[at].0.to_owned(),
            (3, None) => "when".to_owned(),
            (3, Some(at)) => WHEN[at].0.to_owned(),
            (_, None) => "where".to_owned(),
            (_, Some(_)) => "here".to_owned(),
        };
        (shown, value.is_some())
    }

    /// The question for `text`; days are those of `zone`.
    #[must_use]
    pub fn query(&self, text: String, now: DateTime<Utc>, zone: FixedOffset) -> HistoryQuery {
        let value = |chip: usize| self.values[chip].checked_sub(1);
        let since = value(3).and_then(|at| {
            let first = now.with_timezone(&zone).date_naive().checked_sub_days(Days::new(WHEN[at].1 - 1))?;
            let midnight = first.and_hms_opt(0, 0, 0)?.and_local_timezone(zone).single()?;
            Some(midnight.with_timezone(&Utc))
        });
        HistoryQuery {
            text,
            task: value(0).and_then(|at| self.tasks.get(at).cloned()),
            kind: value(1).map(|at| KINDS[at]),
            statuses: value(2).map(|at| STATUSES[at].1.to_vec()).unwrap_or_default(),
            since,
            cwd: value(4).map(|_| self.here.clone()),
            ..HistoryQuery::default()
        }
    }
}
