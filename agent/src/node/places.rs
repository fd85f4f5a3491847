//! Where the pods of the node are. What the CNI plugin said is kept over a restart in a small file per pod, with the
//! namespace's inode: a path that leads elsewhere by then is forgotten.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use weir_discovery::NodePod;

/// Where a pod is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// Path of its network namespace, as this process reaches it.
    pub(crate) netns: PathBuf,
    /// The namespace's inode when it was told.
    pub(crate) inode: u64,
    /// Its sandbox, if the runtime told; a place that was found has none.
    pub(crate) container: String,
    /// Addresses as the runtime knows them.
    pub(crate) addresses: Vec<IpAddr>,
    /// The pod's namespace and name.
    pub(crate) pod: (String, String),
}

/// Places by the uid that the node knows.
pub(crate) struct Places {
    dir: PathBuf,
    known: Mutex<HashMap<String, Place>>,
    /// Pods whose sandbox was taken away, and that have no other yet.
    ended: Mutex<HashSet<String>>,
    changed: watch::Sender<u64>,
}

impl Places {
    /// Those that an earlier agent was told of and that are there still.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let mut known = HashMap::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            match read(&path) {
                Some((uid, place)) => drop(known.insert(uid, place)),
                None => drop(fs::remove_file(&path)),
            }
        }
        Ok(Self {
            dir: dir.to_owned(),
            known: Mutex::new(known),
            ended: Mutex::default(),
            changed: watch::Sender::default(),
        })
    }

    /// Says when a place came or went.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Where a pod is, if that is still so.
    pub(crate) fn of(&self, pod: &NodePod) -> Option<Place> {
        let known = self.lock();
        let by_uid = known.get(&*pod.node_uid);
        // Runtimes that do not say the uid.
        let by_name = || known.get(&nameless(&pod.namespace, &pod.name));
        by_uid.or_else(by_name).filter(|place| inode(&place.netns) == Some(place.inode)).cloned()
    }

    /// Whether the runtime took the pod's sandbox away: it need not be looked for.
    pub(crate) fn has_ended(&self, pod: &NodePod) -> bool {
        let ended = self.ended();
        ended.contains(&*pod.node_uid) || ended.contains(&nameless(&pod.namespace, &pod.name))
    }

    /// Forgets what is no pod of the node any more.
    pub(crate) fn forget(&self, pods: &[Arc<NodePod>]) {
        self.ended().retain(|key| {
            pods.iter().any(|pod| *key == *pod.node_uid || *key == nameless(&pod.namespace, &pod.name))
        });
    }

    /// A runtime says where a pod is. An error: there is no namespace.
    pub(crate) fn told(&self, asked: &weir_cni::message::Pod) -> io::Result<Place> {
        let netns = reachable(Path::new(&asked.netns));
        let inode = inode(&netns).ok_or_else(|| {
            let why = format!(
                "the network namespace {} is not there for the agent; is /run/netns mounted?",
                asked.netns
            );
            io::Error::new(io::ErrorKind::NotFound, why)
        })?;
        let place = Place {
            netns,
            inode,
            container: asked.container.clone(),
            addresses: asked.addresses.clone(),
            pod: (asked.namespace.clone(), asked.name.clone()),
        };
        let key = key(asked);
        self.keep(&key, &place)?;
        self.ended().remove(&key);
        self.lock().insert(key, place.clone());
        self.say();
        Ok(place)
    }

    /// A pod was found by its processes.
    pub(crate) fn found(&self, uid: &str, place: Place) {
        self.lock().insert(uid.to_owned(), place);
    }

    /// A sandbox is gone. A pod that has another one by now stays where it is.
    pub(crate) fn gone(&self, asked: &weir_cni::message::Pod) {
        let key = key(asked);
        let mut known = self.lock();
        let is_it = |place: &Place| place.container.is_empty() || place.container == asked.container;
        if known.get(&key).is_some_and(is_it) {
            known.remove(&key);
            drop(known);
            self.ended().insert(key.clone());
            let _ = fs::remove_file(self.file(&key));
            self.say();
        }
    }

    fn keep(&self, key: &str, place: &Place) -> io::Result<()> {
        let file = self.file(key);
        let new = file.with_extension("new");
        fs::write(&new, serde_json::to_vec(place)?)?;
        fs::rename(new, file)
    }

    fn file(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}.json"))
    }

    fn say(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn ended(&self) -> MutexGuard<'_, HashSet<String>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Place>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(asked: &weir_cni::message::Pod) -> String {
    match asked.uid.is_empty() {
        true => nameless(&asked.namespace, &asked.name),
        false => asked.uid.clone(),
    }
}

/// Neither is a uid, nor has a slash.
fn nameless(namespace: &str, name: &str) -> String {
    format!("{namespace}~{name}")
}

fn read(path: &Path) -> Option<(String, Place)> {
    let uid = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
    let place: Place = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (inode(&place.netns) == Some(place.inode)).then_some((uid, place))
}

pub(super) fn inode(netns: &Path) -> Option<u64> {
    fs::metadata(netns).ok().map(|metadata| metadata.ino())
}

/// A path of the node as this process reaches it: runtimes say `/var/run`, which is a link on the node and need not be one
/// in our image; and what is mounted nowhere here is there in the root of the node's first process.
fn reachable(path: &Path) -> PathBuf {
    let in_run = path.strip_prefix("/var/run").map(|rest| Path::new("/run").join(rest)).ok();
    let of_the_node = Path::new("/proc/1/root").join(path.strip_prefix("/").unwrap_or(path));
    let all = [Some(path.to_owned()), in_run, Some(of_the_node)].into_iter().flatten();
    all.into_iter().find(|path| path.exists()).unwrap_or_else(|| path.to_owned())
}

/// Whether a text may be the name of a file of ours: uids and names of Kubernetes are.
pub(super) fn is_plain(text: &str) -> bool {
    text.len() <= 253
        && !text.starts_with('.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(netns: &Path, container: &str) -> weir_cni::message::Pod {
        weir_cni::message::Pod {
            namespace: "shop".into(),
            name: "web".into(),
            uid: "u1".into(),
            container: container.into(),
            netns: netns.to_string_lossy().into_owned(),
            addresses: vec!["10.0.0.1".parse().unwrap()],
        }
    }

    #[test]
    fn what_was_told_is_known_after_a_restart_while_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let (netns, places) = (dir.path().join("netns"), dir.path().join("places"));
        fs::write(&netns, "").unwrap();
        let told = Places::open(&places).unwrap().told(&asked(&netns, "c1")).unwrap();
        assert_eq!(Places::open(&places).unwrap().lock().get("u1"), Some(&told));
        // Something else at the same path is another namespace.
        fs::write(dir.path().join("other"), "").unwrap();
        fs::rename(dir.path().join("other"), &netns).unwrap();
        assert!(Places::open(&places).unwrap().lock().is_empty());
        assert_eq!(fs::read_dir(&places).unwrap().count(), 0, "and forgotten");
        assert!(Places::open(&places).unwrap().told(&asked(Path::new("/none"), "c1")).is_err());
    }

    #[test]
    fn the_end_of_an_old_sandbox_is_not_the_end_of_the_pod() {
        let dir = tempfile::tempdir().unwrap();
        let netns = dir.path().join("netns");
        fs::write(&netns, "").unwrap();
        let places = Places::open(&dir.path().join("places")).unwrap();
        places.told(&asked(&netns, "c2")).unwrap();
        places.gone(&asked(Path::new(""), "c1"));
        assert!(places.lock().contains_key("u1"));
        places.gone(&asked(Path::new(""), "c2"));
        assert!(places.lock().is_empty());
    }

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for (text, is) in [("a-b_c.d", true), ("../x", false), (".x", false), ("a/b", false), ("a\0b", false)]
        {
            assert_eq!(is_plain(text), is, "{text}");
        }
    }
}
