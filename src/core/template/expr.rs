//! An expression of a definition: parsed once, and looked through for the names that it uses once, whoever asks.

use std::sync::{Arc, OnceLock};

use minijinja::value::Value;

use super::rewrite::{self, Rewritten};
use super::{ENVIRONMENT, References, TemplateError, bounds, functions, to_json};
use crate::core::names;

/// An expression, ready to be evaluated any number of times.
#[derive(Clone)]
pub struct Expr(Arc<Compiled>);

struct Compiled {
    source: String,
    rewritten: Rewritten,
    compiled: minijinja::Expression<'static, 'static>,
    /// Found when they are asked for, once: it takes another parse.
    references: OnceLock<References>,
    /// The same, each to be evaluated.
    paths: OnceLock<Vec<(String, Expr)>>,
}

impl Expr {
    /// Parses an expression.
    ///
    /// # Errors
    /// When it does not parse: what, and the place inside it.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Self::compile(source, false)
    }

    /// Parses a condition: what is asked whether it is true is judged by the rule of `truth`.
    ///
    /// # Errors
    /// As [`Expr::parse`].
    pub fn condition(source: &str) -> Result<Self, TemplateError> {
        Self::compile(source, true)
    }

    fn compile(source: &str, condition: bool) -> Result<Self, TemplateError> {
        let rewritten = rewrite::expression(source, condition)?;
        let compiled = bounds::with_stack(|| ENVIRONMENT.compile_expression_owned(rewritten.text.clone()))
            .map_err(|error| TemplateError::rewritten(source, &error, &rewritten))?;
        let (source, references, paths) = (source.to_owned(), OnceLock::new(), OnceLock::new());
        Ok(Self(Arc::new(Compiled { source, rewritten, compiled, references, paths })))
    }

    /// The text that was parsed.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The names that it uses.
    #[must_use]
    pub fn references(&self) -> &References {
        self.0.references.get_or_init(|| {
            let used = bounds::with_stack(|| self.0.compiled.undeclared_variables(true));
            References::of(used, &names::in_expr(&self.0.source))
        })
    }

    /// The names that it uses, each as an expression of its own.
    #[must_use]
    pub fn paths(&self) -> &[(String, Self)] {
        self.0.paths.get_or_init(|| {
            let parsed = self.references().0.iter().map(|name| Some((name.clone(), Self::parse(name).ok()?)));
            parsed.flatten().collect()
        })
    }

    /// Evaluates it.
    ///
    /// # Errors
    /// When a name does not exist or an operation does not fit its values.
    pub fn eval(&self, names: &Value) -> Result<Value, TemplateError> {
        let value = self
            .0
            .compiled
            .eval(names.clone())
            .map_err(|error| TemplateError::rewritten(&self.0.source, &error, &self.0.rewritten))?;
        if value.is_undefined() {
            return Err(TemplateError {
                message: format!("`{}` names something that does not exist", self.0.source.trim()),
                line: 1,
                column: 1,
            });
        }
        Ok(value)
    }

    /// Evaluates it as a condition.
    ///
    /// # Errors
    /// As [`Expr::eval`], and of a condition when it asks of a text that reads as a truth value whether it is true.
    pub fn holds(&self, names: &Value) -> Result<bool, TemplateError> {
        Ok(self.eval(names)?.is_true())
    }

    /// Evaluates it to JSON.
    ///
    /// # Errors
    /// As [`Expr::eval`], and when the value has no JSON form.
    pub fn eval_json(&self, names: &Value) -> Result<serde_json::Value, TemplateError> {
        let value = self.eval(names)?;
        functions::measure(&value).map_err(|error| TemplateError::of(&self.0.source, &error))?;
        to_json(&value).map_err(|message| TemplateError { message, line: 1, column: 1 })
    }
}
