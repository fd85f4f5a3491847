//! The version of a resource, as small as it gets: there is one per workload.

use std::fmt;

/// A version as the control plane wrote it. Control planes write 16 hexadecimal digits, which are kept as a number.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) enum Version {
    /// Empty: asked for and not had, or had in a form that was refused.
    #[default]
    None,
    Hash(u64),
    Text(Box<str>),
}

impl Version {
    /// Digits that a version of this form has.
    const DIGITS: usize = 16;
}

impl From<String> for Version {
    fn from(text: String) -> Self {
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match u64::from_str_radix(&text, 16) {
            // Only if it is written again letter for letter.
            Ok(hash) if text.len() == Self::DIGITS && text.bytes().all(lower) => Self::Hash(hash),
            _ if text.is_empty() => Self::None,
            _ => Self::Text(text.into()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Hash(hash) => write!(f, "{hash:016x}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_given_back_as_it_came(text in "[0-9a-fA-F+-]{0,17}|\\PC{0,20}") {
            prop_assert_eq!(Version::from(text.clone()).to_string(), text);
        }

        #[test]
        fn a_hash_is_a_number(hash: u64) {
            prop_assert_eq!(Version::from(format!("{hash:016x}")), Version::Hash(hash));
        }
    }
}
