//! What is in force while something in an AuthorizationPolicy is wrong.

use weir_proto::security::Action;

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
    pub(super) fn words(&self, action: Action) -> &'static str {
        match (self, action) {
            (Self::None, _) => "",
            (Self::Refused, Action::Allow) => {
                "it allows nothing, and is for all that it may have been meant for"
            }
            (Self::Refused, Action::Deny) => "everything is denied, to all that it may have been meant for",
            (Self::NobodyAsked, _) => "what its rules match is denied, and all that they may match",
            (Self::NeverMatches, _) => "it denies nothing",
            (Self::RuleByRule, Action::Allow) => "the rules with these fields allow nothing",
            (Self::RuleByRule, Action::Deny) => {
                "these fields are taken to match, so more may be denied than is written"
            }
        }
    }
}
