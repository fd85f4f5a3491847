//! Requests that go where the like of them went.

use weir_proto::l7::{self, consistent_hash};

use super::spec::{Attribute, ConsistentHash, Cookie};
use crate::problem::quoted;
use crate::value::{HeaderValue, Token};

pub(super) fn consistent_hash(given: &ConsistentHash) -> Result<l7::ConsistentHash, (&'static str, String)> {
    use consistent_hash::{Key, Table};
    let keys = [
        given.http_header_name.clone().map(|name| Key::Header(name.0)),
        given.http_cookie.as_ref().map(|given| Key::Cookie(cookie(given))),
        given.use_source_ip.then_some(Key::SourceIp(true)),
        given.http_query_parameter_name.clone().map(Key::QueryParameter),
    ];
    let mut keys = keys.into_iter().flatten();
    let (key, None) = (keys.next(), keys.next()) else {
        return Err(("", "more than one thing to hash is named".to_owned()));
    };
    let key = key.ok_or(("", "says nothing that could be hashed".to_owned()))?;
    match &key {
        Key::Cookie(cookie) => check_cookie(cookie)?,
        Key::Header(name) if name.starts_with(':') => {
            return Err((".httpHeaderName", format!("{} is no header", quoted(name))));
        }
        _ => {}
    }
    let table = match (&given.ring_hash, &given.maglev, given.minimum_ring_size) {
        (Some(_), Some(_), _) => {
            return Err((".maglev", "ringHash and maglev exclude each other".to_owned()));
        }
        (Some(ring), None, _) => Some(Table::MinimumRingSize(size(".ringHash", ring.minimum_ring_size)?)),
        (None, Some(maglev), _) => Some(Table::MaglevTableSize(prime(maglev.table_size)?)),
        (None, None, Some(least)) => Some(Table::MinimumRingSize(size(".minimumRingSize", least)?)),
        (None, None, None) => None,
    };
    Ok(l7::ConsistentHash { key: Some(key), table })
}

fn size(field: &'static str, entries: u64) -> Result<u64, (&'static str, String)> {
    match entries > LARGEST_RING {
        true => Err((field, format!("{entries} is more than {LARGEST_RING}"))),
        false => Ok(entries),
    }
}

/// 0: the default.
fn prime(entries: u64) -> Result<u64, (&'static str, String)> {
    let wrong = |message| Err((".maglev.tableSize", message));
    if entries > LARGEST_TABLE {
        return wrong(format!("{entries} is more than {LARGEST_TABLE}"));
    }
    let divides = |d: &u64| entries.is_multiple_of(*d);
    let composite =
        entries == 1 || (2..).take_while(|d| d * d <= entries).any(|d| entries != 0 && divides(&d));
    if composite { wrong(format!("{entries} is no prime")) } else { Ok(entries) }
}

/// It is written into a header.
fn check_cookie(cookie: &l7::Cookie) -> Result<(), (&'static str, String)> {
    if cookie.name.is_empty() {
        return Err((".httpCookie.name", "is missing".to_owned()));
    }
    Token::try_from(cookie.name.clone()).map_err(|message| (".httpCookie.name", message))?;
    let value = |text: &String| match HeaderValue::try_from(text.clone()) {
        Ok(value) if !value.0.contains(';') => Ok(()),
        _ => Err(format!("{} cannot be a part of a cookie", quoted(text))),
    };
    value(&cookie.path).map_err(|message| (".httpCookie.path", message))?;
    cookie.attributes.iter().try_for_each(value).map_err(|message| (".httpCookie.attributes", message))
}

fn cookie(given: &Cookie) -> l7::Cookie {
    let attribute = |one: &Attribute| match one.value.as_str() {
        "" => one.name.clone(),
        value => format!("{}={value}", one.name),
    };
    l7::Cookie {
        name: given.name.clone(),
        path: given.path.clone(),
        ttl: given.ttl.map(|ttl| ttl.wire()),
        attributes: given.attributes.iter().map(attribute).collect(),
    }
}

/// What Envoy allows.
const LARGEST_RING: u64 = 8 * 1024 * 1024;
const LARGEST_TABLE: u64 = 5_000_011;
