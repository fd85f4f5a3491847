//! May this request, or this connection, pass? AuthorizationPolicy with targetRefs, compiled from the neutral form.
//!
//! Whoever a DENY matches is denied; if there are ALLOWs, one of them has to match. A constraint on requests says nothing
//! about a connection that is only copied: an ALLOW then does not match, and a DENY does as if the constraint held. Nobody
//! gets further by not speaking HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use weir_proto::l7;

use crate::route::{Reason, Rejection, RequestHead};

mod blocks;
mod condition;
mod holds;
mod operation;
mod path;
mod peer;
mod rule;

use holds::Holds;
use rule::Rule;

/// All policies that hold in one place.
#[derive(Debug, Default)]
pub struct Policies {
    deny: Vec<Policy>,
    allow: Vec<Policy>,
    /// AUDIT, and what is on trial.
    silent: Vec<Policy>,
}

/// What is asked about.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// As the tunnel proved it: `spiffe://...`.
    pub identity: Option<&'a str>,
    /// The client's address.
    pub source: IpAddr,
    /// What the client dialled.
    pub destination: SocketAddr,
    /// What the TLS hello says, of TLS that is passed through.
    pub server_name: Option<&'a str>,
    /// Its path normalised. `None`: a connection that is only copied.
    pub request: Option<&'a RequestHead<'a>>,
}

/// Why something may not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A DENY matches.
    #[error("policy {policy} denies it (rules[{rule}])")]
    ByPolicy {
        /// namespace/name.
        policy: Arc<str>,
        /// Place of its first rule that matches.
        rule: usize,
    },
    /// There are ALLOWs, and none matches.
    #[error("no ALLOW policy matches: not {policy}{}", match others { 0 => String::new(), n => format!(" nor {n} more") })]
    NotAllowed {
        /// namespace/name of the first.
        policy: Arc<str>,
        /// How many there are besides.
        others: usize,
    },
}

/// What a policy that changes nothing has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// namespace/name.
    pub policy: Arc<str>,
    /// What it would do; an AUDIT only says that it matches.
    pub action: l7::Action,
}

#[derive(Debug)]
struct Policy {
    name: Arc<str>,
    action: l7::Action,
    rules: Vec<Rule>,
}

impl Policies {
    /// Compiles what targets a waypoint together with what targets a service.
    ///
    /// # Errors
    /// The first policy that cannot be compiled, with its place. There is no such thing as a part of the policies.
    pub fn compile<'a>(forms: impl IntoIterator<Item = &'a l7::Authorization>) -> Result<Self, Rejection> {
        let mut policies = Self::default();
        for (place, form) in forms.into_iter().enumerate() {
            let policy = Policy::compile(form)
                .map_err(|rejection| rejection.within(&format!("authorizations[{place}]")))?;
            let list = match (policy.action, form.dry_run) {
                (l7::Action::Audit, _) | (_, true) => &mut policies.silent,
                (l7::Action::Deny, false) => &mut policies.deny,
                (l7::Action::Allow, false) => &mut policies.allow,
            };
            list.push(policy);
        }
        Ok(policies)
    }

    /// Whether it may pass.
    ///
    /// # Errors
    /// It may not.
    pub fn check(&self, visit: &Visit<'_>) -> Result<(), Denial> {
        for policy in &self.deny {
            // What cannot be known is no excuse.
            if let Some(rule) = policy.rules.iter().position(|rule| rule.holds(visit) != Holds::No) {
                return Err(Denial::ByPolicy { policy: policy.name.clone(), rule });
            }
        }
        match &self.allow[..] {
            [] => Ok(()),
            allow if allow.iter().any(|policy| policy.is_sure(visit)) => Ok(()),
            [first, others @ ..] => {
                Err(Denial::NotAllowed { policy: first.name.clone(), others: others.len() })
            }
        }
    }

    /// What AUDITs and policies on trial say.
    pub fn remarks(&self, visit: &Visit<'_>) -> impl Iterator<Item = Remark> {
        let speaks = move |policy: &&Policy| match policy.action {
            l7::Action::Deny => policy.rules.iter().any(|rule| rule.holds(visit) != Holds::No),
            l7::Action::Allow => !policy.is_sure(visit),
            l7::Action::Audit => policy.is_sure(visit),
        };
        let silent = self.silent.iter().filter(speaks);
        silent.map(|policy| Remark { policy: policy.name.clone(), action: policy.action })
    }

    /// Whether nothing is asked at all.
    pub fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.allow.is_empty() && self.silent.is_empty()
    }
}

impl Policy {
    fn compile(form: &l7::Authorization) -> Result<Self, Rejection> {
        let action = l7::Action::try_from(form.action);
        let action = action.map_err(|_| Rejection::of(Reason::UnknownValue(form.action)).within("action"))?;
        let rule = |(place, form)| {
            Rule::compile(form).map_err(|rejection: Rejection| rejection.within(&format!("rules[{place}]")))
        };
        let rules = form.rules.iter().enumerate().map(rule).collect::<Result<_, _>>()?;
        Ok(Self { name: format!("{}/{}", form.namespace, form.name).into(), action, rules })
    }

    fn is_sure(&self, visit: &Visit<'_>) -> bool {
        self.rules.iter().any(|rule| rule.holds(visit) == Holds::Yes)
    }
}

#[cfg(test)]
mod tests;
