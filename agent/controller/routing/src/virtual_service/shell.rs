//! What a rule says beside its matches and where it sends requests. A delegate's rule takes from the rule that delegates to
//! it what it does not say itself.

use weir_proto::l7;

use super::destination::NO_BACKEND;
use super::headers::{Operations, operations};
use super::redirect::rewrite;
use super::retry::{self, Policy};
use super::spec::HttpRoute;
use super::{Context, cors, fault, mirror};
use crate::part::{Part, Place, Reported};
use crate::problem::{Effect, Problems, Reason};
use crate::value::IstioDuration;

#[derive(Debug, Clone, Default)]
pub(super) struct Shell {
    pub(super) rewrite: Option<l7::Rewrite>,
    pub(super) timeout: Option<IstioDuration>,
    pub(super) retry: Option<Policy>,
    pub(super) mirrors: Option<Vec<l7::Mirror>>,
    pub(super) fault: Option<l7::Fault>,
    pub(super) cors: Option<l7::Cors>,
    pub(super) headers: Operations,
    /// It cannot be done, and that has been reported.
    pub(super) fails: bool,
}

impl Shell {
    pub(super) fn read(
        context: &Context<'_>,
        route: &HttpRoute,
        rule: &str,
        problems: &mut Problems,
    ) -> Self {
        let effect = Effect::RuleFails(NO_BACKEND);
        let field = |name: &str| format!("{rule}.{name}");
        let mut fails = route.unknown.report(&Place { field: rule, effect }, problems).is_err();
        let mut must = |result: Result<_, Reported>| result.map_err(|Reported| fails = true).ok().flatten();
        let rewrite = must(rewrites(&route.rewrite, &field("rewrite"), problems));
        let headers = operations(&route.headers, &route.old, rule, problems);
        fails |= headers.is_err();
        let ignored = Effect::Ignored;
        if route.websocket_upgrade.is_there() {
            problems.notice(field("websocketUpgrade"), "is not needed: upgrades are let through");
        }
        Self {
            rewrite,
            timeout: route
                .timeout
                .get(&Place { field: &field("timeout"), effect: ignored }, problems)
                .copied(),
            retry: retry::policy(&route.retries, &field("retries"), problems),
            mirrors: mirror::mirrors(context, route, rule, problems),
            fault: fault::fault(&route.fault, &field("fault"), problems),
            cors: cors::cors(&route.cors_policy, &field("corsPolicy"), problems),
            headers: headers.unwrap_or_default(),
            fails,
        }
    }

    /// With what `parent` says where this says nothing.
    pub(super) fn within(self, parent: &Self) -> Self {
        let parent = parent.clone();
        Self {
            rewrite: self.rewrite.or(parent.rewrite),
            timeout: self.timeout.or(parent.timeout),
            retry: self.retry.or(parent.retry),
            mirrors: self.mirrors.or(parent.mirrors),
            fault: self.fault.or(parent.fault),
            cors: self.cors.or(parent.cors),
            headers: Operations {
                request: self.headers.request.or(parent.headers.request),
                response: self.headers.response.or(parent.headers.response),
            },
            fails: self.fails || parent.fails,
        }
    }
}

fn rewrites(
    part: &Part<super::spec::Rewrite>,
    field: &str,
    problems: &mut Problems,
) -> Result<Option<l7::Rewrite>, Reported> {
    let effect = Effect::RuleFails(NO_BACKEND);
    let Some(given) = part.try_get(&Place { field, effect }, problems)? else { return Ok(None) };
    rewrite(given, field, problems).map(Some).map_err(|(part, message)| {
        problems.add(format!("{field}{part}"), Reason::Invalid, effect, message);
        Reported
    })
}
