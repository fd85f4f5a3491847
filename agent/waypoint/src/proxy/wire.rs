//! The client's bytes before anybody believes them: what they are, where they may go, and whether they may be read
//! in two ways. All of it is pure, but for [`gate`] and [`peek`], which are thin coats around a socket.

mod detect;
mod early;
mod farewell;
mod framing;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod gate;
mod hello;
mod io;
mod peek;

pub(crate) use detect::{Guess, guess};
pub(crate) use early::Turn;
pub(crate) use gate::{Gate, Watch};
pub(crate) use hello::{Hello, server_name};
pub use io::{Io, Stream};
pub(crate) use peek::{Patience, Peeked, Prefixed, Verdict, peek};
