//! The proxy between real clients and real servers, over loopback or within memory (where time is what matters).

#[allow(dead_code, reason = "the next tests use the rest of it")]
mod world;

mod http1;
mod smuggling;
