//! Requests and connections as the cases write them.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use weir_waypoint::authorize::Visit;
use weir_waypoint::route::RequestHead;

/// Asks about `WHO METHOD HOST[:PORT]/PATH [HEADER=VALUE..]`.
pub(super) fn ask<T>(line: &str, ask: impl FnOnce(&Visit<'_>) -> T) -> T {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let mut word = || words.next().unwrap_or_else(|| panic!("{line}"));
    let (who, method, what) = (word(), word(), word());
    let (peer, source) = who.split_once('@').expect("a peer");
    let identity = match peer.split('/').collect::<Vec<_>>()[..] {
        ["-"] => None,
        [namespace, account] => Some(format!("spiffe://cluster.local/ns/{namespace}/sa/{account}")),
        [domain, namespace, account] => Some(format!("spiffe://{domain}/ns/{namespace}/sa/{account}")),
        _ => panic!("{who}"),
    };
    let (place, path) = what.split_once('/').unwrap_or((what, ""));
    let (host, port) = place.split_once(':').unwrap_or((place, "80"));
    let mut headers = HeaderMap::new();
    let mut authority = place.to_owned();
    for word in words {
        if let Some(host) = word.strip_prefix('!') {
            authority = host.to_owned();
            continue;
        }
        let (name, value) = word.split_once('=').expect("a header");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, HeaderValue::from_str(value).expect("a value"));
    }
    let path = format!("/{path}");
    let (path, query) = path.split_once('?').map_or((&*path, None), |(path, query)| (path, Some(query)));
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = RequestHead {
        method: &method,
        scheme: "http",
        authority: &authority,
        path,
        query,
        headers: &headers,
    };
    let is_request = method.as_str() != "TCP";
    let source: IpAddr = source.parse().expect("an address");
    let to: IpAddr =
        if source.is_ipv4() { [10, 96, 0, 1].into() } else { "fd00::9".parse().expect("an address") };
    ask(&Visit {
        identity: identity.as_deref(),
        source,
        destination: (to, port.parse().expect("a port")).into(),
        server_name: (!is_request && !host.is_empty()).then_some(host),
        request: is_request.then_some(&request),
    })
}
