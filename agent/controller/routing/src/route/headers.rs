//! Header modifiers.

use weir_proto::l7;

use super::spec::{Header, HeaderFilter};

/// Of several entries with one name the first counts.
pub(super) fn operations(filter: &HeaderFilter) -> l7::HeaderOperations {
    let remove: Vec<String> = filter.remove.iter().map(|name| name.0.clone()).collect();
    l7::HeaderOperations { set: headers(&filter.set), add: headers(&filter.add), remove }
}

fn headers(given: &[Header]) -> Vec<l7::Header> {
    let mut headers: Vec<l7::Header> = Vec::new();
    for header in given {
        if !headers.iter().any(|other| other.name == header.name.0) {
            headers.push(l7::Header { name: header.name.0.clone(), value: header.value.0.clone() });
        }
    }
    headers
}
