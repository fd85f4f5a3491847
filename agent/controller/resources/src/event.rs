//! What a source tells the index.

use crate::{Invalid, Key, Kind, Object};

/// A change of what is known. Sources send them in the order in which they happened, per kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The object is new or another one.
    Apply(Box<Object>),
    /// The object is there and cannot be read.
    Invalid(Box<Invalid>),
    /// The object is gone.
    Delete(Key),
    /// A new list of the kind begins: what is not applied until [`Event::Synced`] is gone.
    Relist(Kind),
    /// The list of the kind is complete. A kind that the API does not serve is synced at once, and empty.
    Synced(Kind),
}
