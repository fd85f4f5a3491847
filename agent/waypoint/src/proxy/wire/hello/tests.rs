use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// A hello with the extensions that are given.
pub(crate) fn hello(extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    if !extensions.is_empty() {
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
    }
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    message
}

fn records(message: &[u8], size: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    message.chunks(size).flat_map(record).collect()
}

fn sni(name: &str) -> Vec<u8> {
    let length = name.len() as u16;
    let mut bytes = vec![0, 0];
    bytes.extend((length + 5).to_be_bytes());
    bytes.extend((length + 3).to_be_bytes());
    bytes.push(0);
    bytes.extend(length.to_be_bytes());
    bytes.extend(name.as_bytes());
    bytes
}

#[rstest]
#[case(&[], Hello::Name(None))]
#[case(&sni("Example.ORG"), Hello::Name(Some("example.org".into())))]
#[case(&[&[0, 16, 0, 1, 9][..], &sni("a.b")].concat(), Hello::Name(Some("a.b".into())))]
#[case(&[0, 16, 0, 1, 9], Hello::Name(None))]
#[case(&sni("a b"), Hello::Not)]
#[case(&sni(""), Hello::Not)]
#[case(&[0, 0, 0, 9], Hello::Not)]
fn names(#[case] extensions: &[u8], #[case] expected: Hello) {
    let message = hello(extensions);
    for size in [1, 5, 16384] {
        assert_eq!(server_name(&records(&message, size)), expected, "records of {size}");
    }
}

#[rstest]
#[case(b"")]
#[case(&[22])]
#[case(&[22, 3, 1, 0])]
fn beginnings_want_more(#[case] bytes: &[u8]) {
    assert_eq!(server_name(bytes), Hello::More);
}

#[rstest]
#[case(&[22, 2, 0, 0, 1, 1])]
#[case(&[23, 3, 3, 0, 1, 1])]
#[case(&[22, 3, 3, 0, 0])]
#[case(&[22, 3, 3, 0, 1, 2])]
#[case(&[22, 3, 3, 0, 4, 1, 0xff, 0xff, 0xff])]
fn others_are_told_apart(#[case] bytes: &[u8]) {
    assert_eq!(server_name(bytes), Hello::Not);
}

proptest! {
    #[test]
    fn a_hello_can_come_byte_by_byte(cut in 0usize..70) {
        let bytes = records(&hello(&sni("a.example")), 30);
        let answer = server_name(&bytes[..cut.min(bytes.len() - 1)]);
        prop_assert_eq!(answer, Hello::More);
    }

    #[test]
    fn garbage_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = server_name(&bytes);
        let _ = server_name(&[&[22, 3, 1, 0, 190, 1, 0, 0, 186][..], &bytes].concat());
    }
}
