//! A request goes on to a backend: prepared once, tried as often as its route allows.

use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::{Body as _, Incoming};
use tokio::time::Instant;

use super::attempt::{Outgoing, Replied, attempt};
use super::ended::{Ended, Late};
use super::exchange::{Exchange, Local, SCHEME};
use super::mirror::mirror;
use super::relay::{Ends, ResponseBody};
use super::upgrade::Upgrade;
use super::upload::Upload;
use super::{hops, ids};
use crate::balance::Endpoint;
use crate::proxy::choice::Wish;
use crate::proxy::report::Flags;
use crate::route::{
    Backend, BackendRef, Forward, PathMatched, Retry, Rule, Target, Timeouts, TryOutcome, grpc,
};

impl Exchange {
    #[expect(
        clippy::too_many_arguments,
        reason = "what is known of a request, which nobody else needs together"
    )]
    pub(super) async fn forward(
        mut self: Box<Self>,
        parts: &mut Parts,
        body: Incoming,
        upgrade: Option<Upgrade>,
        rule: &Rule,
        forward: &Forward,
        path: PathMatched,
        faulty: bool,
    ) -> Response<ResponseBody> {
        let worker = self.client.worker.clone();
        let Some(backend) = forward.pick(worker.random()) else {
            return self.without_backend(rule, None, &parts.headers, forward.no_backend_status);
        };
        let target = match &backend.target {
            Target::Service(target) => target,
            Target::Unavailable { status, reason } => {
                self.account.reason = Some(reason.to_string());
                return self.without_backend(rule, Some(backend), &parts.headers, *status);
            }
        };
        self.prepare(parts);
        if rule.change_request(parts, path, backend).is_err() {
            return self.local_of_rule(rule, Some(backend), &parts.headers, BAD_REWRITE);
        }
        let upload = (!body.is_end_stream()).then(|| {
            Upload::new(body, worker.config.max_replay, self.account.received.clone(), self.account.is_grpc())
        });
        for copy in forward.mirrors(backend, || worker.random()) {
            mirror(&self.client, copy, parts, upload.as_ref());
        }
        // A failure on purpose is seen as it was meant, and what changes its protocol can be sent only once.
        let once = faulty || upgrade.is_some();
        let settings = self.settings.clone();
        let retry = forward.retry.as_ref().unwrap_or(&settings.default_retry);
        let own = if once { Timeouts::default() } else { forward.timeouts };
        let deadline = self.account.is_grpc().then(|| grpc::timeout(&parts.headers)).flatten();
        let plan = Plan {
            target,
            retry: (!once).then_some(retry),
            timeouts: deadline.map_or(own, |limit| own.at_most(limit)),
            by_client: deadline.is_some_and(|limit| own.request.is_none_or(|own| limit < own)),
            idle: worker.config.stream_idle_time.filter(|_| upgrade.is_none()),
        };
        match self.tries(&plan, parts, upload.as_ref(), upgrade.as_ref()).await {
            Ok(replied) => {
                if let Some(upload) = &upload {
                    upload.commit();
                }
                self.respond(replied, rule, backend, upgrade, &parts.headers)
            }
            Err(local) => self.local_of_rule(rule, Some(backend), &parts.headers, local),
        }
    }

    /// What the backend is told of the request's way.
    fn prepare(&mut self, parts: &mut Parts) {
        let worker = &self.client.worker;
        hops::add_forwarded(&mut parts.headers, &self.client.address, SCHEME);
        if worker.config.make_traceparent {
            ids::traceparent(&mut parts.headers, || (worker.random_wide(), worker.random()));
        }
        self.account.forwarded(&parts.headers, &ids::REQUEST_ID);
    }

    /// Tries until one is good enough. An error is the answer in the place of the backend's.
    async fn tries(
        &mut self,
        plan: &Plan<'_>,
        parts: &Parts,
        upload: Option<&Upload>,
        upgrade: Option<&Upgrade>,
    ) -> Result<Replied, Local> {
        let mut state = Tries::default();
        let random = self.client.worker.random_wide();
        loop {
            let ends = plan.ends(self.account.started());
            let wish = Wish {
                request: Some(parts),
                tried: if plan.may_return() { &[] } else { &state.tried },
                is_retry: state.done > 0,
                remote_localities: plan.retry.is_some_and(|retry| retry.remote_localities),
                random,
            };
            let outgoing = Outgoing { parts, upload, upgrade, ends, wish };
            let mut last = None;
            let result = attempt(&self.client, &mut self.account, plan.target, outgoing, &mut last).await;
            let again = match &result {
                Ok(replied) => {
                    let head = &replied.response;
                    self.again(plan, &state, upload, TryOutcome::Response(head.status(), head.headers()))
                }
                Err(ended) => match ended.outcome() {
                    Some(outcome) => self.again(plan, &state, upload, outcome),
                    None => Again::No,
                },
            };
            match (again, result) {
                (Again::After(wait), result) => {
                    if let Ok(replied) = result {
                        replied.discard();
                    }
                    state.done += 1;
                    state.tried.extend(last);
                    self.account.retried();
                    tokio::time::sleep(wait).await;
                }
                (_, Ok(replied)) => return Ok(replied),
                (again, Err(ended)) => {
                    let mut local = match &ended {
                        Ended::Late(Late::Request) if plan.by_client => DEADLINE,
                        ended => ended.local(),
                    };
                    if let (Again::Exhausted, true) = (again, state.done > 0) {
                        local.flags |= Flags::UPSTREAM_RETRY_LIMIT;
                    }
                    return Err(local);
                }
            }
        }
    }

    fn again(
        &self,
        plan: &Plan<'_>,
        state: &Tries,
        upload: Option<&Upload>,
        outcome: TryOutcome<'_>,
    ) -> Again {
        let Some(retry) = plan.retry else { return Again::No };
        if upload.is_some_and(|upload| !upload.is_whole()) {
            return Again::No;
        }
        let random = self.client.worker.random();
        let Some(wait) = retry.again(state.done, outcome, random) else {
            let wanted = state.done > 0 && retry.again(0, outcome, random).is_some();
            return if wanted { Again::Exhausted } else { Again::No };
        };
        let (start, now) = (self.account.started().into_std(), Instant::now().into_std());
        if plan.timeouts.leave_room(start, now, wait) { Again::After(wait) } else { Again::No }
    }

    fn without_backend(
        self: Box<Self>,
        rule: &Rule,
        backend: Option<&Backend>,
        request: &HeaderMap,
        status: StatusCode,
    ) -> Response<ResponseBody> {
        let flags = Flags::NO_CLUSTER;
        let local = Local { status, flags, details: "cluster_not_found", message: "", grpc: None };
        self.local_of_rule(rule, backend, request, local)
    }

    fn local_of_rule(
        self: Box<Self>,
        rule: &Rule,
        backend: Option<&Backend>,
        request: &HeaderMap,
        local: Local,
    ) -> Response<ResponseBody> {
        let mut answer = self.local(request, local);
        rule.change_response(answer.headers_mut(), backend);
        answer
    }
}

/// How a request may be tried.
struct Plan<'a> {
    target: &'a BackendRef,
    retry: Option<&'a Retry>,
    timeouts: Timeouts,
    /// The end of the request is the client's.
    by_client: bool,
    idle: Option<Duration>,
}

impl Plan<'_> {
    /// The limits of a try that begins now.
    fn ends(&self, started: Instant) -> Ends {
        let (start, now) = (started.into_std(), Instant::now().into_std());
        let deadline = self.timeouts.try_deadline(start, now).map(Instant::from_std);
        let whole = self.timeouts.deadline(start).map(Instant::from_std);
        Ends { deadline, whole, idle: self.idle }
    }

    fn may_return(&self) -> bool {
        self.retry.is_none_or(|retry| retry.same_endpoints)
    }
}

#[derive(Default)]
struct Tries {
    /// Beside the first.
    done: u32,
    tried: Vec<Arc<Endpoint>>,
}

enum Again {
    After(Duration),
    /// It would be worth another try, but there were enough.
    Exhausted,
    No,
}

const BAD_REWRITE: Local = Local {
    status: StatusCode::BAD_REQUEST,
    flags: Flags::NONE,
    details: "rewritten_path_is_invalid",
    message: "",
    grpc: None,
};
/// The client of gRPC said how long it would wait.
const DEADLINE: Local = Local {
    status: StatusCode::GATEWAY_TIMEOUT,
    flags: Flags::UPSTREAM_TIMEOUT,
    details: "grpc_deadline_exceeded",
    message: "deadline exceeded",
    grpc: Some(grpc::DEADLINE_EXCEEDED),
};
