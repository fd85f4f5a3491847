//! What is done with requests that match.

use std::sync::Arc;

use http::{HeaderMap, StatusCode, request::Parts};
use weir_proto::l7;

use super::{
    backend::{Backend, Mirror, Weighted, backends, status},
    cors::Cors,
    direct::DirectResponse,
    fault::Fault,
    headers::HeaderOperations,
    predicate::PathMatched,
    redirect::Redirect,
    rejection::{Reason, Rejection, Within as _, each},
    retry::Retry,
    rewrite::{BadRewrite, Rewrite},
    timeouts::Timeouts,
};

/// A compiled rule. What few rules have is boxed: a request's cost is the memory that it looks at, and there may be ten
/// thousand rules.
#[derive(Debug)]
pub struct Rule {
    /// For logs and for people: kind/namespace/name, and the rule's own name or number.
    pub name: Arc<str>,
    /// What is done.
    pub action: Action,
    /// Of requests that go on.
    pub request_headers: HeaderOperations,
    /// Of all responses, also those of our own.
    pub response_headers: HeaderOperations,
    /// Failures made on purpose.
    pub fault: Option<Box<Fault>>,
    /// Answers to browsers.
    pub cors: Option<Box<Cors>>,
}

/// What a rule does.
#[derive(Debug)]
pub enum Action {
    /// Requests go on to a backend.
    Forward(Forward),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// The answer is ready.
    Direct(DirectResponse),
}

/// How requests go on.
#[derive(Debug)]
pub struct Forward {
    /// One is chosen for each request; tries after the first go to the same.
    pub backends: Weighted<Backend>,
    /// The answer if there is none to choose.
    pub no_backend_status: StatusCode,
    /// Limits of time.
    pub timeouts: Timeouts,
    /// `None`: the waypoint's default.
    pub retry: Option<Retry>,
    rewrite: Option<Box<Rewrite>>,
    mirrors: Vec<Mirror>,
}

impl Rule {
    pub(crate) fn compile(form: &l7::Rule) -> Result<Rule, Rejection> {
        Ok(Rule {
            name: form.name.as_str().into(),
            action: Action::compile(form.action.as_ref().ok_or(Reason::Missing).within("action")?)?,
            request_headers: HeaderOperations::request(form.request_headers.as_ref())
                .within("request_headers")?,
            response_headers: HeaderOperations::response(form.response_headers.as_ref())
                .within("response_headers")?,
            fault: form.fault.as_ref().map(Fault::compile).transpose().within("fault")?.map(Box::new),
            cors: form.cors.as_ref().map(Cors::compile).transpose().within("cors")?.map(Box::new),
        })
    }

    /// Changes the head of a request on its way to a backend: the rule's header operations, then the backend's, then the
    /// rewrite of the backend or else of the rule.
    pub fn change_request(
        &self,
        parts: &mut Parts,
        matched: PathMatched,
        backend: &Backend,
    ) -> Result<(), BadRewrite> {
        self.request_headers.change_request(parts);
        backend.request_headers.change_request(parts);
        let own = match &self.action {
            Action::Forward(forward) => forward.rewrite.as_ref(),
            Action::Redirect(_) | Action::Direct(_) => None,
        };
        backend.rewrite.as_ref().or(own).map_or(Ok(()), |rewrite| rewrite.change(parts, matched))
    }

    /// Changes the head of a response on its way back: the backend's header operations, if it comes from there, then the
    /// rule's.
    pub fn change_response(&self, headers: &mut HeaderMap, backend: Option<&Backend>) {
        if let Some(backend) = backend {
            backend.response_headers.change_response(headers);
        }
        self.response_headers.change_response(headers);
    }
}

impl Action {
    fn compile(form: &l7::rule::Action) -> Result<Action, Rejection> {
        use l7::rule::Action as Form;
        Ok(match form {
            Form::Forward(form) => Action::Forward(Forward::compile(form).within("forward")?),
            Form::Redirect(form) => Action::Redirect(Redirect::compile(form).within("redirect")?),
            Form::DirectResponse(form) => {
                Action::Direct(DirectResponse::compile(form).within("direct_response")?)
            }
        })
    }
}

impl Forward {
    fn compile(form: &l7::Forward) -> Result<Forward, Rejection> {
        Ok(Forward {
            backends: backends(&form.backends)?,
            no_backend_status: status(form.no_backend_status).within("no_backend_status")?,
            timeouts: Timeouts::compile(form)?,
            retry: form.retry.as_ref().map(Retry::compile).transpose().within("retry")?,
            rewrite: form.rewrite.as_ref().map(Rewrite::compile).transpose().within("rewrite")?.map(Box::new),
            mirrors: each("mirrors", &form.mirrors, Mirror::compile)?,
        })
    }

    /// Where a request goes, by a uniformly random number. `None`: the answer is `no_backend_status`.
    pub fn pick(&self, random: u64) -> Option<&Backend> {
        self.backends.pick(random)
    }

    /// Who gets a copy of a request that goes to `backend`; each mirror draws a random number.
    pub fn mirrors<'a>(
        &'a self,
        backend: &'a Backend,
        mut random: impl FnMut() -> u64 + 'a,
    ) -> impl Iterator<Item = &'a Mirror> {
        self.mirrors.iter().chain(&backend.mirrors).filter(move |mirror| mirror.chance.happens(random()))
    }
}
