//! Nonces: which responses a client has answered, and how.

/// The nonces of one type on one stream.
#[derive(Default)]
pub(super) struct Nonces {
    /// Of the last response; empty before the first.
    pub(super) last: String,
    /// Of the last response that was accepted.
    pub(super) acked: String,
    /// Responses that were refused.
    pub(super) nacks: u64,
    /// Why the last of them was.
    pub(super) reason: Option<String>,
    last_number: u64,
    answered: u64,
}

/// A nonce: the version of the picture, and what is unique on it.
pub(super) fn nonce(position: u64, stream: u64, number: u64) -> String {
    format!("{position:x}.{stream:x}.{number:x}")
}

impl Nonces {
    /// Whether no response is on its way.
    pub(super) fn are_answered(&self) -> bool {
        self.answered == self.last_number
    }

    pub(super) fn sent(&mut self, nonce: &str, number: u64) {
        nonce.clone_into(&mut self.last);
        self.last_number = number;
    }

    /// Takes the nonce of a request and the reason if it refuses. Says whether the request is for this stream, and the
    /// reason if this is the first that was heard of it.
    pub(super) fn take(
        &mut self,
        nonce: &str,
        stream: u64,
        reason: Option<String>,
    ) -> (bool, Option<String>) {
        if nonce.is_empty() {
            return (true, None);
        }
        let Some(number) = number(nonce, stream).filter(|number| *number <= self.last_number) else {
            return (false, None);
        };
        // Several responses may be on their way, so each is answered once, in order. Saying the same again is not news.
        if number <= self.answered {
            return (true, None);
        }
        self.answered = number;
        match reason {
            Some(reason) => {
                self.nacks += 1;
                self.reason = Some(reason.clone());
                (true, Some(reason))
            }
            None => {
                nonce.clone_into(&mut self.acked);
                (true, None)
            }
        }
    }
}

/// The number in a nonce of this stream.
fn number(nonce: &str, stream: u64) -> Option<u64> {
    let mut parts = nonce.split('.').skip(1);
    let of = u64::from_str_radix(parts.next()?, 16).ok()?;
    let number = u64::from_str_radix(parts.next()?, 16).ok()?;
    (of == stream && parts.next().is_none()).then_some(number)
}
