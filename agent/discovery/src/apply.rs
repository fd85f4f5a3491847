//! From what a file says to what is in force: the difference, and nothing but the difference.

use std::collections::HashSet;

use weir_model::{Directory, ServiceKey};

use crate::File;

/// How much an update changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changes {
    /// Workloads added or replaced.
    pub workloads: usize,
    /// Workloads removed.
    pub workloads_removed: usize,
    /// Services added or replaced.
    pub services: usize,
    /// Services removed.
    pub services_removed: usize,
    /// Policies added or replaced.
    pub policies: usize,
    /// Policies removed.
    pub policies_removed: usize,
    /// Pods of the node added, replaced or removed.
    pub node_pods: usize,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Makes `directory` what `file` says. Resources that are the same are not touched, so that they stay the same
/// allocations for whoever holds them.
pub(crate) fn apply(directory: &mut Directory, file: &File) -> Changes {
    let uids: HashSet<&str> = file.workloads.iter().map(|e| &*e.workload.uid).collect();
    let keys: HashSet<&ServiceKey> = file.services.iter().map(|s| &s.key).collect();
    let gone_workloads: Vec<_> =
        directory.workloads().filter(|w| !uids.contains(&*w.uid)).map(|w| w.uid.clone()).collect();
    let gone_services: Vec<_> =
        directory.services().filter(|s| !keys.contains(&s.key)).map(|s| s.key.clone()).collect();

    let mut changes = Changes {
        workloads_removed: gone_workloads.len(),
        services_removed: gone_services.len(),
        ..Changes::default()
    };
    for uid in gone_workloads {
        directory.remove_workload(&uid);
    }
    for key in gone_services {
        directory.remove_service(&key);
    }
    for entry in &file.workloads {
        changes.workloads += usize::from(directory.upsert_workload(entry.workload.clone()));
    }
    for service in &file.services {
        changes.services += usize::from(directory.upsert_service(service.clone()));
    }
    changes
}
