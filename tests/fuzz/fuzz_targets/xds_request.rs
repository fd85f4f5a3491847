//! What a client of the control plane sends: requests, one after the other, each with its length in two bytes before it.
//! A stream is refused or answered; it comes to an end either way.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use weir_proto::core::Node;
use weir_proto::discovery::DeltaDiscoveryRequest;

fuzz_target!(|bytes: &[u8]| {
    let mut requests = Vec::new();
    let mut rest = bytes;
    while let [low, high, tail @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(tail.len());
        let (message, tail) = tail.split_at(length);
        rest = tail;
        let Ok(mut request) = DeltaDiscoveryRequest::decode(message) else { return };
        // Few inputs would guess who they must say they are.
        if requests.is_empty() && request.node.is_none() {
            request.node = Some(node());
        }
        requests.push(request);
    }
    weir_serve::fuzz::session(requests);
});

fn node() -> Node {
    let value = Value { kind: Some(Kind::StringValue("a".to_owned())) };
    Node {
        id: "ztunnel~10.0.0.1~z.weir-system~weir-system.svc.cluster.local".to_owned(),
        metadata: Some(Struct { fields: [("NODE_NAME".to_owned(), value)].into() }),
        ..Node::default()
    }
}
