//! One TLS 1.3 record (RFC 8446 section 5.2): AEAD with the sequence number in the nonce.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;

use super::TlsError;

/// Record header: opaque type, legacy version, length.
pub(super) const HEADER: usize = 5;
/// Content type and tag.
pub(super) const TRAILER: usize = 1 + TAG;
/// Most plaintext of a record.
pub(super) const MAX_PLAIN: usize = 16384;
/// Most bytes after the header that a peer may send (section 5.2: 2^14 + 256).
pub(super) const MAX_SEALED: usize = MAX_PLAIN + 256;
/// Tag of AES-GCM.
pub(super) const TAG: usize = 16;
/// AES-GCM keys are replaced after so many records (section 5.5 allows 2^24.5).
const REFRESH_AFTER: u64 = 1 << 24;

/// Content types.
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const DATA: u8 = 23;

/// A traffic key and its next sequence number.
pub(super) struct Key {
    aead: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Key {
    /// The key of one direction.
    ///
    /// # Errors
    /// A suite other than AES-GCM.
    pub(super) fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Result<Self, TlsError> {
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            _ => return Err(TlsError::Suite),
        };
        let aead = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| TlsError::Suite)?;
        let iv = iv.as_ref().try_into().map_err(|_| TlsError::Suite)?;
        Ok(Self { aead: LessSafeKey::new(aead), iv, sequence })
    }

    #[cfg(feature = "fuzz")]
    pub(super) fn fixed(algorithm: &'static aws_lc_rs::aead::Algorithm) -> Self {
        #[expect(clippy::unwrap_used, reason = "the key has the algorithm's length")]
        let aead = UnboundKey::new(algorithm, &[7; 32][..algorithm.key_len()]).unwrap();
        Self { aead: LessSafeKey::new(aead), iv: [9; 12], sequence: 0 }
    }

    /// Whether so much was sealed that the key must be replaced.
    pub(super) fn is_worn(&self) -> bool {
        self.sequence >= REFRESH_AFTER
    }

    /// Seals `plain` into `out`, which holds exactly header, plaintext and trailer.
    pub(super) fn seal(&mut self, kind: u8, plain: &[u8], out: &mut [u8]) -> Result<(), TlsError> {
        let (head, body) = out.split_at_mut(HEADER);
        head.copy_from_slice(&header(plain.len() + TRAILER));
        let (sealed, trailer) = body.split_at_mut(plain.len());
        let (nonce, aad) = (self.next(), Aad::from(&*head));
        self.aead
            .seal_out_of_place_scatter(nonce, aad, plain, sealed, &[kind], trailer)
            .map_err(|_| TlsError::BadRecord)
    }

    /// The same, with the plaintext already in its place in `out`.
    pub(super) fn seal_in_place(&mut self, kind: u8, out: &mut [u8]) -> Result<(), TlsError> {
        let (head, body) = out.split_at_mut(HEADER);
        head.copy_from_slice(&header(body.len()));
        let (plain, trailer) = body.split_at_mut(body.len() - TRAILER);
        let (nonce, aad) = (self.next(), Aad::from(&*head));
        self.aead.seal_in_place_scatter(nonce, aad, plain, &[kind], trailer).map_err(|_| TlsError::BadRecord)
    }

    /// Opens a whole record into `out`, which is [`TAG`] shorter than what follows the header. Returns the
    /// content type and the length of the content.
    pub(super) fn open(&mut self, record: &[u8], out: &mut [u8]) -> Result<(u8, usize), TlsError> {
        let (head, body) = record.split_at(HEADER);
        let (sealed, tag) = body.split_at(body.len() - TAG);
        let nonce = self.next();
        self.aead
            .open_separate_gather(nonce, Aad::from(head), sealed, tag, out)
            .map_err(|_| TlsError::BadRecord)?;
        unpad(out)
    }

    /// The same within the record's own memory, behind its header.
    pub(super) fn open_in_place(&mut self, record: &mut [u8]) -> Result<(u8, usize), TlsError> {
        let (head, body) = record.split_at_mut(HEADER);
        let nonce = self.next();
        let plain =
            self.aead.open_in_place(nonce, Aad::from(&*head), body).map_err(|_| TlsError::BadRecord)?;
        unpad(plain)
    }

    /// The nonce of the next record. The sequence cannot wrap: keys are replaced at 2^24.
    fn next(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, counter) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= counter;
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The length after the header of the record that starts `bytes`; `None` if the header is not there yet.
///
/// # Errors
/// What TLS 1.3 does not allow after the handshake.
pub(super) fn sealed_len(bytes: &[u8]) -> Result<Option<usize>, TlsError> {
    let Some(head) = bytes.first_chunk::<HEADER>() else {
        return Ok(None);
    };
    if head[0] != DATA {
        return Err(TlsError::Protocol("a record in the clear after the handshake"));
    }
    let len = usize::from(u16::from_be_bytes([head[3], head[4]]));
    if !(TRAILER..=MAX_SEALED).contains(&len) {
        return Err(TlsError::Protocol("a record of impossible length"));
    }
    Ok(Some(len))
}

/// Every sealed record calls itself application data of TLS 1.2.
fn header(len: usize) -> [u8; HEADER] {
    let len = (len as u16).to_be_bytes();
    [DATA, 3, 3, len[0], len[1]]
}

/// Content, content type, zeros (section 5.4).
fn unpad(plain: &[u8]) -> Result<(u8, usize), TlsError> {
    let end = plain.iter().rposition(|&byte| byte != 0);
    match end {
        Some(end) if end <= MAX_PLAIN => Ok((plain[end], end)),
        Some(_) => Err(TlsError::Protocol("a record with too much content")),
        None => Err(TlsError::Protocol("a record without content type")),
    }
}
