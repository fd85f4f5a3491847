//! The server name in a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3), from as many bytes as there are.

/// What is known of a client's hello.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    /// Not all of it is there.
    More,
    /// The server name, in lower case, if the client says one.
    Name(Option<String>),
    /// It is no hello.
    Not,
}

/// A hello with a large post-quantum key share and a ticket is 2 to 4 KiB.
const LONGEST: usize = 16 * 1024;

/// Looks at everything that has come so far; a hello may lie in several records.
pub(crate) fn server_name(bytes: &[u8]) -> Hello {
    let mut hello = Vec::new();
    let mut rest = Reader(bytes);
    loop {
        match complete(&hello) {
            Some(Some(body)) => return parse(body).map_or(Hello::Not, Hello::Name),
            Some(None) => {}
            None => return Hello::Not,
        }
        let Some((kind, version)) = rest.byte().zip(rest.byte()) else { return Hello::More };
        if kind != 22 || version != 3 {
            return Hello::Not;
        }
        let Some(length) = rest.byte().and_then(|_| rest.number(2)) else { return Hello::More };
        let part = rest.up_to(length);
        hello.extend_from_slice(part);
        if length == 0 || hello.len() > LONGEST {
            return Hello::Not;
        }
        if part.len() < length && !matches!(complete(&hello), Some(Some(_))) {
            return if complete(&hello).is_some() { Hello::More } else { Hello::Not };
        }
    }
}

/// The body of the handshake message, `Some(None)` as long as bytes are missing, `None` for another message.
fn complete(message: &[u8]) -> Option<Option<&[u8]>> {
    let mut reader = Reader(message);
    match reader.byte() {
        None => return Some(None),
        Some(1) => {}
        Some(_) => return None,
    }
    let Some(length) = reader.number(3) else { return Some(None) };
    if length > LONGEST {
        return None;
    }
    Some(reader.take(length))
}

fn parse(body: &[u8]) -> Option<Option<String>> {
    let mut reader = Reader(body);
    reader.take(2 + 32)?;
    reader.prefixed(1)?;
    reader.prefixed(2)?;
    reader.prefixed(1)?;
    if reader.0.is_empty() {
        // No extensions at all, as in TLS 1.0.
        return Some(None);
    }
    let mut extensions = Reader(reader.prefixed(2)?);
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let data = extensions.prefixed(2)?;
        if kind == 0 {
            return name(data).map(Some);
        }
    }
    Some(None)
}

fn name(extension: &[u8]) -> Option<String> {
    let mut names = Reader(Reader(extension).prefixed(2)?);
    let kind = names.byte()?;
    let name = names.prefixed(2)?;
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if kind != 0 || name.is_empty() || name.len() > 255 || !name.iter().all(plain) {
        return None;
    }
    Some(String::from_utf8_lossy(name).to_ascii_lowercase())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn up_to(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        Some(self.take(width)?.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    fn prefixed(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(length)
    }
}

#[cfg(test)]
#[path = "hello/tests.rs"]
mod tests;
