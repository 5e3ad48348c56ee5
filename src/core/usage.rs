//! What calls cost: tokens, US dollars, prices and budgets.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Tokens and cost of an attempt, a call or a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens sent.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens received.
    #[serde(default)]
    pub output_tokens: u64,
    /// US dollars; 0 when the model has no price.
    #[serde(default)]
    pub usd: f64,
    /// Some of it is an estimate: the answer was stopped or broke off before the server reported what it took.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

impl Usage {
    /// Whether nothing was used.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Tokens sent and received.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}

impl std::fmt::Display for Usage {
    /// Tokens and dollars for a person, `about` where some of it is an estimate.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let about = if self.estimated { "about " } else { "" };
        write!(f, "{about}{} tokens, ${:.4}", self.tokens(), self.usd)
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.usd += other.usd;
        self.estimated |= other.estimated;
    }
}

/// The price of a model, in US dollars per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Per million tokens sent.
    #[serde(default)]
    pub input: f64,
    /// Per million tokens received.
    #[serde(default)]
    pub output: f64,
    /// Per million tokens sent that the server had kept from before; `None`: as `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<f64>,
}

impl Price {
    /// As [`Price::usd`], where the server had kept some of the tokens sent.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    pub fn usd_with_cached(&self, input_tokens: u64, cached_tokens: u64, output_tokens: u64) -> f64 {
        let cached_tokens = cached_tokens.min(input_tokens);
        let cheaper = self.input - self.cached.unwrap_or(self.input);
        self.usd(input_tokens, output_tokens) - cheaper * cached_tokens as f64 / 1_000_000.0
    }

    /// What these tokens cost, in US dollars.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "token counts are far below 2^52")]
    pub fn usd(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        (self.input * input_tokens as f64 + self.output * output_tokens as f64) / 1_000_000.0
    }
}

/// What a run may spend; an absent limit does not bind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// Tokens sent and received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
}

impl Budget {
    /// Whether `spent` and what is `reserved` for calls under way and the next one stay within the budget.
    #[must_use]
    pub fn allows(&self, spent: Usage, reserved: Usage) -> bool {
        self.usd.is_none_or(|limit| spent.usd + reserved.usd <= limit)
            && self.tokens.is_none_or(|limit| spent.tokens().saturating_add(reserved.tokens()) <= limit)
    }

    /// This budget, with the limits that it does not speak of from `before`.
    #[must_use]
    pub fn over(self, before: Self) -> Self {
        Self { usd: self.usd.or(before.usd), tokens: self.tokens.or(before.tokens) }
    }

    /// The limits of it that `usage` keeps.
    #[must_use]
    pub fn kept_by(self, usage: Usage) -> Self {
        Self {
            usd: self.usd.filter(|limit| usage.usd <= *limit),
            tokens: self.tokens.filter(|limit| usage.tokens() <= *limit),
        }
    }

    /// Whether there is any limit.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.usd.is_some() || self.tokens.is_some()
    }
}

/// A rough count of the tokens in `text` for budgets and warnings: a quarter of its bytes.
///
/// It is an estimate for texts whose tokenizer is unknown; where it is counted as usage, that is marked as
/// [`Usage::estimated`].
#[must_use]
pub fn estimate_tokens(text: &str) -> u64 {
    tokens_of(text.len())
}

/// As [`estimate_tokens`], of a text of so many bytes.
#[must_use]
pub fn tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_what_is_reserved() {
        let budget = Budget { usd: Some(1.0), tokens: Some(100) };
        let usage = |tokens, usd| Usage { input_tokens: tokens, usd, ..Usage::default() };
        assert!(budget.allows(usage(50, 0.5), usage(50, 0.5)));
        assert!(!budget.allows(usage(51, 0.5), usage(50, 0.5)));
        assert!(!budget.allows(usage(0, 0.6), usage(0, 0.5)));
        assert!(Budget::default().allows(usage(u64::MAX, 1e9), usage(1, 0.0)));
    }

    #[test]
    fn a_limit_that_is_not_spoken_of_stays() {
        let before = Budget { usd: Some(1.0), tokens: Some(100) };
        assert_eq!(Budget { usd: Some(2.0), tokens: None }.over(before), Budget { usd: Some(2.0), ..before });
        let usage = Usage { input_tokens: 101, usd: 0.5, ..Usage::default() };
        assert_eq!(before.kept_by(usage), Budget { tokens: None, ..before });
    }

    #[test]
    fn a_price_is_per_million() {
        let price = Price { input: 2.0, output: 10.0, cached: Some(0.5) };
        assert!((price.usd(500_000, 100_000) - 2.0).abs() < 1e-9);
        assert!((price.usd_with_cached(500_000, 400_000, 100_000) - 1.4).abs() < 1e-9);
    }
}
