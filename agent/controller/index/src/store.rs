//! What was read, in the shapes in which it is asked for.
//!
//! Every index here exists because some change would else have to look at all objects: pods by label (a service or a
//! policy changes), services by selector (a pod changes), claims by host name (an owner comes or goes), askers by
//! gateway (a waypoint changes).

mod askers;
mod claims;
mod labelled;
mod selectors;
mod table;

pub(crate) use askers::{Asker, Askers};
pub(crate) use claims::{Claim, Claims};
pub(crate) use labelled::{Item, Labelled};
pub(crate) use selectors::{Selecting, Selectors};
pub(crate) use table::Table;
