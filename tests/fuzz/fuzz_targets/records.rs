//! TLS records as an authenticated peer, or a stranger in its connection, can send them after the handshake.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| weir_tunnel::records::open(data));
