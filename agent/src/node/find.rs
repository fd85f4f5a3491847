//! Pods by their processes: at the start of an agent, and where nobody told where a pod is.
//!
//! A pod's uid is in the path of its cgroup, whichever driver made it. Its oldest process is the one that holds the
//! namespaces (`pause`); that what is found is the pod's namespace is checked by its addresses when it is taken in.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Place;
use super::places::inode;

/// The places of these pods, by uid. Only those that have a process in a network namespace other than the node's own.
pub(super) fn find(uids: &[Arc<str>]) -> HashMap<String, Place> {
    let wanted: HashSet<&str> = uids.iter().map(|uid| &**uid).collect();
    let node = inode(Path::new("/proc/1/ns/net"));
    let own = inode(Path::new("/proc/self/ns/net"));
    let mut oldest: HashMap<String, (u64, Place)> = HashMap::new();
    for process in processes() {
        let Some(uid) = fs::read_to_string(process.join("cgroup")).ok().as_deref().and_then(pod_uid) else {
            continue;
        };
        if !wanted.contains(&*uid) {
            continue;
        }
        let netns = process.join("ns/net");
        let (Some(number), Some(since)) = (inode(&netns), started(&process)) else { continue };
        if Some(number) == node || Some(number) == own {
            continue;
        }
        if oldest.get(&uid).is_none_or(|(known, _)| since < *known) {
            oldest.insert(uid, (since, Place { netns, inode: number, ..Place::default() }));
        }
    }
    let named = named();
    let lasting = |place: Place| match named.get(&place.inode) {
        Some(netns) => Place { netns: netns.clone(), ..place },
        None => place,
    };
    oldest.into_iter().map(|(uid, (_, place))| (uid, lasting(place))).collect()
}

/// Namespaces that have a name on the node, by inode: a name stays when the process that was found has ended.
fn named() -> HashMap<u64, PathBuf> {
    let paths = fs::read_dir("/run/netns").into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter_map(|path| Some((inode(&path)?, path))).collect()
}

pub(super) fn processes() -> impl Iterator<Item = PathBuf> {
    let is_process = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
    };
    fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_process)
}

/// When a process started, in ticks since boot: field 22 of `/proc/<pid>/stat`, counted behind the name, which may have
/// anything in it.
pub(super) fn started(process: &Path) -> Option<u64> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// The pod's uid in `/proc/<pid>/cgroup`. With hybrid hierarchies it may be in one of the controllers' lines only.
pub(super) fn pod_uid(text: &str) -> Option<String> {
    text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find_map(uid_in_path)
}

fn uid_in_path(path: &str) -> Option<String> {
    let mut below = false;
    for part in path.split('/') {
        // systemd's names repeat those of their parents: kubelet-kubepods-burstable-pod<uid>.slice.
        let name = part.strip_suffix(".slice").unwrap_or(part);
        let is_slice = name.len() != part.len();
        below |= name.contains("kubepods");
        let uid = match is_slice {
            true => name.rsplit_once("-pod").map(|(_, uid)| uid),
            false => name.strip_prefix("pod"),
        };
        if let Some(uid) = uid.filter(|uid| below && !uid.is_empty()) {
            return Some(if is_slice { uid.replace('_', "-") } else { uid.to_owned() });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const UID: &str = "0f3ab1c2-1111-4222-8333-444455556666";

    #[rstest]
    #[case::cgroupfs("0::/kubepods/burstable/pod0f3ab1c2-1111-4222-8333-444455556666/4f6e\n")]
    #[case::cgroupfs_guaranteed("0::/kubepods/pod0f3ab1c2-1111-4222-8333-444455556666/4f6e\n")]
    #[case::systemd(
        "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0f3ab1c2_1111_4222_8333_444455556666.slice/cri-containerd-4f6e.scope\n"
    )]
    #[case::systemd_guaranteed(
        "0::/kubepods.slice/kubepods-pod0f3ab1c2_1111_4222_8333_444455556666.slice/crio-4f6e.scope\n"
    )]
    #[case::kind_systemd(
        "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod0f3ab1c2_1111_4222_8333_444455556666.slice/cri-containerd-4f6e.scope\n"
    )]
    #[case::kind_cgroupfs(
        "0::/docker/8c1f/kubelet/kubepods/besteffort/pod0f3ab1c2-1111-4222-8333-444455556666/4f6e\n"
    )]
    #[case::from_another_cgroup_namespace(
        "0::/../../pod-of-nobody/../kubepods/pod0f3ab1c2-1111-4222-8333-444455556666/4f6e\n"
    )]
    #[case::hybrid(
        "12:pids:/kubepods/pod0f3ab1c2-1111-4222-8333-444455556666/4f6e\n1:name=systemd:/x\n0::/\n"
    )]
    #[case::hybrid_with_a_v2_part("5:memory:/\n0::/kubepods/pod0f3ab1c2-1111-4222-8333-444455556666\n")]
    #[case::deleted("0::/kubepods/pod0f3ab1c2-1111-4222-8333-444455556666/4f6e (deleted)\n")]
    fn every_driver_names_the_pod(#[case] text: &str) {
        assert_eq!(pod_uid(text).as_deref(), Some(UID));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::the_node("0::/system.slice/kubelet.service\n")]
    #[case::all_pods("0::/kubepods.slice\n")]
    #[case::a_class_of_pods("0::/kubepods/burstable\n")]
    #[case::podman("0::/machine.slice/libpod-4f6e.scope\n")]
    #[case::a_program_named_so("0::/user.slice/pod0f3ab1c2\n")]
    #[case::empty("0::/kubepods/pod/x\n")]
    #[case::no_path("0:\n")]
    fn what_is_no_pod(#[case] text: &str) {
        assert_eq!(pod_uid(text), None);
    }

    /// The hash of a static pod's file.
    #[test]
    fn static_pods_have_uids_without_dashes() {
        let text = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod9d1b0c.slice/x.scope";
        assert_eq!(pod_uid(text).as_deref(), Some("9d1b0c"));
    }

    #[test]
    fn this_process_has_a_start_and_is_nobodys_pod() {
        assert!(started(Path::new("/proc/self")).is_some());
        assert!(find(&["none".into()]).is_empty());
    }
}
