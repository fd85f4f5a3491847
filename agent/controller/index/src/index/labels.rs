//! Waypoints are told the labels of those who call, as far as rules ask for them. Node proxies are not.

use weir_proto::l7;
use weir_resources::Labels;

use super::Index;
use crate::layer7::{Layer7, unread};
use crate::publish;
use crate::store::Item;

impl Index {
    /// Of a pod.
    pub(super) fn tell_labels_of_pod(&mut self, id: u32) {
        let Some(pod) = self.world.pods.at(id) else { return };
        let (uid, labels) = (publish::pod_uid(&self.world, pod), pod.labels().clone());
        self.tell_labels(&uid, &labels);
    }

    /// Of a workload entry.
    pub(super) fn tell_labels_of_entry(&mut self, id: u32) {
        let Some(entry) = self.world.entries.at(id) else { return };
        let meta = entry.meta();
        let uid = publish::entry_uid(&self.world, &meta.namespace, &meta.name);
        let labels = entry.labels().clone();
        self.tell_labels(&uid, &labels);
    }

    /// Of all, if rules ask for others than before.
    pub(super) fn tell_all_labels(&mut self) {
        if !self.l7.take_labels_changed() {
            return;
        }
        let (pods, entries): (Vec<_>, Vec<_>) =
            (self.world.pods.ids().collect(), self.world.entries.ids().collect());
        pods.into_iter().for_each(|id| self.tell_labels_of_pod(id));
        entries.into_iter().for_each(|id| self.tell_labels_of_entry(id));
    }

    /// A workload is gone.
    pub(super) fn forget_labels(&mut self, uid: &str) {
        self.output.layer7::<l7::Labels>(Layer7::Labels, unread(uid), None);
    }

    fn tell_labels(&mut self, uid: &str, labels: &Labels) {
        let asked = self.l7.labels();
        let labels =
            asked.filter_map(|name| Some((name.to_string(), labels.get(name)?.to_owned()))).collect();
        let form = l7::Labels { labels };
        let form = Some(&form).filter(|form| !form.labels.is_empty());
        self.output.layer7(Layer7::Labels, unread(uid), form);
    }
}
