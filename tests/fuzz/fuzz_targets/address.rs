//! What a control plane sends: an `istio.workload.Address`. It is refused with a reason or it becomes a noun
//! whose promises hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use prost::Message;
use weir_discovery::convert::{Resource, address};
use weir_model::{Identity, TunnelProtocol};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = weir_proto::workload::Address::decode(bytes) else { return };
    match address(message) {
        Ok(Resource::Workload(workload)) => {
            assert!(workload.addresses.iter().all(|ip| ip.to_canonical() == *ip));
            if workload.tunnel_protocol == TunnelProtocol::Hbone {
                let identity = workload.identity();
                assert_eq!(identity.to_string().parse::<Identity>().as_ref(), Ok(&identity));
            }
        }
        Ok(Resource::Service(service)) => assert!(service.ports.iter().all(|port| port.service_port != 0)),
        Err(rejection) => assert!(!rejection.to_string().is_empty()),
    }
});
