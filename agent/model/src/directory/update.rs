//! How a directory changes. Each update touches the indexes of one workload or one service and nothing else.

use std::hash::Hash;
use std::sync::Arc;

use imbl::HashMap;

use super::by_uid::ByUid;
use super::{Directory, Members};
use crate::{NetworkMode, Service, ServiceKey, Workload};

impl Directory {
    /// Puts a workload in, in place of the one with the same uid. Says whether anything changed.
    pub fn upsert_workload(&mut self, workload: Workload) -> bool {
        if self.workloads.get(&*workload.uid).is_some_and(|old| *old.0 == workload) {
            return false;
        }
        self.remove_workload(&workload.uid.clone());
        let workload = Arc::new(workload);
        if workload.network_mode == NetworkMode::Standard {
            for ip in &workload.addresses {
                self.by_ip.insert(&workload.network, *ip, &workload);
            }
        }
        for key in workload.services.keys() {
            join(&mut self.endpoints, key, &workload);
        }
        join(&mut self.by_node, &workload.node, &workload);
        self.workloads.insert(ByUid(workload));
        true
    }

    /// Takes a workload out. Says whether it was there.
    pub fn remove_workload(&mut self, uid: &str) -> bool {
        let Some(ByUid(workload)) = self.workloads.remove(uid) else {
            return false;
        };
        if workload.network_mode == NetworkMode::Standard {
            for ip in &workload.addresses {
                self.by_ip.remove(&workload.network, ip, &workload);
            }
        }
        for key in workload.services.keys() {
            leave(&mut self.endpoints, key, uid);
        }
        leave(&mut self.by_node, &workload.node, uid);
        true
    }

    /// Puts a service in, in place of the one with the same key. Its endpoints stay. Says whether anything changed.
    pub fn upsert_service(&mut self, service: Service) -> bool {
        if self.services.get(&service.key).is_some_and(|old| **old == service) {
            return false;
        }
        self.remove_service(&service.key.clone());
        let service = Arc::new(service);
        for (network, ip) in &service.vips {
            self.by_vip.insert(network, *ip, &service);
        }
        for (network, range) in &service.cidr_vips {
            self.by_range.insert(network, *range, &service);
        }
        self.services.insert(service.key.clone(), service);
        true
    }

    /// Takes a service out; workloads that say they serve it keep saying so. Says whether it was there.
    pub fn remove_service(&mut self, key: &ServiceKey) -> bool {
        let Some(service) = self.services.remove(key) else {
            return false;
        };
        for (network, ip) in &service.vips {
            self.by_vip.remove(network, ip, &service);
        }
        for (network, range) in &service.cidr_vips {
            self.by_range.remove(network, *range, &service);
        }
        true
    }
}

fn join<K: Hash + Eq + Clone>(groups: &mut HashMap<K, Members>, group: &K, workload: &Arc<Workload>) {
    groups.entry(group.clone()).or_default().insert(ByUid(workload.clone()));
}

fn leave<K: Hash + Eq + Clone>(groups: &mut HashMap<K, Members>, group: &K, uid: &str) {
    let Some(members) = groups.get_mut(group) else {
        return;
    };
    members.remove(uid);
    if members.is_empty() {
        groups.remove(group);
    }
}
