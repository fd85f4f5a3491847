//! The walls as data. Reading down never meets an edge up; a change here is a change of architecture.

/// Which of our crates a crate may know; `None` if the table does not have the crate.
pub(super) fn allowed(name: &str) -> Option<&'static [&'static str]> {
    EDGES.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, allowed)| *allowed)
}

/// (crate, what it may know).
pub(super) const EDGES: &[(&str, &[&str])] = &[
    // Leaves: know nothing of ours.
    ("weir-model", &[]),
    ("weir-proto", &[]),
    ("weir-ebpf-common", &[]),
    // Kernel space.
    ("weir-ebpf-programs", &["weir-ebpf-common"]),
    // Parts. None knows its neighbour: the agent joins them.
    ("weir-identity", &["weir-model", "weir-proto"]),
    ("weir-datapath", &["weir-model", "weir-ebpf-common"]),
    ("weir-discovery", &["weir-model", "weir-proto"]),
    ("weir-tunnel", &["weir-model", "weir-identity"]),
    // Also a root: its binary, and `run` of its library, join its own parts with the others. Its other modules know
    // weir-proto alone.
    (
        "weir-waypoint",
        &[
            "weir-model",
            "weir-identity",
            "weir-tunnel",
            "weir-proto",
            "weir-discovery",
            "weir-process",
            "weir-control",
        ],
    ),
    // A process per pod start: nothing of ours is light enough. The agent takes its messages from it.
    ("weir-cni", &[]),
    // What is around the work of a process: settings, logs, signals, endpoints.
    ("weir-process", &[]),
    // What processes of the data plane have in common towards a control plane; roots use it.
    ("weir-control", &["weir-discovery", "weir-identity", "weir-model", "weir-process"]),
    // The controller's parts: what is read, what is made of it, where it is read from, how it is served.
    ("weir-resources", &[]),
    // Its tests read what it publishes as an agent does, and judge by policies as a waypoint does.
    (
        "weir-index",
        &["weir-resources", "weir-routing", "weir-proto", "weir-discovery", "weir-model", "weir-waypoint"],
    ),
    // Its tests compile what it makes as a waypoint does.
    ("weir-routing", &["weir-resources", "weir-proto", "weir-waypoint"]),
    ("weir-render", &["weir-resources"]),
    // The harness is the API server of its tests.
    ("weir-sources", &["weir-resources", "weir-render", "weir-harness"]),
    ("weir-serve", &["weir-index", "weir-proto", "weir-identity", "weir-model", "weir-process"]),
    // Roots.
    (
        "weir-controller",
        &[
            "weir-resources",
            "weir-index",
            "weir-render",
            "weir-sources",
            "weir-serve",
            "weir-identity",
            "weir-model",
            "weir-process",
            "weir-proto",
        ],
    ),
    (
        "weir-agent",
        &[
            "weir-model",
            "weir-identity",
            "weir-discovery",
            "weir-datapath",
            "weir-tunnel",
            "weir-process",
            "weir-control",
            "weir-cni",
        ],
    ),
    // Reads configuration and dumps with the words and the judgement of those who will: the controller's parts up to the index, an
    // agent's model and a waypoint's. Nothing of it meets a kernel.
    (
        "weir-cli",
        &[
            "weir-resources",
            "weir-routing",
            "weir-index",
            "weir-sources",
            "weir-discovery",
            "weir-model",
            "weir-proto",
            "weir-waypoint",
            "weir-harness",
        ],
    ),
    // Tests and tools. The harness runs the agent as a process, as users do; it links none of its crates, so
    // that xtask, which links the harness, can be built before the eBPF toolchain is there.
    ("weir-harness", &[]),
    ("weir-netns", &["weir-harness"]),
    ("weir-bookinfo", &[]),
    // Its crowd of agents has their client, and the harness' Kubernetes API for a mesh.
    ("weir-bench", &["weir-proto", "weir-discovery", "weir-harness"]),
    ("weir-cluster", &["weir-harness", "weir-resources", "weir-index", "weir-sources"]),
    ("xtask", &["weir-harness"]),
];

/// A crate of others that only some of ours may name.
pub(super) struct Guard {
    pub(super) name: &'static str,
    pub(super) users: &'static [&'static str],
    pub(super) reason: &'static str,
}

/// What is guarded, and from whom.
pub(super) const GUARDED: &[Guard] = &[
    Guard { name: "aya", users: &["weir-datapath", "weir-ebpf-common"], reason: KERNEL },
    Guard { name: "aya-obj", users: &["weir-datapath"], reason: KERNEL },
    Guard { name: "aya-log", users: &["weir-datapath"], reason: KERNEL },
    Guard {
        name: "aya-ebpf",
        users: &["weir-ebpf-programs"],
        reason: "its byte-loop memcpy must not reach a host binary",
    },
    Guard { name: "aya-log-ebpf", users: &["weir-ebpf-programs"], reason: "it is for kernel space" },
    Guard { name: "netlink-packet-route", users: &["weir-datapath"], reason: KERNEL },
    Guard {
        name: "kube",
        // The command writes any kind, and forwards ports; the suite of a live cluster runs programs in pods. A controller's client
        // does neither.
        users: &["weir-sources", "weir-cli", "weir-cluster"],
        reason: "one crate of the controller meets the Kubernetes API",
    },
    Guard {
        name: "k8s-openapi",
        // kube forwards ports of a Pod, and runs programs in it, and in nothing that is less than that.
        users: &["weir-sources", "weir-cli", "weir-cluster"],
        reason: "the kinds that we read have types of our own",
    },
    Guard {
        name: "h2",
        // The waypoint and the reader of the tests read its errors: hyper does not say by which code a stream was reset.
        users: &["weir-tunnel", "weir-waypoint", "weir-bookinfo"],
        reason: "HBONE is the tunnel's business",
    },
    Guard {
        name: "rcgen",
        // The tests of the others make themselves certificates of users and servers.
        users: &["weir-identity", "weir-serve", "weir-waypoint", "weir-resources", "weir-index"],
        reason: "certificates are the identity's business",
    },
];

const KERNEL: &str = "only the datapath meets the kernel";
