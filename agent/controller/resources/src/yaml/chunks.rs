//! Cutting a text at its document markers.

/// A document that is not empty, as text.
pub(super) struct Chunk<'a> {
    /// The line of the file in which the text begins, from 1.
    pub(super) first_line: usize,
    pub(super) text: &'a str,
}

/// A marker is three dashes at the beginning of a line, with a blank or nothing behind. YAML allows them nowhere else,
/// also not in a text of several lines.
pub(super) fn chunks(text: &str) -> impl Iterator<Item = Chunk<'_>> {
    Chunks { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 }
}

struct Chunks<'a> {
    rest: &'a str,
    /// Of the first line of `rest`.
    line: usize,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        while !self.rest.is_empty() {
            let (first_line, text) = self.cut();
            let blank = text.lines().take_while(|line| is_blank(line)).count();
            if blank < text.lines().count() {
                // The line of a document is the one in which it says something.
                let skipped: usize = text.split_inclusive('\n').take(blank).map(str::len).sum();
                return Some(Chunk { first_line: first_line + blank, text: &text[skipped..] });
            }
        }
        None
    }
}

impl<'a> Chunks<'a> {
    /// Takes what is in front of the next marker.
    fn cut(&mut self) -> (usize, &'a str) {
        let mut end = 0;
        for (n, line) in self.rest.split_inclusive('\n').enumerate() {
            let content = line
                .strip_prefix("---")
                .filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
            match content {
                Some(content) if is_blank(content) => return self.take(end, n, line.len(), 1),
                // Its first line has the marker and content.
                Some(_) if n > 0 => return self.take(end, n, 0, 0),
                _ => end += line.len(),
            }
        }
        self.take(end, 0, 0, 0)
    }

    fn take(&mut self, end: usize, lines: usize, marker: usize, marker_lines: usize) -> (usize, &'a str) {
        let taken = (self.line, &self.rest[..end]);
        self.rest = &self.rest[end + marker..];
        self.line += lines + marker_lines;
        taken
    }
}

/// Nothing, a comment, a directive, or the end of a document.
fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line.starts_with('%') || line == "..."
}
