//! The tunnel's sockets: everything that waits.
//!
//! ```text
//!  outbound --route--> pool --dial--> tunnel to another node      inbound --stream--> deliver --> application
//!           \--------> hand_over (same node) ----------------------------------------^
//!            \-------> pass-through (outside the mesh)            plaintext ---------^
//! ```
//! All of it runs on one thread per worker, so nothing here is locked or sent.

pub(crate) mod admission;
pub(crate) mod attempt;
pub(crate) mod buffer;
pub(crate) mod context;
mod deliver;
mod dial;
mod driver;
mod ends;
mod exchange;
pub(crate) mod flow;
mod hand_over;
pub(crate) mod inbound;
pub(crate) mod outbound;
pub(crate) mod plaintext;
pub(crate) mod pool;
mod pump;
mod settings;
mod stream;
pub(crate) mod tasks;
mod tcp;
pub(crate) mod tls;
pub(crate) mod tunnel;
pub(crate) mod window;

pub use context::HBONE_PORT;
pub(crate) use tcp::abort_on_close;
