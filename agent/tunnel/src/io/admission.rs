//! Who is let in to a pod, and who may stay.
//!
//! A connection is asked for when it comes, and again when the mesh changed while its application was being dialled. It
//! is then entered in the worker's list, and asked for again whenever policy or its destination changes (`again`). What
//! is let in no more is aborted: its task ends, the peer gets RST_STREAM, the application RST.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use slab::Slab;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use weir_model::{Connection, Directory, Identity, Verdict, Workload, admit, rehearse};

use super::context::Context;
use super::tasks::Running;
use crate::TunnelError;

mod again;

pub(crate) use again::watch;

/// What decides whether a connection is let in.
pub(crate) struct Visitor {
    pub(crate) from: From,
    /// Address of the TCP peer, as the application will see it.
    pub(crate) source_ip: IpAddr,
    /// The application.
    pub(crate) destination: SocketAddr,
}

/// Who says so.
pub(crate) enum From {
    /// Nobody: plaintext.
    Plaintext,
    /// The certificate of a tunnel.
    Tunnel(Identity),
    /// The directory, of a pod of this node: its uid, and the identity that it had.
    SameNode(Arc<str>, Identity),
}

impl Visitor {
    /// Whether it is let in to `workload`.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn ask(&self, directory: &Directory, workload: &Workload) -> Result<(), TunnelError> {
        self.check_source(directory, workload)?;
        match admit(directory, workload, &self.connection()) {
            Verdict::Allow => Ok(()),
            Verdict::Deny(denial) => Err(denial.into()),
        }
    }

    /// A peer speaks from its own address. If the directory knows the address, it must be that workload's certificate
    /// that came with it: the application will see the address and may trust it.
    fn check_source(&self, directory: &Directory, workload: &Workload) -> Result<(), TunnelError> {
        let (owner, proved) = match &self.from {
            From::Plaintext => return Ok(()),
            From::Tunnel(proved) => (directory.workload_by_ip(&workload.network, self.source_ip), proved),
            From::SameNode(uid, had) => (directory.workload(uid), had),
        };
        let Some(owner) = owner.filter(|owner| owner.identity() != *proved) else {
            return Ok(());
        };
        let (proved, expected) = (Box::new(proved.clone()), Box::new(owner.identity()));
        Err(TunnelError::SourceMismatch { ip: self.source_ip, proved, owner: owner.uid.clone(), expected })
    }

    /// Says what a dry run would have changed.
    fn rehearse(&self, directory: &Directory, workload: &Workload) {
        let connection = self.connection();
        if let Some(Verdict::Deny(denial)) = rehearse(directory.policies_for(workload), &connection) {
            tracing::event!(
                target: "access",
                tracing::Level::INFO,
                src.addr = %self.source_ip,
                src.identity = connection.peer.map(tracing::field::display),
                dst.addr = %self.destination,
                dst.workload = &*workload.name,
                dst.namespace = &*workload.namespace,
                policy = denial.policy().map(|key| &**key),
                "dry run: this connection, which is let in, would be denied: {denial}"
            );
        }
    }

    fn connection(&self) -> Connection<'_> {
        let peer = match &self.from {
            From::Plaintext => None,
            From::Tunnel(identity) | From::SameNode(_, identity) => Some(identity),
        };
        Connection { peer, source_ip: self.source_ip, destination: self.destination }
    }
}

/// The connections of one worker that were let in, by the uid of their destination.
#[derive(Default)]
pub(crate) struct Admissions(RefCell<HashMap<Arc<str>, Rc<Group>>>);

/// Those to one pod.
pub(crate) struct Group {
    /// Policies and destination of which all of them have been asked.
    asked: RefCell<(u64, Arc<Workload>)>,
    /// Since when the destination lists a policy that is not known.
    missing: Cell<Option<Instant>>,
    entries: RefCell<Slab<Entry>>,
}

struct Entry {
    visitor: Visitor,
    task: AbortHandle,
    /// Why it was ended.
    ended: Cell<Option<Box<TunnelError>>>,
}

impl Admissions {
    /// Enters a connection to the pod `uid` that was let in by `directory`; the connection holds what is returned.
    /// Between the last question and the entry nothing may be awaited, or a change could pass unseen.
    ///
    /// # Errors
    /// The mesh is another by now, and does not let it in.
    pub(crate) fn enter(
        &self,
        context: &Context,
        running: &Running,
        asked: &Arc<Directory>,
        uid: &Arc<str>,
        visitor: Visitor,
    ) -> Result<Admitted, TunnelError> {
        let directory = context.directory();
        let workload = directory.workload(uid).ok_or_else(|| TunnelError::UnknownPod(uid.clone()))?;
        if !Arc::ptr_eq(&directory, asked) {
            visitor.ask(&directory, workload)?;
        }
        visitor.rehearse(&directory, workload);
        let task = running.handle().ok_or(TunnelError::GivenUp)?;
        let new = || {
            let asked = RefCell::new((directory.policy_revision(), workload.clone()));
            Rc::new(Group { asked, missing: Cell::default(), entries: RefCell::default() })
        };
        let group = self.0.borrow_mut().entry(uid.clone()).or_insert_with(new).clone();
        let key = group.entries.borrow_mut().insert(Entry { visitor, task, ended: Cell::default() });
        Ok(Admitted { group, key })
    }
}

/// A connection's place in the list.
pub(crate) struct Admitted {
    group: Rc<Group>,
    key: usize,
}

impl Admitted {
    /// Why the connection was ended, if it was because it may not stay.
    pub(crate) fn ended(&self) -> Option<Box<TunnelError>> {
        self.group.entries.borrow().get(self.key).and_then(|entry| entry.ended.take())
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.group.entries.borrow_mut().try_remove(self.key);
    }
}
