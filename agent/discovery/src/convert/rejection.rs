//! Why a resource was not taken.

use weir_model::IdentityError;

/// A resource that was not taken: which, where in it, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("resource {resource:?} is refused: {field}: {reason}")]
pub struct Rejection {
    /// uid of a workload, `namespace/hostname` of a service, `namespace/name` of a policy.
    pub resource: String,
    /// Path of the field, as in `addresses[1]`.
    pub field: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// An address that is neither IPv4 nor IPv6.
    #[error("an address has 4 or 16 bytes, this has {length}")]
    AddressLength {
        /// Bytes found.
        length: usize,
    },
    /// A prefix length that the address family does not have.
    #[error("prefix length {length} is longer than the address")]
    PrefixLength {
        /// Bits asked for.
        length: u32,
    },
    /// A number that this version has no meaning for.
    #[error("{number} is not a known {kind}")]
    UnknownEnum {
        /// Name of the enum.
        kind: &'static str,
        /// The number.
        number: i32,
    },
    /// A protocol that the data plane does not speak.
    #[error("LEGACY_ISTIO_MTLS is not supported")]
    LegacyMtls,
    /// Not a port.
    #[error("{port} is not a port")]
    Port {
        /// The number.
        port: u32,
    },
    /// Not a key of a service.
    #[error("{key:?} is not of the form namespace/hostname")]
    ServiceKey {
        /// The text.
        key: String,
    },
    /// A part of a key that would make it another key.
    #[error("must not have a slash")]
    Slash,
    /// A condition that this version cannot evaluate.
    #[error("extension {name:?} is not known")]
    Extension {
        /// Its name.
        name: String,
    },
    /// Bytes that are not the message that they should be.
    #[error("cannot be decoded: {0}")]
    Undecodable(prost::DecodeError),
    /// Another type than the extension's name promises.
    #[error("{found:?} is not the type of this extension, which is {expected}")]
    ExtensionType {
        /// The type URL.
        found: String,
        /// The one that was expected.
        expected: &'static str,
    },
    /// Of one there can be one.
    #[error("is there twice")]
    Twice,
    /// A length of time that is none.
    #[error("{seconds} s and {nanos} ns are not a length of time")]
    Duration {
        /// Whole seconds.
        seconds: i64,
        /// The rest.
        nanos: i32,
    },
    /// A number that means nothing here.
    #[error("{number} is not one of {expected}")]
    OutOfRange {
        /// The number.
        number: u32,
        /// What was expected.
        expected: &'static str,
    },
    /// The three parts are no SPIFFE id.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// A [`Rejection`] that does not know yet whose field it is.
pub(super) type Fault = (String, Reason);

/// Puts a prefix on the field of a fault.
pub(super) fn within(field: impl std::fmt::Display) -> impl FnOnce(Fault) -> Fault {
    move |(inner, reason)| {
        if inner.is_empty() { (field.to_string(), reason) } else { (format!("{field}.{inner}"), reason) }
    }
}
