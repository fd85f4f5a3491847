//! The codes. They are stable: a code is never used for something else. Where Istio's analysis has the same check, its code is the
//! same, so that suppressions in configurations go on to mean what they meant.

use super::Severity;
use Severity::{Error, Info, Warning};

/// A kind of finding.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Code {
    /// `IST0101`, or `WEIR0001` for what only Weir looks at.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means.
    pub about: &'static str,
}

const fn code(code: &'static str, name: &'static str, severity: Severity, about: &'static str) -> Code {
    Code { code, name, severity, about }
}

/// All of them.
pub const CODES: &[Code] = &[
    code("IST0101", "ReferencedResourceNotFound", Error, "something is named that is not there"),
    code("IST0106", "SchemaValidationError", Error, "an object cannot be read; the field is named"),
    code(
        "IST0109",
        "ConflictingMeshGatewayVirtualServiceHosts",
        Warning,
        "several VirtualServices are about one host in the mesh",
    ),
    code(
        "IST0118",
        "PortNameIsNotUnderNamingConvention",
        Info,
        "a port of a service says no protocol; waypoints find it out by the first bytes",
    ),
    code("IST0123", "NamespaceInjectionLabel", Warning, "sidecars are asked for, and Weir has none"),
    code("IST0127", "NoMatchingWorkloadsFound", Warning, "a selector selects no pod"),
    code(
        "IST0128",
        "NoServerCertificateVerification",
        Warning,
        "TLS to a destination whose certificate nobody checks",
    ),
    code("IST0130", "VirtualServiceUnreachableRule", Warning, "a rule behind one that takes everything"),
    code(
        "IST0134",
        "ServiceEntryAddressesRequired",
        Warning,
        "a TCP port without an address of its own takes all traffic of that port",
    ),
    code("IST0167", "IneffectivePolicy", Warning, "a kind that Weir does not read"),
    code("WEIR0001", "NotYaml", Error, "a document is not YAML"),
    code("WEIR0010", "NotAccepted", Error, "the controller refuses it, in whole"),
    code("WEIR0011", "PartlyHonoured", Warning, "the controller refuses parts of it"),
    code(
        "WEIR0012",
        "WaypointNotBound",
        Error,
        "a waypoint is asked for and cannot be used: traffic is refused",
    ),
    code("WEIR0013", "NotInForce", Warning, "accepted, and nothing enforces it"),
    code("WEIR0014", "Notice", Info, "accepted, with something to know"),
    code(
        "WEIR0020",
        "NetworkPolicyClosesTunnel",
        Error,
        "a NetworkPolicy lets a port in, and not 15008, by which traffic of the mesh comes",
    ),
    code("WEIR0021", "HostNetworkPod", Info, "a pod on the node's network cannot be in the mesh"),
    code("WEIR0022", "SidecarInMesh", Warning, "a pod has a sidecar: it is not captured"),
    code("WEIR0023", "UnknownMode", Warning, "a label of enrolment has a value that nobody knows"),
];
