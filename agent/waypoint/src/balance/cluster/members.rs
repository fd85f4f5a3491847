//! Endpoints that come, stay and go.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use weir_proto::l7;

use super::{Cluster, Settings};
use crate::{
    balance::{endpoint::Endpoint, picture::Picture},
    route::{Rejection, Within as _},
};

impl Cluster {
    /// The endpoints of the backend; those that are not of this port and subset are passed over. Of those that stay,
    /// everything that is known stays. What is no endpoint is left out and told.
    pub fn update<'e>(
        &self,
        endpoints: impl IntoIterator<Item = &'e l7::Endpoint>,
        now: Instant,
    ) -> Vec<Rejection> {
        let pictures = self.lock();
        let picture = self.picture.load_full();
        let (new, rejections) = compile(&picture.settings, endpoints, now);
        let members = keeping(&picture, new);
        let same = |(old, new): (&Arc<Endpoint>, &Arc<Endpoint>)| Arc::ptr_eq(old, new);
        if picture.members.len() != members.len() || !picture.members.iter().zip(&members).all(same) {
            self.paint(pictures, Arc::clone(&picture.settings), members);
        }
        rejections
    }
}

fn compile<'e>(
    settings: &Settings,
    forms: impl IntoIterator<Item = &'e l7::Endpoint>,
    now: Instant,
) -> (Vec<Endpoint>, Vec<Rejection>) {
    let (mut endpoints, mut rejections) = (Vec::new(), Vec::new());
    for (n, form) in forms.into_iter().enumerate() {
        let compiled = settings.compile_endpoint(form, now).within(&format!("[{n}]")).within("endpoints");
        match compiled {
            Ok(endpoint) => endpoints.extend(endpoint),
            Err(rejection) => rejections.push(rejection),
        }
    }
    (endpoints, rejections)
}

/// The same endpoints as before where nothing has changed, and what was known where something has.
fn keeping(picture: &Picture, new: Vec<Endpoint>) -> Vec<Arc<Endpoint>> {
    let old: HashMap<_, _> = picture.members.iter().map(|member| (member.key(), member)).collect();
    let mut seen = HashSet::new();
    // Twice the same is once the same.
    let new = new.into_iter().filter(|endpoint| seen.insert(endpoint.key().to_owned()));
    let keep = |new: Endpoint| match old.get(new.key()) {
        Some(old) if old.is_same(&new) => Arc::clone(old),
        Some(old) => Arc::new(new.succeeding(old)),
        None => Arc::new(new),
    };
    new.map(keep).collect()
}
