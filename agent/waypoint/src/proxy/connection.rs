//! Connections whose requests nobody reads: TCP, and TLS that is passed through.

mod between;
mod carry;
mod copy;
mod hello;
mod undecided;

pub(crate) use carry::{Carried, carry};
pub(crate) use copy::copy;
pub(crate) use hello::carry_tls;

use super::wire::Stream;

/// Ends a connection that goes nowhere, so that the client sees a failure and not an empty answer.
pub(crate) fn refuse(mut stream: Stream) {
    stream.abort();
}
