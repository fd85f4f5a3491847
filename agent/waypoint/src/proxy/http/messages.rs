//! Counts gRPC's messages in a stream of bytes: a flag, four bytes of length, and the message.

/// Where in a message the stream is.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    header: usize,
    length: u64,
    left: u64,
}

impl Messages {
    /// Takes what came; says how many messages began in it.
    pub(crate) fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut begun = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let taken = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left -= taken as u64;
                bytes = &bytes[taken..];
                continue;
            }
            if self.header > 0 {
                self.length = self.length << 8 | u64::from(bytes[0]);
            }
            self.header += 1;
            bytes = &bytes[1..];
            if self.header == 5 {
                begun += 1;
                *self = Self { left: self.length, ..Self::default() };
            }
        }
        begun
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_cut(lengths in prop::collection::vec(0usize..20, 0..10), size in 1usize..9) {
            let message = |length: &usize| [&[0, 0, 0, 0, *length as u8][..], &vec![9; *length]].concat();
            let bytes: Vec<u8> = lengths.iter().flat_map(message).collect();
            let mut messages = Messages::default();
            let counted: u64 = bytes.chunks(size).map(|part| messages.count(part)).sum();
            prop_assert_eq!(counted, lengths.len() as u64);
        }
    }
}
