//! The endpoints of a service, put where the messages have them: into the workloads.

use weir_proto::workload as proto;

use super::port::ports;
use crate::file::index::Index;
use crate::file::place::{Problems, clip};
use crate::file::schema::Service;

/// A workload says which services it serves: here the file's other direction is turned around.
pub(super) fn endpoints(
    service: &Service,
    message: &proto::Service,
    index: &Index,
    workloads: &mut [proto::Workload],
    at: &str,
    problems: &mut Problems,
) {
    let key = format!("{}/{}", message.namespace, message.hostname);
    for (n, entry) in service.endpoints.iter().enumerate() {
        let field = format!("{at}.endpoints[{n}]");
        let name = clip(&entry.value.workload);
        let Some(place) = index.find(&entry.value.workload, &message.namespace) else {
            let text = format!(
                "no workload '{name}'; expected a uid, a name in namespace {}, or namespace/name",
                clip(&message.namespace)
            );
            problems.at(entry.referenced, field, text);
            continue;
        };
        let own = ports(&entry.value.ports, &field, problems);
        for (n, port) in own.iter().enumerate() {
            let (known, place) =
                (&message.ports, entry.value.ports.get(n).map_or(entry.referenced, |p| p.referenced));
            if !known.iter().any(|p| p.service_port == port.service_port) {
                let text = format!("the service has no port {}", port.service_port);
                problems.at(place, format_args!("{field}.ports[{n}].servicePort"), text);
            }
        }
        let list = proto::PortList { ports: own };
        if workloads[place].services.insert(key.clone(), list).is_some() {
            problems.at(entry.referenced, field, format_args!("workload '{name}' is in the list twice"));
        }
    }
}
