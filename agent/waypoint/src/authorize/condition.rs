//! When: an attribute and its values.

use std::borrow::Cow;

use http::HeaderName;
use http::header::HOST;
use weir_proto::l7;
use weir_proto::l7::condition::Attribute as Form;

use super::blocks::Blocks;
use super::holds::Wanted;
use super::operation::is_host;
use super::peer::{namespace, principal, remote, trust_domain};
use super::{Holds, Visit};
use crate::route::{Reason, Rejection, RequestHead, TextMatch, each, header_value};

#[derive(Debug)]
pub(super) struct Condition {
    attribute: Attribute,
    texts: Wanted<TextMatch>,
    blocks: Wanted<Blocks>,
}

#[derive(Debug)]
enum Attribute {
    Header(HeaderName),
    /// HTTP/2's `:method`.
    Method,
    /// HTTP/2's `:path`, which has the query.
    Target,
    SourceIp,
    RemoteIp,
    SourceNamespace,
    SourcePrincipal,
    SourceTrustDomain,
    DestinationIp,
    DestinationPort,
    Sni,
}

impl Condition {
    pub(super) fn compile(form: &l7::Condition) -> Result<Self, Rejection> {
        let attribute = attribute(form.attribute.as_ref())?;
        let texts = form.values.len() + form.not_values.len();
        let blocks = form.ip_blocks.len() + form.not_ip_blocks.len();
        // What is not looked at would be left out in silence.
        match attribute.is_address() {
            true if texts > 0 => return Err(Reason::Meaningless("an address has ip_blocks").into()),
            false if blocks > 0 => return Err(Reason::Meaningless("only an address has ip_blocks").into()),
            _ if texts + blocks == 0 => return Err(Reason::Meaningless("it asks for no value").into()),
            _ => {}
        }
        Ok(Self {
            attribute,
            texts: Wanted {
                any: each("values", &form.values, TextMatch::compile)?,
                none: each("not_values", &form.not_values, TextMatch::compile)?,
            },
            blocks: Wanted {
                any: Blocks::compile("ip_blocks", &form.ip_blocks)?,
                none: Blocks::compile("not_ip_blocks", &form.not_ip_blocks)?,
            },
        })
    }

    pub(super) fn holds(&self, visit: &Visit<'_>) -> Holds {
        let ip = match &self.attribute {
            Attribute::Header(name) => return self.holds_header(name, visit),
            Attribute::Method => {
                return self.holds_request(visit, |r, text| text.matches(r.method.as_str().as_bytes()));
            }
            Attribute::Target => return self.holds_target(visit),
            Attribute::SourceNamespace => return self.texts.holds_text(namespace(visit.identity)),
            Attribute::SourcePrincipal => return self.texts.holds_text(principal(visit.identity)),
            Attribute::SourceTrustDomain => return self.texts.holds_text(trust_domain(visit.identity)),
            Attribute::DestinationPort => {
                return self.texts.holds_text(Some(&visit.destination.port().to_string()));
            }
            Attribute::Sni => return self.texts.holds_text(visit.server_name),
            Attribute::SourceIp => visit.source,
            Attribute::RemoteIp => remote(visit),
            Attribute::DestinationIp => visit.destination.ip(),
        };
        self.blocks.holds(|blocks| blocks.contain(ip))
    }

    fn holds_header(&self, name: &HeaderName, visit: &Visit<'_>) -> Holds {
        if name == HOST {
            // HTTP/2 has no such field, and nobody gets past a policy by his version.
            return self.holds_request(visit, |r, text| is_host(text, r.authority));
        }
        let value = visit.request.and_then(|request| header_value(request.headers, name));
        self.texts
            .holds_of(visit.request.is_some(), |text| value.as_ref().is_some_and(|value| text.matches(value)))
    }

    fn holds_target(&self, visit: &Visit<'_>) -> Holds {
        let target = visit.request.map(|r| match r.query {
            Some(query) => Cow::Owned(format!("{}?{query}", r.path)),
            None => Cow::Borrowed(r.path),
        });
        let is_it = |text: &TextMatch| target.as_ref().is_some_and(|target| text.matches(target.as_bytes()));
        self.texts.holds_of(target.is_some(), is_it)
    }

    fn holds_request(
        &self,
        visit: &Visit<'_>,
        holds: impl Fn(&RequestHead<'_>, &TextMatch) -> bool,
    ) -> Holds {
        self.texts.holds_of(visit.request.is_some(), |text| visit.request.is_some_and(|r| holds(r, text)))
    }
}

impl Attribute {
    fn is_address(&self) -> bool {
        matches!(self, Self::SourceIp | Self::RemoteIp | Self::DestinationIp)
    }
}

fn attribute(form: Option<&Form>) -> Result<Attribute, Rejection> {
    match form {
        None => Err(Rejection::of(Reason::Missing).within("attribute")),
        Some(Form::Header(name)) if name == ":method" => Ok(Attribute::Method),
        Some(Form::Header(name)) if name == ":path" => Ok(Attribute::Target),
        Some(Form::Header(name)) => {
            let parsed = HeaderName::from_bytes(name.as_bytes());
            parsed
                .map(Attribute::Header)
                .map_err(|_| Rejection::of(Reason::NotHttp(name.clone())).within("header"))
        }
        Some(Form::Known(number)) => Ok(match l7::Attribute::try_from(*number) {
            Ok(l7::Attribute::SourceIp) => Attribute::SourceIp,
            Ok(l7::Attribute::RemoteIp) => Attribute::RemoteIp,
            Ok(l7::Attribute::SourceNamespace) => Attribute::SourceNamespace,
            Ok(l7::Attribute::SourcePrincipal) => Attribute::SourcePrincipal,
            Ok(l7::Attribute::SourceTrustDomain) => Attribute::SourceTrustDomain,
            Ok(l7::Attribute::DestinationIp) => Attribute::DestinationIp,
            Ok(l7::Attribute::DestinationPort) => Attribute::DestinationPort,
            Ok(l7::Attribute::ConnectionSni) => Attribute::Sni,
            Ok(l7::Attribute::Unspecified) | Err(_) => {
                return Err(Rejection::of(Reason::UnknownValue(*number)).within("known"));
            }
        }),
    }
}
