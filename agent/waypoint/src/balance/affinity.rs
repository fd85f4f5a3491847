//! What of a request decides where it goes, so that the next of the same client goes there too.

use std::{net::IpAddr, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use weir_proto::l7;
use xxhash_rust::xxh64::xxh64;

use crate::route::{Reason, Rejection, RequestHead, Within as _, duration, parameter};

/// A compiled `ConsistentHash`, as to the key.
#[derive(Debug, Clone)]
pub struct Affinity(Key);

/// The key of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashKey {
    /// `None`: the request has nothing of the kind, and goes anywhere.
    pub hash: Option<u64>,
    /// To be added to the response: `Set-Cookie`.
    pub cookie: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
enum Key {
    Header(HeaderName),
    Cookie(Cookie),
    SourceIp,
    Query(Box<str>),
}

#[derive(Debug, Clone)]
struct Cookie {
    name: Box<str>,
    /// What follows the value; `None`: no cookie is made.
    attributes: Option<Box<str>>,
}

impl Affinity {
    pub(super) fn compile(form: &l7::ConsistentHash) -> Result<Affinity, Rejection> {
        use l7::consistent_hash::Key as Form;
        Ok(Affinity(match form.key.as_ref().ok_or(Reason::Missing)? {
            Form::Header(name) => {
                let valid = HeaderName::from_bytes(name.as_bytes());
                Key::Header(valid.map_err(|_| Reason::NotHttp(name.clone())).within("header")?)
            }
            Form::Cookie(cookie) => Key::Cookie(Cookie::compile(cookie).within("cookie")?),
            Form::SourceIp(true) => Key::SourceIp,
            Form::SourceIp(false) => {
                return Err(Reason::Meaningless("false says nothing")).within("source_ip");
            }
            Form::QueryParameter(name) => Key::Query(name.as_str().into()),
        }))
    }

    /// The key of a request; the random number is the value of a new cookie.
    pub fn key(&self, request: &RequestHead<'_>, client: IpAddr, random: u128) -> HashKey {
        let only = |hash| HashKey { hash, cookie: None };
        match &self.0 {
            Key::Header(name) => only(request.header(name).map(|value| hash(&value))),
            Key::SourceIp => only(Some(Affinity::of_address(client))),
            Key::Query(name) => only(parameter(request.query, name).map(|value| hash(&value))),
            Key::Cookie(cookie) => match (cookie.find(request.headers), &cookie.attributes) {
                (Some(value), _) => only(Some(hash(value))),
                (None, None) => only(None),
                (None, Some(attributes)) => cookie.make(attributes, random),
            },
        }
    }

    /// The key of a connection whose requests nobody reads.
    pub fn connection_key(&self, client: IpAddr) -> Option<u64> {
        matches!(self.0, Key::SourceIp).then(|| Affinity::of_address(client))
    }

    fn of_address(client: IpAddr) -> u64 {
        match client.to_canonical() {
            IpAddr::V4(v4) => hash(&v4.octets()),
            IpAddr::V6(v6) => hash(&v6.octets()),
        }
    }
}

impl Cookie {
    fn compile(form: &l7::Cookie) -> Result<Cookie, Rejection> {
        // A cookie's name is a token, as a field's is.
        HeaderName::from_bytes(form.name.as_bytes())
            .map_err(|_| Reason::NotHttp(form.name.clone()))
            .within("name")?;
        let ttl = form.ttl.as_ref().map(duration).transpose().within("ttl")?;
        let attributes = ttl.map(|ttl| attributes(form, ttl)).transpose()?;
        Ok(Cookie { name: form.name.as_str().into(), attributes })
    }

    fn find<'r>(&self, headers: &'r HeaderMap) -> Option<&'r [u8]> {
        let fields = headers.get_all(header::COOKIE).iter();
        let pairs = fields.flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
        let value = |pair: &'r [u8]| {
            let value = pair.trim_ascii().strip_prefix(self.name.as_bytes())?.strip_prefix(b"=")?;
            Some(value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value))
        };
        pairs.filter_map(value).find(|value| !value.is_empty())
    }

    fn make(&self, attributes: &str, random: u128) -> HashKey {
        let value = format!("{random:032x}");
        let cookie = HeaderValue::from_str(&format!("{}={value}{attributes}", self.name));
        HashKey { hash: Some(hash(value.as_bytes())), cookie: cookie.ok() }
    }
}

fn attributes(form: &l7::Cookie, ttl: Duration) -> Result<Box<str>, Rejection> {
    let mut attributes = String::new();
    let mut add = |field: &str, text: &str| {
        if text.contains(';') || HeaderValue::from_str(text).is_err() {
            return Err(Reason::NotHttp(text.to_owned())).within(field);
        }
        attributes.push_str("; ");
        attributes.push_str(text);
        Ok(())
    };
    if !ttl.is_zero() {
        // A part of a second would be none.
        add("ttl", &format!("Max-Age={}", ttl.as_secs().max(1)))?;
    }
    if !form.path.is_empty() {
        add("path", &format!("Path={}", form.path))?;
    }
    for attribute in &form.attributes {
        add("attributes", attribute)?;
    }
    add("attributes", "HttpOnly")?;
    Ok(attributes.into())
}

fn hash(value: &[u8]) -> u64 {
    xxh64(value, 0)
}

#[cfg(test)]
mod tests;
