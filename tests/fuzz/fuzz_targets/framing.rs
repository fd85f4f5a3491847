//! What a client of a waypoint may send as HTTP/1, TLS or anything: the gate before hyper, which says whether the bytes could
//! be read in two ways, and the guess of what is spoken. However the bytes are cut, they are read alike.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_waypoint::proxy::fuzz;

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let whole = fuzz::framing([bytes]);
    assert_eq!(fuzz::framing(bytes.chunks(usize::from(cut % 32) + 1)), whole);
    if let Some(at) = whole {
        // The byte that is not passed on is one that was sent, and nothing before it was wrong.
        assert_eq!(fuzz::framing([&bytes[..at]]), None);
    }
    // What was certain once stays so.
    let (part, _) = bytes.split_at(bytes.len().min(usize::from(cut)));
    if let Some(guess) = fuzz::guess(part) {
        assert_eq!(fuzz::guess(bytes), Some(guess));
    }
    if let Some(name) = fuzz::server_name(part) {
        assert_eq!(fuzz::server_name(bytes), Some(name));
    }
});
