//! What a finished attempt comes to: accepted, failed, or a person's to judge.

use minijinja::Value;

use crate::core::call::{Attempt, AttemptStatus};
use crate::core::failure::{Failure, FailureClass};
use crate::core::gate::{Gate, ReviewBody};
use crate::core::key::Key;
use crate::core::step::{OnCut, Review};
use crate::core::template::{Expr, TemplateError};
use crate::core::work::Work;

/// What a finished attempt comes to.
pub enum Verdict {
    /// It is accepted without a review.
    Accept,
    /// A person judges it.
    Gate(Gate),
    /// It fails; and the checks that its output fails.
    Fail(Failure, Vec<String>),
}

impl Verdict {
    fn fail(failure: Failure) -> Self {
        Self::Fail(failure, Vec::new())
    }
}

/// The failure of an output that fails checks and is nobody's to judge.
#[must_use]
pub fn fails_checks(failed: &[String]) -> Failure {
    Failure::new(FailureClass::BadOutput, format!("the output fails its checks: {}", failed.join("; ")))
}

/// The rules that a step is judged by.
pub struct Rules<'a> {
    /// The checks: expression, and what it says.
    pub checks: &'a [(Result<Expr, TemplateError>, String)],
    /// When a review is asked for.
    pub review: Review,
    /// What comes of an answer that the limit of tokens cut.
    pub on_cut: Option<OnCut>,
    /// The expression of [`Review::When`].
    pub when: Option<&'a Result<Expr, TemplateError>>,
}

impl Rules<'_> {
    /// Whether a cut answer is a failure: where nobody is asked, unless the definition says otherwise.
    fn fails_when_cut(&self) -> bool {
        match self.on_cut {
            Some(OnCut::Fail) => true,
            Some(OnCut::Ask | OnCut::Accept) => false,
            // One that is cut however often it was continued is as any other.
            Some(OnCut::Continue) | None => self.review == Review::Never,
        }
    }
}

/// Judges the newest version of a finished (or cancelled) attempt. `names` holds `output`.
pub fn judge(key: &Key, attempt: &Attempt, rules: &Rules<'_>, names: &Value) -> Verdict {
    let version = attempt.newest().map_or(0, |(version, _)| version);
    let schema = attempt.work.as_deref().and_then(Work::schema).cloned();
    let gate = |review| Verdict::Gate(Gate::of_review(key.clone(), attempt.number, version, review));
    if attempt.status == AttemptStatus::Cancelled {
        return gate(ReviewBody { schema, cancelled: true, ..ReviewBody::default() });
    }
    let cut = attempt.is_cut(version) && rules.on_cut != Some(OnCut::Accept);
    if cut && rules.fails_when_cut() {
        let message = attempt.newest_unfit().unwrap_or("the limit of tokens cut the answer, and its end is missing");
        return Verdict::fail(Failure::new(FailureClass::TooLong, message));
    }
    if let Some(problem) = attempt.newest_unfit() {
        // Nobody is asked where the definition says so; a person may still fill the failed call in.
        if rules.review == Review::Never && !cut {
            return Verdict::fail(Failure::new(FailureClass::BadOutput, problem));
        }
        return gate(ReviewBody { schema, problem: Some(problem.to_owned()), cut, ..ReviewBody::default() });
    }
    let failed = match failed_checks(rules, names) {
        Ok(failed) => failed,
        Err(failure) => return Verdict::fail(failure),
    };
    let wanted = match &rules.review {
        // What was cut waits, whatever else is wrong with it.
        _ if cut => true,
        Review::Always => true,
        Review::Failed => !failed.is_empty(),
        Review::When(source) => match holds(rules.when, names) {
            Ok(holds) => holds,
            Err(error) => return Verdict::fail(definition("review", source, &error)),
        },
        Review::Never if failed.is_empty() => false,
        Review::Never => return Verdict::Fail(fails_checks(&failed), failed),
    };
    // What fails a check is never accepted by itself.
    if wanted || !failed.is_empty() {
        return gate(ReviewBody { schema, failed, cut, ..ReviewBody::default() });
    }
    Verdict::Accept
}

fn failed_checks(rules: &Rules<'_>, names: &Value) -> Result<Vec<String>, Failure> {
    let mut failed = Vec::new();
    for (expr, says) in rules.checks {
        match holds(Some(expr), names) {
            Ok(true) => {}
            Ok(false) => failed.push(says.clone()),
            Err(error) => return Err(definition("check", says, &error)),
        }
    }
    Ok(failed)
}

fn holds(expr: Option<&Result<Expr, TemplateError>>, names: &Value) -> Result<bool, TemplateError> {
    match expr {
        Some(Ok(expr)) => expr.holds(names),
        Some(Err(error)) => Err(error.clone()),
        None => Ok(true),
    }
}

/// The failure of a definition's own expression or template.
pub fn definition(what: &str, source: &str, error: &TemplateError) -> Failure {
    Failure::new(
        FailureClass::Definition,
        format!(
            "`{what}` does not work out (line {}, column {}): {}; it says: {source}",
            error.line, error.column, error.message
        ),
    )
}
