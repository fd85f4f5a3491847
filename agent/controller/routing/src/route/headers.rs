//! Header modifiers.

use weir_proto::l7;

use super::spec::{Header, HeaderFilter};
use crate::problem::quoted;
use crate::value::{HeaderName, authority, is_fixed};

/// Of several entries with one name the first counts. The host of a request can be set, but neither added nor removed.
pub(super) fn operations(filter: &HeaderFilter, is_request: bool) -> Result<l7::HeaderOperations, String> {
    let set = headers(&filter.set, |name| is_request && name.0 == "host")?;
    if let Some(host) = set.iter().find(|header| header.name == "host") {
        authority(&host.value)?;
    }
    let add = headers(&filter.add, |_| false)?;
    let remove = filter.remove.iter().map(|name| changeable(name).map(|()| name.0.clone()));
    Ok(l7::HeaderOperations { set, add, remove: remove.collect::<Result<_, _>>()? })
}

fn headers(given: &[Header], also: impl Fn(&HeaderName) -> bool) -> Result<Vec<l7::Header>, String> {
    let mut headers: Vec<l7::Header> = Vec::new();
    for header in given {
        if !also(&header.name) {
            changeable(&header.name)?;
        }
        if !headers.iter().any(|other| other.name == header.name.0) {
            headers.push(l7::Header { name: header.name.0.clone(), value: header.value.0.clone() });
        }
    }
    Ok(headers)
}

fn changeable(name: &HeaderName) -> Result<(), String> {
    match name.0.starts_with(':') || name.0 == "host" || is_fixed(name) {
        true => Err(format!("{} is no header that can be changed so", quoted(&name.0))),
        false => Ok(()),
    }
}
