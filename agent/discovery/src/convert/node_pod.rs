//! `weir.node.Pod` to [`NodePod`].

use weir_proto::node as proto;

use super::common::{each, ip, known};
use super::rejection::{Fault, Reason, Rejection, within};
use crate::{Captured, NodePod, Wish};

/// Converts a pod of the node.
///
/// # Errors
/// A missing name or uid, a bad address or port, a wish that is not known, and as [`workload()`](super::workload()).
pub fn node_pod(message: proto::Pod) -> Result<NodePod, Rejection> {
    let resource = format!("{}/{}", message.namespace, message.name);
    build(message).map_err(|(field, reason)| Rejection { resource, field, reason })
}

fn build(message: proto::Pod) -> Result<NodePod, Fault> {
    for (field, value) in [("namespace", &message.namespace), ("name", &message.name), ("uid", &message.uid)]
    {
        if value.is_empty() {
            return Err((field.to_owned(), Reason::Missing));
        }
    }
    let wish = match known("wish", "Wish", message.wish)? {
        proto::Wish::Leave => Wish::Leave,
        proto::Wish::Enrol => Wish::Enrol,
        proto::Wish::Refuse => Wish::Refuse { reason: message.reason, message: message.message },
    };
    let port = |port: &u32| u16::try_from(*port).map_err(|_| (String::new(), Reason::Port { port: *port }));
    let workload = message.workload.map(super::workload::build).transpose().map_err(within("workload"))?;
    let node_uid = if message.node_uid.is_empty() { message.uid.clone() } else { message.node_uid };
    Ok(NodePod {
        namespace: message.namespace.into(),
        name: message.name.into(),
        uid: message.uid.into(),
        node_uid: node_uid.into(),
        service_account: message.service_account.into(),
        addresses: each(&message.addresses, "addresses", |bytes| ip(bytes))?,
        wish,
        probe_ports: each(&message.probe_ports, "probe_ports", port)?,
        workload,
        announced: message.announced,
        captured: message.captured.map(|said| Captured {
            is: said.is,
            reason: said.reason,
            message: said.message,
        }),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn pod() -> proto::Pod {
        proto::Pod {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u1".into(),
            addresses: vec![vec![10, 0, 0, 1]],
            wish: proto::Wish::Enrol.into(),
            probe_ports: vec![80],
            ..proto::Pod::default()
        }
    }

    #[test]
    fn a_pod_of_the_node() {
        let converted = node_pod(pod()).unwrap();
        assert_eq!((&*converted.uid, &*converted.node_uid, converted.wish), ("u1", "u1", Wish::Enrol));
        assert_eq!((converted.probe_ports, converted.addresses.len()), (vec![80], 1));
        let told = proto::Pod { node_uid: "file".into(), wish: 2, reason: "R".into(), ..pod() };
        let converted = node_pod(told).unwrap();
        assert_eq!(&*converted.node_uid, "file");
        assert_eq!(converted.wish, Wish::Refuse { reason: "R".into(), message: String::new() });
    }

    #[rstest]
    #[case::no_name(|pod: &mut proto::Pod| pod.name.clear(), "name")]
    #[case::no_uid(|pod: &mut proto::Pod| pod.uid.clear(), "uid")]
    #[case::no_address(|pod: &mut proto::Pod| pod.addresses.push(vec![1]), "addresses[1]")]
    #[case::no_port(|pod: &mut proto::Pod| pod.probe_ports.push(70_000), "probe_ports[1]")]
    #[case::a_wish_of_tomorrow(|pod: &mut proto::Pod| pod.wish = 9, "wish")]
    #[case::no_workload(|pod: &mut proto::Pod| pod.workload = Some(Default::default()), "workload.uid")]
    fn what_is_none(#[case] change: fn(&mut proto::Pod), #[case] field: &str) {
        let mut message = pod();
        change(&mut message);
        assert_eq!(node_pod(message).unwrap_err().field, field);
    }
}
