//! What is in force while something in an AuthorizationPolicy is wrong.

use super::finding::Findings;
use super::head::Intent;

/// What it means for connections that something in a policy is wrong.
pub(super) enum Consequence {
    /// Nothing is.
    None,
    /// Nothing of the policy counts, and nobody comes in.
    Refused,
    /// It denies what it would ask somebody about.
    NobodyAsked,
    /// It denies, and nothing.
    NeverMatches,
    /// Its rules count as far as they are known.
    RuleByRule,
}

/// What a policy does.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    Allows,
    Denies,
    Audits,
}

impl Consequence {
    /// Of what was noticed, and whether the policy was refused for it.
    pub(super) fn of(findings: &Findings, refused: bool, intent: Intent, no_rules: bool) -> Self {
        match (findings.refuse(), refused, intent, no_rules) {
            (false, ..) => Self::None,
            (_, true, ..) => Self::Refused,
            (_, _, Intent::Deny | Intent::Custom, true) => Self::NeverMatches,
            (_, _, Intent::Custom, false) => Self::NobodyAsked,
            _ => Self::RuleByRule,
        }
    }

    /// The words that end a status.
    pub(super) fn words(&self, effect: Effect) -> &'static str {
        match (self, effect) {
            (Self::None, _) => "",
            (Self::Refused, Effect::Allows) => {
                "it allows nothing, and is for all that it may have been meant for"
            }
            (Self::Refused, Effect::Denies) => "everything is denied, to all that it may have been meant for",
            (Self::Refused, Effect::Audits) => "everything is audited",
            (Self::NobodyAsked, _) => "what its rules match is denied, and all that they may match",
            (Self::NeverMatches, _) => "it denies nothing",
            (Self::RuleByRule, Effect::Allows) => "the rules with these fields allow nothing",
            (Self::RuleByRule, Effect::Denies) => {
                "these fields are taken to match, so more may be denied than is written"
            }
            (Self::RuleByRule, Effect::Audits) => {
                "these fields are taken to match, so more may be audited than is written"
            }
        }
    }
}
