//! What is asked for.

use weir_proto::l7;

use super::holds::Wanted;
use super::path::PathMatch;
use super::{Holds, Visit};
use crate::route::{Reason, Rejection, TextMatch, each};

#[derive(Debug)]
pub(super) struct Operation {
    hosts: Wanted<TextMatch>,
    ports: Wanted<u16>,
    methods: Wanted<TextMatch>,
    paths: Wanted<PathMatch>,
}

impl Operation {
    pub(super) fn compile(form: &l7::Operation) -> Result<Self, Rejection> {
        let host = |form: &l7::StringMatch| {
            // Names of hosts have no case.
            TextMatch::compile(&l7::StringMatch { ignore_case: true, ..form.clone() })
        };
        Ok(Self {
            hosts: Wanted {
                any: each("hosts", &form.hosts, host)?,
                none: each("not_hosts", &form.not_hosts, host)?,
            },
            ports: Wanted {
                any: each("ports", &form.ports, port)?,
                none: each("not_ports", &form.not_ports, port)?,
            },
            methods: Wanted {
                any: each("methods", &form.methods, TextMatch::compile)?,
                none: each("not_methods", &form.not_methods, TextMatch::compile)?,
            },
            paths: Wanted {
                any: each("paths", &form.paths, PathMatch::compile)?,
                none: each("not_paths", &form.not_paths, PathMatch::compile)?,
            },
        })
    }

    pub(super) fn holds(&self, visit: &Visit<'_>) -> Holds {
        let (request, port) = (visit.request, visit.destination.port());
        let is_request = request.is_some();
        Holds::all([
            self.ports.holds(|wanted| *wanted == port),
            self.hosts.holds_of(is_request, |text| request.is_some_and(|r| is_host(text, r.authority))),
            self.methods.holds_of(is_request, |text| {
                request.is_some_and(|r| text.matches(r.method.as_str().as_bytes()))
            }),
            self.paths.holds_of(is_request, |path| request.is_some_and(|r| path.matches(r.path))),
        ])
    }
}

/// With the port as the client wrote it, or without: the port in `Host` is nothing but the client's word.
pub(super) fn is_host(text: &TextMatch, authority: &str) -> bool {
    text.matches(authority.as_bytes())
        || without_port(authority).is_some_and(|host| text.matches(host.as_bytes()))
}

fn without_port(authority: &str) -> Option<&str> {
    let (host, port) = authority.rsplit_once(':')?;
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = !host.contains(':') || host.ends_with(']');
    (is_port && is_whole).then_some(host)
}

fn port(form: &u32) -> Result<u16, Rejection> {
    let expected = "a port from 1 to 65535";
    let port = u16::try_from(*form).ok().filter(|port| *port > 0);
    port.ok_or_else(|| Rejection::of(Reason::OutOfRange { value: u64::from(*form), expected }))
}
