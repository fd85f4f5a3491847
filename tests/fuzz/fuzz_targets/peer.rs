//! A peer's certificate and the identity inside it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rustls_pki_types::CertificateDer;
use weir_identity::peer_identity;
use weir_model::Identity;

fuzz_target!(|data: &[u8]| {
    let _ = peer_identity(&[CertificateDer::from(data)]);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(identity) = text.parse::<Identity>() {
        // An identity is compared, logged and put into certificates as text: one spelling only.
        assert_eq!(identity.to_string(), text);
    }
});
