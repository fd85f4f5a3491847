//! One endpoint of a cluster, and what is known of it.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use weir_proto::l7;

use super::{locality::Place, outlier::Record};
use crate::route::{Reason, Rejection, Within as _};

/// An endpoint on one port. Its form may change; what is known of it stays as long as it is in the cluster.
#[derive(Debug)]
pub struct Endpoint {
    form: Arc<l7::Endpoint>,
    address: Address,
    key: Arc<str>,
    pub(super) place: Place,
    pub(super) known: Arc<Known>,
}

/// Where an endpoint is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// Here.
    Socket(SocketAddr),
    /// Where this name leads, on this port.
    Name(Arc<str>, u16),
}

/// What is known of an endpoint, from the time when it came.
#[derive(Debug)]
pub(super) struct Known {
    /// Requests that are there now.
    pub(super) active: AtomicU32,
    pub(super) since: Instant,
    /// Changed with the cluster's writer locked; a copy of what the record says.
    pub(super) ejected: AtomicBool,
    record: Mutex<Record>,
}

impl Endpoint {
    /// Compiles the form for a port of the service; `None`: it does not serve that port.
    pub(super) fn compile(
        form: &l7::Endpoint,
        port: u16,
        now: Instant,
    ) -> Result<Option<Endpoint>, Rejection> {
        let Some(target) = form.ports.get(&u32::from(port)) else { return Ok(None) };
        let target = u16::try_from(*target).ok().filter(|target| *target != 0);
        let out_of_range = Reason::OutOfRange { value: 0, expected: "a port, 1 to 65535" };
        let target = target.ok_or(out_of_range).within("ports")?;
        let address = Address::compile(form, target)?;
        let key = format!("{}|{address}", form.uid).into();
        let place = Place::parse(&form.locality);
        Ok(Some(Endpoint { form: Arc::new(form.clone()), address, key, place, known: Known::new(now) }))
    }

    /// The address that a client dialled, of which nothing is known.
    pub(super) fn unknown(address: SocketAddr, now: Instant) -> Endpoint {
        Endpoint {
            form: Arc::default(),
            key: address.to_string().into(),
            address: Address::Socket(address),
            place: Place::default(),
            known: Known::new(now),
        }
    }

    /// What the controller says of it.
    pub fn form(&self) -> &l7::Endpoint {
        &self.form
    }

    /// Where it is reached.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Tells it from others of the cluster, also after updates.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its share, at least 1.
    pub fn weight(&self) -> u32 {
        self.form.weight.max(1)
    }

    /// Requests that are there now.
    pub fn active(&self) -> u32 {
        self.known.active.load(Ordering::Relaxed)
    }

    /// Whether outlier detection keeps it away.
    pub fn is_ejected(&self) -> bool {
        self.known.ejected.load(Ordering::Relaxed)
    }

    /// Whether it is said to be healthy and has not proven otherwise.
    pub(super) fn is_healthy(&self) -> bool {
        !self.form.unhealthy && !self.is_ejected()
    }

    /// Whether it is reached at this address.
    pub(super) fn has_address(&self, address: SocketAddr) -> bool {
        matches!(self.address, Address::Socket(own) if own.ip().to_canonical() == address.ip().to_canonical() && own.port() == address.port())
    }

    /// The same form: nothing has changed.
    pub(super) fn is_same(&self, other: &Endpoint) -> bool {
        self.form == other.form && self.address == other.address
    }

    /// With what is known of its predecessor.
    pub(super) fn succeeding(self, old: &Endpoint) -> Endpoint {
        Endpoint { known: Arc::clone(&old.known), ..self }
    }
}

impl Known {
    fn new(since: Instant) -> Arc<Known> {
        let ejected = AtomicBool::new(false);
        Arc::new(Known { active: AtomicU32::new(0), since, ejected, record: Mutex::default() })
    }

    pub(super) fn record(&self) -> MutexGuard<'_, Record> {
        // A record is whole after each of its changes.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Address {
    fn compile(form: &l7::Endpoint, port: u16) -> Result<Address, Rejection> {
        match form.addresses.first() {
            Some(bytes) => Ok(Address::Socket(SocketAddr::new(ip(bytes).within("addresses[0]")?, port))),
            None if form.hostname.is_empty() => Err(Reason::Missing).within("addresses"),
            None => Ok(Address::Name(form.hostname.as_str().into(), port)),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Socket(address) => write!(f, "{address}"),
            Address::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

fn ip(bytes: &[u8]) -> Result<IpAddr, Rejection> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    ip.map_err(|_| {
        let expected = "the length of an address, 4 or 16";
        Reason::OutOfRange { value: bytes.len() as u64, expected }.into()
    })
}
