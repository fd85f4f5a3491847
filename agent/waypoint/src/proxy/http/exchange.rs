//! The life of a request.
//!
//! ```text
//!   check -> normalize -> authorize -> route -> cors, fault -> redirect | direct | forward
//!                                                               forward: rewrite, mirrors, tries -> respond
//! ```

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;

use super::relay::ResponseBody;
use super::upgrade::Upgrade;
use super::{check, hops, ids};
use crate::proxy::arrival::Settings;
use crate::proxy::report::{Account, Flags};
use crate::proxy::serve::{Busy, Client};
use crate::route::{
    Abort, Action, CorsGrant, CorsVerdict, Injected, PathMatched, RequestHead, Routed, Rule, grpc, normalize,
};

/// Answers a request, whatever becomes of it.
pub(crate) async fn exchange(
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let tunnel = parts.method == Method::CONNECT && parts.version < Version::HTTP_2;
    let upgrade = Upgrade::take(&mut parts);
    let account = Account::open(&client.ledger, &parts, grpc::is_grpc(&parts.headers));
    let settings = client.settings();
    let no_success = upgrade.as_ref().is_some_and(Upgrade::takes_success_for_consent);
    let exchange = Exchange { busy: client.begin(), client, settings, account, grant: None, no_success };
    let mut answer = Box::new(exchange).answer(&mut parts, body, upgrade.clone()).await;
    if tunnel && !answer.status().is_success() {
        // What follows may be meant for the other end of the tunnel, and the gate does not look at it.
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(upgrade) = upgrade.filter(|upgrade| !upgrade.was_granted()) {
        upgrade.refused();
    }
    Ok(answer)
}

/// A request that is being answered. It is boxed, and the request's head borrowed: each future on the way would copy them
/// twice, which cost more than anything else here.
pub(super) struct Exchange {
    pub(super) client: Rc<Client>,
    pub(super) settings: Arc<Settings>,
    pub(super) account: Account,
    pub(super) busy: Busy,
    /// What a browser's page of another origin may see of the response.
    pub(super) grant: Option<CorsGrant>,
    /// Only a backend's consent to an upgrade may look like a success.
    no_success: bool,
}

/// An answer of our own.
pub(super) struct Local {
    pub(super) status: StatusCode,
    pub(super) flags: Flags,
    pub(super) details: &'static str,
    pub(super) message: &'static str,
    /// gRPC's status, if it is not that of `status`.
    pub(super) grpc: Option<u32>,
}

/// What a request falls under.
struct Found {
    rule: Arc<Rule>,
    path: PathMatched,
}

impl Exchange {
    async fn answer(
        mut self: Box<Self>,
        parts: &mut Parts,
        body: Incoming,
        upgrade: Option<Upgrade>,
    ) -> Response<ResponseBody> {
        let config = &self.client.worker.config;
        if let Err(refused) = check::check(parts, config.max_target) {
            return self.refuse(parts, refused.status, refused.details);
        }
        if normalize(parts, self.settings.normalization).is_err() {
            return self.refuse(parts, StatusCode::BAD_REQUEST, "path_normalization_failed");
        }
        hops::remove(&mut parts.headers);
        ids::request_id(&mut parts.headers, || self.client.worker.random_wide());
        let settings = self.settings.clone();
        let head = RequestHead::of(parts, SCHEME);
        if let Err(denied) = settings.allow(&self.client.arrival, None, Some(&head)) {
            self.account.reason = Some(denied.to_string());
            return self.local(&parts.headers, DENIED);
        }
        let found = match self.find(&settings, &head) {
            Ok(found) => found,
            Err(none) => return self.local(&parts.headers, none),
        };
        self.account.route = Some(found.rule.name.clone());
        self.act(parts, body, upgrade, found).await
    }

    fn find(&self, settings: &Settings, head: &RequestHead<'_>) -> Result<Found, Local> {
        let number = self.client.arrival.port;
        let port = settings.frontend.port(number).ok_or(NO_ROUTE)?;
        match port.route(head, &self.client.arrival.view()) {
            Routed::Rule(matched) => Ok(Found { rule: matched.rule.clone(), path: matched.path }),
            Routed::Own => {
                let rule = settings.own_rule(number).ok_or(NO_ROUTE)?.clone();
                Ok(Found { rule, path: PathMatched::Any })
            }
            Routed::NotFound => Err(NO_ROUTE),
            Routed::Unknown => Err(UNKNOWN_CLIENT),
        }
    }

    /// Does what the rule says.
    async fn act(
        mut self: Box<Self>,
        parts: &mut Parts,
        body: Incoming,
        upgrade: Option<Upgrade>,
        found: Found,
    ) -> Response<ResponseBody> {
        let rule = &found.rule;
        if let Some(answer) = self.cors(parts, rule) {
            return self.made(rule, answer, "cors_preflight");
        }
        let injected = match &rule.fault {
            Some(fault) => fault.draw([self.client.worker.random(), self.client.worker.random()]),
            None => Injected::default(),
        };
        if let Some(delay) = injected.delay {
            self.account.flags |= Flags::DELAY_INJECTED;
            tokio::time::sleep(delay).await;
        }
        if let Some(abort) = injected.abort {
            return self.abort(parts, rule, abort);
        }
        match &rule.action {
            Action::Redirect(redirect) => {
                let head = RequestHead::of(parts, SCHEME);
                let answer = redirect.response(&head, self.client.arrival.port, found.path);
                self.made(rule, answer.map(|()| Bytes::new()), "direct_response")
            }
            Action::Direct(direct) => self.made(rule, direct.response(), "direct_response"),
            Action::Forward(forward) => {
                let faulty = injected.any();
                self.forward(parts, body, upgrade, rule, forward, found.path, faulty).await
            }
        }
    }

    fn cors(&mut self, parts: &Parts, rule: &Rule) -> Option<Response<Bytes>> {
        match rule.cors.as_ref()?.check(&parts.method, &parts.headers) {
            CorsVerdict::Unconcerned => None,
            CorsVerdict::Preflight(answer) => Some(answer),
            CorsVerdict::Simple(grant) => {
                self.grant = Some(grant);
                None
            }
        }
    }

    fn abort(mut self: Box<Self>, parts: &Parts, rule: &Rule, abort: Abort) -> Response<ResponseBody> {
        self.account.flags |= Flags::FAULT_INJECTED;
        self.made(rule, abort.response(&parts.headers), "fault_filter_abort")
    }

    /// An answer that a rule has ready.
    fn made(
        mut self: Box<Self>,
        rule: &Rule,
        answer: Response<Bytes>,
        details: &'static str,
    ) -> Response<ResponseBody> {
        let (mut head, body) = answer.into_parts();
        self.account.details = details;
        rule.change_response(&mut head.headers, None);
        self.send(Response::from_parts(head, body))
    }

    /// An answer to what is no proper request: nothing that follows on the connection can be trusted either.
    fn refuse(
        mut self: Box<Self>,
        parts: &Parts,
        status: StatusCode,
        details: &'static str,
    ) -> Response<ResponseBody> {
        self.account.flags |= Flags::DOWNSTREAM_PROTOCOL_ERROR;
        let local = Local { status, flags: Flags::default(), details, message: "", grpc: None };
        let mut answer = self.local(&parts.headers, local);
        if parts.version < Version::HTTP_2 {
            answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// An answer of our own, in the form that the client reads.
    pub(super) fn local(mut self: Box<Self>, request: &HeaderMap, local: Local) -> Response<ResponseBody> {
        self.account.flags |= local.flags;
        self.account.details = local.details;
        let mut answer = match local.grpc {
            Some(code) => grpc::local_status(request, code, local.message),
            None => grpc::local_reply(request, local.status, local.message),
        };
        if local.flags.any(Flags::UPSTREAM_OVERFLOW) {
            answer.headers_mut().insert("x-envoy-overloaded", HeaderValue::from_static("true"));
        }
        self.send(answer)
    }

    fn send(mut self: Box<Self>, answer: Response<Bytes>) -> Response<ResponseBody> {
        let (mut head, body) = answer.into_parts();
        if self.no_success && head.status.is_success() {
            head.status = StatusCode::NOT_IMPLEMENTED;
            self.account.details = "upgrade_failed";
        }
        if let Some(grant) = self.grant.take() {
            grant.change_response(&mut head.headers);
        }
        self.account.answered(&head);
        self.account.sent.add(body.len());
        Response::from_parts(head, ResponseBody::Whole(Some(body).filter(|body| !body.is_empty())))
    }
}

/// Traffic comes out of a tunnel or in plaintext; TLS to the waypoint itself is the tunnel's.
pub(super) const SCHEME: &str = "http";

const DENIED: Local = Local {
    status: StatusCode::FORBIDDEN,
    flags: Flags::NONE,
    details: "rbac_access_denied",
    message: "RBAC: access denied",
    grpc: None,
};
const NO_ROUTE: Local = Local {
    status: StatusCode::NOT_FOUND,
    flags: Flags::NO_ROUTE,
    details: "route_not_found",
    message: "",
    grpc: None,
};
const UNKNOWN_CLIENT: Local = Local {
    status: StatusCode::SERVICE_UNAVAILABLE,
    flags: Flags::NO_ROUTE,
    details: "client_labels_not_known",
    message: "the labels of the client, for which routes ask, are not known",
    grpc: None,
};
