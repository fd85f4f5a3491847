//! What may be shown of a secret.

use std::fmt;

use crate::l7::Secret;

impl fmt::Debug for Secret {
    /// Who it is, and what it has: never a byte of that.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("certificate", &self.certificate_chain),
            ("key", &self.private_key),
            ("authorities", &self.ca_certificates),
            ("revocations", &self.crl),
        ];
        let there: Vec<&str> =
            parts.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(name, _)| *name).collect();
        write!(f, "Secret({}/{}: {})", self.namespace, self.name, there.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_key_is_shown() {
        let secret = Secret {
            namespace: "shop".into(),
            name: "pair".into(),
            private_key: b"KEY".to_vec(),
            ..Secret::default()
        };
        assert_eq!(format!("{secret:?}"), "Secret(shop/pair: key)");
    }
}
