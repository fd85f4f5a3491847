//! Where the heads of HTTP/1 requests are in a stream of bytes, and whether somebody could read them in another way.
//!
//! hyper reads what it is given leniently: it takes a bare LF for a line's end, lets `transfer-encoding` win over
//! `content-length` and hides the latter, and joins equal lengths. Each of them is a place where a proxy and a server
//! can disagree on where a request ends (RFC 9112 11.2). So what comes in is held against the strict reading first.
//! Everything else that is wrong with a head, hyper refuses by itself; the tests in `proxy/tests/smuggling.rs` say
//! which is which.

/// Follows one client's bytes.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: Place,
    /// A line whose end has not come yet.
    begun: Vec<u8>,
    head: Head,
}

/// What could be read in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ambiguity {
    #[error("a line ends without CR")]
    BareLineFeed,
    #[error("a header is folded over several lines")]
    Folded,
    #[error("there are several content-length headers")]
    SeveralLengths,
    #[error("content-length is not a number")]
    Length,
    #[error("there are content-length and transfer-encoding")]
    LengthAndEncoding,
    #[error("transfer-encoding is not chunked, or not once")]
    Encoding,
    #[error("a header's name looks like one that frames the message")]
    Lookalike,
    #[error("a chunk's size is not a number, or what stands behind it is no extension")]
    Chunk,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a request line; empty lines may come before it.
    #[default]
    Between,
    Headers,
    /// Bytes that are left of a body, or of a chunk with the line's end after it.
    Body(u64),
    Chunk(u64),
    ChunkSize,
    Trailers,
    /// After CONNECT: another protocol.
    Foreign,
}

#[derive(Debug, Default, Clone, Copy)]
struct Head {
    length: Option<u64>,
    chunked: bool,
    connect: bool,
}

/// More than a signed number of 64 bits holds is read as something else by somebody.
const LONGEST_BODY: u64 = i64::MAX as u64;

/// hyper has a limit of its own, which is lower; it has answered long before.
const LONGEST_LINE: usize = 256 * 1024;

impl Framing {
    /// All that has begun has ended.
    pub(super) fn is_between(&self) -> bool {
        self.place == Place::Between && self.begun.is_empty()
    }

    /// A head has begun and has not ended.
    pub(super) fn in_head(&self) -> bool {
        match self.place {
            Place::Headers => true,
            Place::Between => !self.begun.is_empty(),
            _ => false,
        }
    }

    /// Takes what came. An error names the place of the byte that may not be passed on.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), (usize, Ambiguity)> {
        let mut at = 0;
        while at < bytes.len() {
            at += match &mut self.place {
                Place::Foreign => return Ok(()),
                Place::Body(left) => skip(left, &bytes[at..]),
                Place::Chunk(left) => skip(left, &bytes[at..]),
                _ => self.line(&bytes[at..]).map_err(|why| (at + line_length(&bytes[at..]) - 1, why))?,
            };
            self.place = match self.place {
                Place::Body(0) => Place::Between,
                Place::Chunk(0) => Place::ChunkSize,
                other => other,
            };
        }
        Ok(())
    }

    /// Takes a line, or the part of it that is there; says how much that was.
    fn line(&mut self, bytes: &[u8]) -> Result<usize, Ambiguity> {
        let taken = line_length(bytes);
        let part = &bytes[..taken];
        if part.last() != Some(&b'\n') {
            if self.begun.len() + taken > LONGEST_LINE {
                // Nobody reads so far; that hyper refuses it is certain.
                self.place = Place::Foreign;
                self.begun = Vec::new();
            } else {
                self.begun.extend_from_slice(part);
            }
            return Ok(taken);
        }
        if self.begun.is_empty() {
            self.whole(part)?;
        } else {
            let mut line = std::mem::take(&mut self.begun);
            line.extend_from_slice(part);
            self.whole(&line)?;
        }
        Ok(taken)
    }

    fn whole(&mut self, line: &[u8]) -> Result<(), Ambiguity> {
        let line = line.strip_suffix(b"\r\n").ok_or(Ambiguity::BareLineFeed)?;
        match self.place {
            Place::Between if line.is_empty() => {}
            Place::Between => {
                self.head = Head { connect: line.starts_with(b"CONNECT "), ..Head::default() };
                self.place = Place::Headers;
            }
            Place::Headers if line.is_empty() => self.place = self.head.body(),
            Place::Headers => self.head.header(line)?,
            Place::ChunkSize => self.place = chunk(line)?,
            Place::Trailers if line.is_empty() => self.place = Place::Between,
            Place::Trailers => not_folded(line)?,
            Place::Body(_) | Place::Chunk(_) | Place::Foreign => {}
        }
        Ok(())
    }
}

impl Head {
    fn header(&mut self, line: &[u8]) -> Result<(), Ambiguity> {
        not_folded(line)?;
        // Both names begin with one of two letters; most headers are done with here.
        if !matches!(line[0] | 0x20, b'c' | b't') {
            return Ok(());
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        if name.eq_ignore_ascii_case(b"content-length") {
            self.content_length(value.trim_ascii())
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.transfer_encoding(value.trim_ascii())
        } else if looks_like(name) {
            Err(Ambiguity::Lookalike)
        } else {
            Ok(())
        }
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Ambiguity> {
        if self.chunked {
            return Err(Ambiguity::LengthAndEncoding);
        }
        if self.length.is_some() {
            return Err(Ambiguity::SeveralLengths);
        }
        self.length = Some(number(value, 10).filter(|n| *n <= LONGEST_BODY).ok_or(Ambiguity::Length)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Ambiguity> {
        if self.length.is_some() {
            return Err(Ambiguity::LengthAndEncoding);
        }
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Ambiguity::Encoding);
        }
        self.chunked = true;
        Ok(())
    }

    fn body(self) -> Place {
        match self {
            Self { connect: true, .. } => Place::Foreign,
            Self { chunked: true, .. } => Place::ChunkSize,
            Self { length: None | Some(0), .. } => Place::Between,
            Self { length: Some(length), .. } => Place::Body(length),
        }
    }
}

/// `content_length`, `transfer encoding` and the like: some servers take them for the real ones.
fn looks_like(name: &[u8]) -> bool {
    let like = |real: &[u8]| {
        name.len() >= real.len()
            && name.trim_ascii().len() == real.len()
            && name
                .trim_ascii()
                .iter()
                .zip(real)
                .all(|(a, b)| a.eq_ignore_ascii_case(b) || (*b == b'-' && !a.is_ascii_alphanumeric()))
    };
    like(b"content-length") || like(b"transfer-encoding")
}

fn not_folded(line: &[u8]) -> Result<(), Ambiguity> {
    if matches!(line.first(), Some(b' ' | b'\t')) { Err(Ambiguity::Folded) } else { Ok(()) }
}

fn chunk(line: &[u8]) -> Result<Place, Ambiguity> {
    let (size, extension) = line.split_at(line.iter().position(|b| *b == b';').unwrap_or(line.len()));
    // A line's end within it is one for somebody.
    if extension.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
        return Err(Ambiguity::Chunk);
    }
    let size = size.trim_ascii_end();
    match number(size, 16).filter(|n| *n <= LONGEST_BODY).ok_or(Ambiguity::Chunk)? {
        0 => Ok(Place::Trailers),
        size => Ok(Place::Chunk(size.saturating_add(2))),
    }
}

/// Digits and nothing else: no sign, no prefix, no blanks.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|t| t.chars().all(|c| c.is_digit(radix)))?;
    u64::from_str_radix(text, radix).ok()
}

fn line_length(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1)
}

fn skip(left: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests;
