//! What a control plane sends on the discovery stream, whole: two responses and a reconnect between them. Whatever it is, it
//! is answered, what was refused is named, and the client can say what it holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use weir_discovery::xds::Client;
use weir_proto::core::Node;
use weir_proto::discovery::DeltaDiscoveryResponse;

fuzz_target!(|bytes: &[u8]| {
    let mut client = Client::new(Node::default());
    let (first, second) = bytes.split_at(bytes.len() / 2);
    for part in [bytes, first, second] {
        let Ok(response) = DeltaDiscoveryResponse::decode(part) else { continue };
        let (url, nonce) = (response.type_url.clone(), response.nonce.clone());
        let outcome = client.receive(response);
        assert_eq!((&outcome.answer.type_url, &outcome.answer.response_nonce), (&url, &nonce));
        assert_eq!(outcome.answer.error_detail.is_some(), !outcome.refused.is_empty());
        let known = client.directory();
        for workload in known.workloads() {
            assert!(known.workload(&workload.uid).is_some());
        }
        // All that is in force is told, or a control plane could never take it back.
        let told: Vec<_> = client.open().into_iter().map(|request| request.initial_resource_versions).collect();
        let known = client.directory();
        assert!(known.workloads().all(|workload| told[0].contains_key(&*workload.uid)));
        assert!(known.services().all(|service| told[0].contains_key(&service.key.to_string())));
        assert!(known.policies().all(|policy| told[1].contains_key(&*policy.key)));
    }
});
