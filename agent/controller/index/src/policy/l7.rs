//! Policies that waypoints enforce: those with targetRefs.
//!
//! A waypoint sees requests, so that all but JWTs can be asked about. What cannot be asked or read is decided as for node
//! proxies: it does not hold in an ALLOW, and holds in a DENY.

mod asked;
mod attached;
mod convert;
mod key;
pub(super) mod status;
mod value;

pub(super) use asked::Asked;
pub(super) use attached::Attached;
pub(crate) use attached::{Reattached, Standing};
pub(super) use convert::{AtWaypoints, finish, refused};
