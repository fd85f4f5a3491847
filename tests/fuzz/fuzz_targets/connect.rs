//! The head of a CONNECT request, as a stranger on port 15008 can send it.
//!
//! Input: the authority on the first line, then `name: value` lines. What http itself refuses never reaches us.
#![no_main]

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use libfuzzer_sys::fuzz_target;
use weir_tunnel::core::authority::Authority;
use weir_tunnel::core::baggage::Baggage;
use weir_tunnel::core::connect::{BAGGAGE, Connect};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let authority = lines.next().unwrap_or_default();
    if let Ok(text) = std::str::from_utf8(authority) {
        parse_twice(text);
    }
    let Ok(uri) = Uri::try_from(authority) else { return };
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = uri;
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(&line[colon + 1..]));
        if let (Ok(name), Ok(value)) = (name, value) {
            request.headers_mut().append(name, value);
        }
    }
    for value in request.headers().get_all(BAGGAGE) {
        if let Ok(text) = value.to_str() {
            let _ = Baggage::parse(text);
        }
    }
    let _ = Connect::parse(&request.into_parts().0);
});

/// What was understood, written down and read again, is the same: a log line and a policy must not see two
/// different authorities.
fn parse_twice(text: &str) {
    let Ok(authority) = text.parse::<Authority>() else { return };
    let written = match &authority {
        Authority::Address(address) => address.to_string(),
        Authority::Name { host, port } => format!("{host}:{port}"),
    };
    assert_eq!(written.parse::<Authority>().ok(), Some(authority), "{text:?} became {written:?}");
}
