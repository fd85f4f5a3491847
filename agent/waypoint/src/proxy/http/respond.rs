//! A backend's response goes back to the client.

use http::{HeaderMap, Response, StatusCode, header};
use hyper::body::Incoming;

use super::attempt::Replied;
use super::exchange::{Exchange, Local};
use super::hops;
use super::messages::Messages;
use super::relay::{Relay, ResponseBody};
use super::upgrade::Upgrade;
use crate::proxy::report::Flags;
use crate::route::{Backend, Rule};

impl Exchange {
    pub(super) fn respond(
        mut self: Box<Self>,
        replied: Replied,
        rule: &Rule,
        backend: &Backend,
        upgrade: Option<Upgrade>,
        request: &HeaderMap,
    ) -> Response<ResponseBody> {
        let Replied { mut response, lease, mut choice, ends } = replied;
        let misread = upgrade.as_ref().is_some_and(Upgrade::takes_success_for_consent);
        let granted = upgrade.filter(|upgrade| upgrade.is_granted(response.version(), response.status()));
        let misread = misread && granted.is_none() && response.status().is_success();
        if misread || !is_sound(&response, granted.is_some()) {
            choice.failed();
            return self.local(request, UNSOUND);
        }
        let bridge = granted.map(|upgrade| (upgrade, hyper::upgrade::on(&mut response)));
        let (mut head, body) = response.into_parts();
        let protocol = head.headers.get(header::UPGRADE).cloned();
        hops::remove(&mut head.headers);
        one_length(&mut head.headers);
        choice.change_response(&mut head.headers);
        rule.change_response(&mut head.headers, Some(backend));
        if let Some(grant) = self.grant.take() {
            grant.change_response(&mut head.headers);
        }
        head.version = http::Version::HTTP_11;
        self.account.details = "via_upstream";
        let Some((upgrade, other)) = bridge else {
            self.account.answered(&head);
            let relay = Relay {
                body,
                lease: Some(lease),
                choice: Some(choice),
                messages: self.account.is_grpc().then(Messages::default),
                account: self.account,
                limits: ends,
                timer: None,
                watch: self.client.watch.get().cloned(),
                _busy: self.busy,
            };
            return Response::from_parts(head, ResponseBody::Relay(Box::new(relay)));
        };
        upgrade.grant(&mut head, protocol);
        self.account.answered(&head);
        if let Some(watch) = self.client.watch.get() {
            watch.let_pass();
        }
        let idle = self.client.worker.config.tcp_idle_time;
        let held = (lease, choice, self.busy);
        tokio::task::spawn_local(upgrade.bridge(other, self.account, idle, held));
        Response::from_parts(head, ResponseBody::Whole(None))
    }
}

/// What a client could read in another way than we do is not passed on.
fn is_sound(response: &Response<Incoming>, upgraded: bool) -> bool {
    let headers = response.headers();
    let both =
        headers.contains_key(header::CONTENT_LENGTH) && headers.contains_key(header::TRANSFER_ENCODING);
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let encoding = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = encoding.into_iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"chunked"));
    !both && chunked && (!switching || upgraded)
}

/// hyper has seen that they are equal.
fn one_length(headers: &mut HeaderMap) {
    if headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some()
        && let Some(length) = headers.get(header::CONTENT_LENGTH).cloned()
    {
        headers.insert(header::CONTENT_LENGTH, length);
    }
}

const UNSOUND: Local = Local {
    status: StatusCode::BAD_GATEWAY,
    flags: Flags::UPSTREAM_PROTOCOL_ERROR,
    details: "upstream_reset_before_response_started{protocol_error}",
    message: "upstream connect error or disconnect/reset before headers. reset reason: protocol error",
    grpc: None,
};
