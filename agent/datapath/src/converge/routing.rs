//! The part of the walk that makes marked traffic local: sysctls, rules, routes.

use super::Context;
use crate::error::{DatapathError, Result};
use crate::netlink::{Family, RouteKind, Rule, RuleKind};
use crate::pod::Pod;
use crate::sysctl;

impl Pod {
    /// What is to be given back is on disk before anything is changed.
    pub(super) fn sysctls(&mut self, context: &Context<'_>, done: &mut Vec<String>) -> Result<()> {
        let wrong = sysctl::wrong()?;
        if wrong.is_empty() {
            return Ok(());
        }
        for (path, value) in wrong {
            self.state.sysctls.entry(path).or_insert(value);
        }
        context.states.store(&self.state)?;
        done.extend(sysctl::apply()?);
        Ok(())
    }

    pub(super) fn rules(&mut self, kind: RuleKind, done: &mut Vec<String>) -> Result<()> {
        for family in families() {
            let rule = Rule { family, kind };
            let action = || format!("set \"{}\"", rule.describe());
            let there = self.netlink.rules(family).map_err(DatapathError::system(action()))?;
            if !there.contains(&rule) {
                self.netlink.add_rule(rule).map_err(DatapathError::system(action()))?;
                done.push(rule.describe());
            }
        }
        Ok(())
    }

    /// Adds and replaces first and removes then: there is always a route for what is marked.
    pub(super) fn routes(&mut self, done: &mut Vec<String>) -> Result<()> {
        self.loopback_v6 = sysctl::ipv6_on_loopback();
        for family in families() {
            let deliverable = family == Family::V4 || self.loopback_v6;
            let wanted = if deliverable {
                self.snapshot.routes(&self.spec.addresses, family, &self.numbers)
            } else {
                Vec::new()
            };
            let there =
                self.netlink.routes(family).map_err(DatapathError::system("list the pod's routes"))?;
            for route in &wanted {
                if there.iter().any(|found| found.route == Some(*route)) {
                    continue;
                }
                match self.netlink.replace_route(route) {
                    Ok(()) => done.push(route.describe()),
                    // It only makes the error nicer; without it the guard rule drops just the same.
                    Err(error) if route.kind == RouteKind::Unreachable => {
                        tracing::debug!(pod = self.spec.uid, %error, "no unreachable route")
                    }
                    Err(source) => {
                        return Err(DatapathError::System {
                            action: format!("set \"{}\"", route.describe()),
                            source,
                        });
                    }
                }
            }
            for found in there {
                // A route with the metric of a wanted one has been replaced above.
                let replaced =
                    found.route.is_some_and(|route| wanted.iter().any(|w| w.metric == route.metric));
                if !replaced {
                    self.netlink
                        .remove_route(&found)
                        .map_err(DatapathError::system("remove a route of the pod"))?;
                    done.push(found.route.map_or("foreign route removed".to_owned(), |route| {
                        format!("removed \"{}\"", route.describe())
                    }));
                }
            }
        }
        Ok(())
    }
}

/// IPv4, and IPv6 where the kernel has it at all.
pub(crate) fn families() -> Vec<Family> {
    if std::path::Path::new("/proc/sys/net/ipv6").exists() {
        vec![Family::V4, Family::V6]
    } else {
        vec![Family::V4]
    }
}
