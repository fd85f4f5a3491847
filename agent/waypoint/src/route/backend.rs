//! Where requests and connections go, in proportion to weights.

use std::sync::Arc;

use http::StatusCode;
use weir_proto::l7;

use super::{
    chance::{Chance, below},
    headers::HeaderOperations,
    rejection::{Reason, Rejection, Within as _, each},
    rewrite::Rewrite,
};

/// A backend of a rule, and what is done to what goes there.
#[derive(Debug, Clone)]
pub struct Backend {
    /// Where it goes.
    pub target: Target,
    /// After the rule's.
    pub request_headers: HeaderOperations,
    /// Before the rule's.
    pub response_headers: HeaderOperations,
    /// In the place of the rule's.
    pub rewrite: Option<Box<Rewrite>>,
    /// Beside the rule's.
    pub mirrors: Vec<Mirror>,
}

/// Where something goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To a service.
    Service(BackendRef),
    /// Nowhere.
    Unavailable {
        /// The answer.
        status: StatusCode,
        /// For the log.
        reason: Arc<str>,
    },
}

/// A service, one of its ports, and perhaps one of its subsets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackendRef {
    /// Name of the `Backend` and `Endpoints` resources: namespace/hostname.
    pub resource: Arc<str>,
    /// Of the service.
    pub port: u16,
    /// Empty: the whole service.
    pub subset: Arc<str>,
}

/// A copy of some requests goes to another backend, whose responses nobody reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Where it goes.
    pub backend: BackendRef,
    /// How often.
    pub chance: Chance,
}

/// Things, each with a weight.
#[derive(Debug, Clone)]
pub struct Weighted<T> {
    // The weights up to and with each thing: those of weight 0 have the sum of their predecessor and are never found.
    entries: Vec<(u64, T)>,
}

impl<T> Weighted<T> {
    /// In the order given.
    pub fn new(entries: impl IntoIterator<Item = (u32, T)>) -> Weighted<T> {
        let mut sum = 0_u64;
        let add = |(weight, thing)| {
            // No list is long enough to exceed 64 bits with weights of 32.
            sum += u64::from(weight);
            (sum, thing)
        };
        Weighted { entries: entries.into_iter().map(add).collect() }
    }

    /// One of them in proportion to its weight, by a uniformly random number; `None` if there is none, or no weight.
    pub fn pick(&self, random: u64) -> Option<&T> {
        let sum = self.entries.last()?.0;
        let point = below(random, sum);
        let chosen = self.entries.partition_point(|(sum, _)| *sum <= point);
        self.entries.get(chosen).map(|(_, thing)| thing)
    }

    /// All of them, also those of weight 0.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, thing)| thing)
    }
}

/// Compiles a list of backends.
pub(crate) fn backends(forms: &[l7::WeightedBackend]) -> Result<Weighted<Backend>, Rejection> {
    let compile = |form: &l7::WeightedBackend| Ok((form.weight, Backend::compile(form)?));
    Ok(Weighted::new(each("backends", forms, compile)?))
}

impl Backend {
    fn compile(form: &l7::WeightedBackend) -> Result<Backend, Rejection> {
        Ok(Backend {
            target: Target::compile(form.target.as_ref().ok_or(Reason::Missing)?)?,
            request_headers: HeaderOperations::request(form.request_headers.as_ref())
                .within("request_headers")?,
            response_headers: HeaderOperations::response(form.response_headers.as_ref())
                .within("response_headers")?,
            rewrite: form.rewrite.as_ref().map(Rewrite::compile).transpose().within("rewrite")?.map(Box::new),
            mirrors: each("mirrors", &form.mirrors, Mirror::compile)?,
        })
    }
}

impl Target {
    fn compile(form: &l7::weighted_backend::Target) -> Result<Target, Rejection> {
        Ok(match form {
            l7::weighted_backend::Target::Backend(backend) => {
                Target::Service(BackendRef::compile(backend).within("backend")?)
            }
            l7::weighted_backend::Target::Unavailable(form) => Target::Unavailable {
                status: status(form.status).within("status").within("unavailable")?,
                reason: form.reason.as_str().into(),
            },
        })
    }
}

impl BackendRef {
    fn compile(form: &l7::BackendRef) -> Result<BackendRef, Rejection> {
        Ok(BackendRef {
            resource: format!("{}/{}", form.namespace, form.hostname).into(),
            port: port(form.port).within("port")?,
            subset: form.subset.as_str().into(),
        })
    }
}

impl Mirror {
    pub(crate) fn compile(form: &l7::Mirror) -> Result<Mirror, Rejection> {
        let backend = form.backend.as_ref().ok_or(Reason::Missing).within("backend")?;
        Ok(Mirror {
            backend: BackendRef::compile(backend).within("backend")?,
            chance: Chance::per_million(form.per_million).within("per_million")?,
        })
    }
}

/// A port that can be dialled.
pub(crate) fn port(value: u32) -> Result<u16, Rejection> {
    let port = u16::try_from(value).ok().filter(|port| *port != 0);
    port.ok_or(Reason::OutOfRange { value: value.into(), expected: "a port, 1 to 65535" }.into())
}

/// A status that ends an exchange.
pub(crate) fn status(value: u32) -> Result<StatusCode, Rejection> {
    let status = u16::try_from(value).ok().filter(|status| (200..600).contains(status));
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    status.ok_or(Reason::OutOfRange { value: value.into(), expected: "a final status, 200 to 599" }.into())
}

#[cfg(test)]
mod tests;
