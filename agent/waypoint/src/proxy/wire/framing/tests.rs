use proptest::prelude::*;
use rstest::rstest;

use super::*;

const HEAD: &str = "POST /a HTTP/1.1\r\nhost: b\r\n";

fn all(text: &str) -> Result<Framing, Ambiguity> {
    let mut framing = Framing::default();
    framing.feed(text.as_bytes()).map(|()| framing).map_err(|(_, why)| why)
}

#[rstest]
#[case("", Place::Between)]
#[case("\r\n", Place::Between)]
#[case("POST /a HTTP/1.1\r\nhost: b\r\n", Place::Headers)]
#[case("GET / HTTP/1.1\r\n\r\n", Place::Between)]
#[case("GET / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", Place::Between)]
#[case("GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", Place::Body(1))]
#[case("GET / HTTP/1.1\r\nContent-Length:3\r\n\r\nabc\r\nGET / HTTP/1.1\r\n", Place::Headers)]
#[case("GET / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n", Place::ChunkSize)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\na", Place::Chunk(4))]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\n", Place::Trailers)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n", Place::Between)]
#[case("CONNECT a:1 HTTP/1.1\r\n\r\nanything\nat all", Place::Foreign)]
#[case("GET / HTTP/1.1\r\ncontent-type: x\r\nte: trailers\r\ncontent-length-x: y\r\n\r\n", Place::Between)]
fn places(#[case] text: &str, #[case] expected: Place) {
    assert_eq!(all(text).unwrap().place, expected);
}

#[rstest]
#[case("GET / HTTP/1.1\n", Ambiguity::BareLineFeed)]
#[case("GET / HTTP/1.1\r\na: b\nc: d\r\n", Ambiguity::BareLineFeed)]
#[case("GET / HTTP/1.1\r\na: b\r\n\n", Ambiguity::BareLineFeed)]
#[case("GET / HTTP/1.1\r\na: b\r\n c: d\r\n", Ambiguity::Folded)]
#[case("GET / HTTP/1.1\r\n\tc: d\r\n", Ambiguity::Folded)]
#[case("GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n", Ambiguity::SeveralLengths)]
#[case("GET / HTTP/1.1\r\ncontent-length: 1, 1\r\n", Ambiguity::Length)]
#[case("GET / HTTP/1.1\r\ncontent-length: +1\r\n", Ambiguity::Length)]
#[case("GET / HTTP/1.1\r\ncontent-length: 0x1\r\n", Ambiguity::Length)]
#[case("GET / HTTP/1.1\r\ncontent-length:\r\n", Ambiguity::Length)]
#[case("GET / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n", Ambiguity::Length)]
#[case("GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n", Ambiguity::LengthAndEncoding)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n", Ambiguity::LengthAndEncoding)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n", Ambiguity::Encoding)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: identity\r\n", Ambiguity::Encoding)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n", Ambiguity::Encoding)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: \x0bchunked\r\n", Ambiguity::Encoding)]
#[case("GET / HTTP/1.1\r\nContent_Length: 1\r\n", Ambiguity::Lookalike)]
#[case("GET / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n", Ambiguity::Lookalike)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", Ambiguity::Chunk)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n", Ambiguity::Chunk)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\n", Ambiguity::BareLineFeed)]
#[case("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\na: b\r\n c\r\n", Ambiguity::Folded)]
fn shapes(#[case] text: &str, #[case] expected: Ambiguity) {
    assert_eq!(all(text).err(), Some(expected));
    // The end of the line that is wrong is the byte that does not pass.
    let (at, _) = Framing::default().feed(text.as_bytes()).unwrap_err();
    assert_eq!(text.as_bytes()[at], b'\n');
}

#[test]
fn a_head_is_known_to_have_begun() {
    let mut framing = Framing::default();
    assert!(!framing.in_head());
    framing.feed(b"GE").unwrap();
    assert!(framing.in_head());
    framing.feed(b"T / HTTP/1.1\r\nhost: a\r\n").unwrap();
    assert!(framing.in_head());
    framing.feed(b"\r\n").unwrap();
    assert!(!framing.in_head());
}

proptest! {
    /// However the bytes are cut, the verdict is the same.
    #[test]
    fn cuts_do_not_matter(
        header in prop::sample::select(vec![
            "content-length: 4", "transfer-encoding: chunked", "transfer-encoding: x", "a: b\nc: d", " folded", "x: y",
        ]),
        sizes in prop::collection::vec(1usize..9, 1..40),
    ) {
        let text = format!("{HEAD}{header}\r\n\r\n4\r\nwxyz\r\n0\r\n\r\nGET / HTTP/1.1\r\n");
        let whole = all(&text).map(|f| f.place);
        let mut framing = Framing::default();
        let mut rest = text.as_bytes();
        let mut cut = Ok(());
        for size in sizes.iter().cycle() {
            let (part, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            cut = framing.feed(part).map_err(|(_, why)| why);
            if cut.is_err() || rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(cut.map(|()| framing.place), whole);
    }

    #[test]
    fn garbage_is_survived(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10)) {
        let mut framing = Framing::default();
        let _ = parts.iter().try_for_each(|part| framing.feed(part));
    }
}
