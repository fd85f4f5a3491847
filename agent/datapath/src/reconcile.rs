//! The comparison of what the kernel has with what it should have. Enrolment is a state that is checked, not an event that happened once.

use std::collections::{BTreeSet, HashMap};

use crate::cgroup::{self, Process};
use crate::datapath::{Datapath, Node, lock};
use crate::error::Result;
use crate::pod::{Phase, Pod, pin_name};

/// What a look at all pods found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Report {
    /// Pods that are captured as they should be (after repair).
    pub protected: usize,
    /// Pods that are not, by uid, with the reason.
    pub unprotected: Vec<(String, String)>,
    /// What was missing and is there again.
    pub repaired: Vec<String>,
    /// Pods that were let go because their namespace is gone, by uid.
    pub gone: Vec<String>,
    /// Things to know about protected pods, by uid: a process that is not captured, IPv6 that cannot be.
    pub notes: Vec<(String, String)>,
}

impl Datapath {
    /// Looks at everything and repairs it. Call it every 30 s and when something happened; changes of addresses are handled without it.
    pub fn reconcile(&self) -> Report {
        let node = self.node();
        let mut report = Report { gone: node.release_gone(), ..Report::default() };
        let node_fault = node.repair_programs(&mut report);
        let namespaces = node.all_pods().iter().map(|pod| lock(pod).netns.inode().number).collect();
        let processes = cgroup::processes_of(&namespaces);
        for pod in node.all_pods() {
            let mut pod = lock(&pod);
            if pod.phase == Phase::Captured {
                node.look_at(&mut pod, node_fault.as_deref(), &processes, &mut report);
            }
        }
        report.repaired.extend(node.collect_pins());
        report
    }
}

impl Node {
    /// Lets deleted pods go; their uids. Not while a pod is being enrolled: it may be the same namespace by another path.
    pub(crate) fn release_gone(&self) -> Vec<String> {
        let _nobody_enrols = lock(&self.enrolling);
        let pods: Vec<_> =
            self.pods().iter().map(|(uid, pod)| (uid.clone(), std::sync::Arc::clone(pod))).collect();
        let gone = pods.into_iter().filter(|(_, pod)| lock(pod).is_gone()).map(|(uid, _)| uid);
        gone.inspect(|uid| self.release(uid)).collect()
    }

    /// Removes the pins of dead pods. Not while a pod is being enrolled: its pins look like that for a moment.
    fn collect_pins(&self) -> Vec<String> {
        let _nobody_enrols = lock(&self.enrolling);
        let ours: BTreeSet<String> =
            self.all_pods().iter().map(|pod| pin_name(lock(pod).netns.cookie())).collect();
        self.remove_pins(|pinned| pinned.netns_ino == 0 && !ours.contains(&pinned.name))
    }

    /// Repairs a pod and remembers what is wrong with it.
    pub(crate) fn refresh(&self, pod: &mut Pod) -> Result<Vec<String>> {
        let result = self.converge(pod);
        if let Err(error) = &result {
            pod.trouble = Some(error.to_string());
        }
        result
    }

    /// The programs of the node; the reason why no pod is protected, if they cannot be repaired.
    fn repair_programs(&self, report: &mut Report) -> Option<String> {
        if let Err(error) = self.exempt() {
            return Some(format!("the agent's own connections: {error}"));
        }
        match self.programs.repair() {
            Ok(faults) => report
                .repaired
                .extend(faults.into_iter().map(|fault| format!("node: {} ({})", fault.what, fault.why))),
            Err(error) => return Some(format!("the node's programs: {error}")),
        }
        let faults = self.programs.verify();
        let texts: Vec<String> =
            faults.iter().map(|fault| format!("{}: {}", fault.what, fault.why)).collect();
        (!texts.is_empty()).then(|| format!("the node's programs: {}", texts.join("; ")))
    }

    fn look_at(
        &self,
        pod: &mut Pod,
        node_fault: Option<&str>,
        processes: &HashMap<u64, Vec<Process>>,
        report: &mut Report,
    ) {
        let uid = pod.spec.uid.clone();
        match self.refresh(pod) {
            Ok(done) => report.repaired.extend(done.into_iter().map(|what| format!("pod {uid}: {what}"))),
            Err(error) => return report.unprotected.push((uid, error.to_string())),
        }
        let processes = processes.get(&pod.netns.inode().number).map_or(&[][..], Vec::as_slice);
        let placement = self.placement(processes);
        let lost = pod.lost_addresses();
        let reason =
            node_fault.map(str::to_owned).or_else(|| pod.trouble.clone()).or(lost).or(placement.outside);
        match reason {
            Some(reason) => report.unprotected.push((uid.clone(), reason)),
            None => report.protected += 1,
        }
        report
            .notes
            .extend(placement.strays.into_iter().chain(pod.half_ipv6()).map(|note| (uid.clone(), note)));
    }

    /// Whether the connect hook sees a pod's processes.
    fn placement(&self, processes: &[Process]) -> Placement {
        let Ok(pods) = self.hierarchy.cgroup_of(&self.config.pods_cgroup) else {
            return Placement::default();
        };
        place(&pods, processes)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Placement {
    /// All of the pod's processes are outside the pods' cgroup.
    outside: Option<String>,
    /// Some are: `nsenter` of an operator, a runtime's helper.
    strays: Vec<String>,
}

fn place(pods: &std::path::Path, processes: &[Process]) -> Placement {
    let (inside, outside): (Vec<_>, Vec<_>) =
        processes.iter().partition(|process| process.cgroup.starts_with(pods));
    let describe = |process: &&Process| {
        format!(
            "process {} ({}) is in cgroup {}, outside of {}: what it connects to is not captured",
            process.pid,
            process.name,
            process.cgroup.display(),
            pods.display()
        )
    };
    if inside.is_empty() {
        return Placement { outside: outside.first().map(describe), strays: Vec::new() };
    }
    Placement { outside: None, strays: outside.iter().map(describe).collect() }
}

impl Pod {
    fn lost_addresses(&self) -> Option<String> {
        let own = self.snapshot.own();
        let none = !self.spec.addresses.iter().any(|ip| own.contains(&ip.to_canonical()));
        none.then(|| {
            format!("its network namespace holds none of its addresses {:?} any more", self.spec.addresses)
        })
    }

    fn half_ipv6(&self) -> Option<String> {
        let has_v6 = self
            .snapshot
            .own()
            .iter()
            .any(|ip| matches!(ip, std::net::IpAddr::V6(v6) if !v6.is_unicast_link_local()));
        (has_v6 && !self.loopback_v6)
            .then(|| "IPv6 is disabled on the pod's lo: its IPv6 traffic is refused, IPv4 works".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, cgroup: &str) -> Process {
        Process { pid, name: "app".into(), cgroup: cgroup.into() }
    }

    #[test]
    fn a_pod_outside_the_pods_cgroup_is_told_from_a_visitor() {
        let pods = std::path::Path::new("/kubepods");
        let (app, visitor) = (process(1, "/kubepods/pod1"), process(2, "/system.slice/sshd"));
        assert_eq!(place(pods, &[]), Placement::default());
        assert_eq!(place(pods, std::slice::from_ref(&app)), Placement::default());
        let mixed = place(pods, &[app, visitor.clone()]);
        assert!(mixed.outside.is_none() && mixed.strays.len() == 1, "{mixed:?}");
        let outside = place(pods, &[visitor]).outside.unwrap();
        assert!(outside.contains("process 2") && outside.contains("/system.slice/sshd"), "{outside}");
    }
}
