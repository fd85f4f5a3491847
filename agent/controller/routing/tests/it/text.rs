//! The neutral form as text: what is said, and not what is empty; in one line what fits into one.

use std::fmt::Debug;
use std::iter::Peekable;
use std::str::Chars;

use weir_resources::Condition;

pub(crate) fn form(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    Reader(text.chars().peekable()).node().print(0)
}

pub(crate) fn conditions(conditions: &[Condition]) -> String {
    let line = |one: &Condition| {
        let message = if one.message.is_empty() { String::new() } else { format!(": {}", one.message) };
        format!("  {}={} {}{message}", one.kind, one.status, one.reason)
    };
    conditions.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What Debug has written.
enum Node {
    Word(String),
    List(Vec<Node>),
    /// A struct (without its name) or a map.
    Fields(Vec<(String, Node)>),
    Variant(String, Vec<Node>),
}

impl Node {
    fn is_empty(&self) -> bool {
        match self {
            Self::Word(word) => matches!(word.as_str(), "None" | "\"\"" | "false" | "0"),
            Self::List(items) => items.is_empty(),
            Self::Fields(_) | Self::Variant(..) => false,
        }
    }

    /// `host:port subset`, if it is a backend.
    fn backend(&self) -> Option<String> {
        let Self::Fields(fields) = self else { return None };
        let get = |name: &str| fields.iter().find(|(other, _)| other == name).map(|(_, node)| node.line());
        let text = |name: &str| get(name).map(|text| text.trim_matches('"').to_owned());
        let known =
            fields.iter().all(|(name, _)| ["namespace", "hostname", "port", "subset"].contains(&&**name));
        let subset = text("subset").map(|subset| format!(" {subset}")).unwrap_or_default();
        known.then_some(())?;
        Some(format!("{}:{}{subset}", text("hostname")?, text("port")?))
    }

    fn line(&self) -> String {
        if let Some(backend) = self.backend() {
            return backend;
        }
        let join = |items: &[Node]| items.iter().map(Node::line).collect::<Vec<_>>().join(", ");
        match self {
            Self::Word(word) => word.clone(),
            Self::List(items) => format!("[{}]", join(items)),
            Self::Fields(fields) => {
                let fields = fields.iter().map(|(name, node)| format!("{name}: {}", node.line()));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            Self::Variant(name, items) => format!("{name}({})", join(items)),
        }
    }

    fn print(&self, indent: usize) -> String {
        let line = self.line();
        if line.len() + indent < 110 {
            return line;
        }
        let (pad, end) = (" ".repeat(indent + 2), " ".repeat(indent));
        let block = |open: &str, items: Vec<String>, close: &str| {
            let items: String = items.into_iter().map(|item| format!("\n{pad}{item}")).collect();
            format!("{open}{items}\n{end}{close}")
        };
        match self {
            Self::Word(word) => word.clone(),
            Self::List(items) => block("[", items.iter().map(|one| one.print(indent + 2)).collect(), "]"),
            Self::Fields(fields) => {
                let fields = fields.iter().map(|(name, node)| format!("{name}: {}", node.print(indent + 2)));
                block("{", fields.collect(), "}")
            }
            Self::Variant(name, items) => {
                format!("{name} {}", items.iter().map(|one| one.print(indent)).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn node(&mut self) -> Node {
        self.blanks();
        match self.0.peek() {
            Some('[') => Node::List(self.items(']')),
            Some('{') => self.fields(),
            Some('"') => Node::Word(self.string()),
            _ => self.named(),
        }
    }

    fn named(&mut self) -> Node {
        let word = self.word();
        self.blanks();
        match self.0.peek() {
            Some('(') => {
                let mut items = self.items(')');
                if word == "Some" { items.remove(0) } else { Node::Variant(word, items) }
            }
            Some('{') => self.fields(),
            _ => Node::Word(word),
        }
    }

    fn fields(&mut self) -> Node {
        self.0.next();
        let mut fields = Vec::new();
        loop {
            self.blanks();
            match self.0.peek() {
                Some('}') => {
                    self.0.next();
                    break;
                }
                Some('"') => {
                    let name = self.string();
                    fields.push((name, self.after_colon()));
                }
                _ => {
                    let name = self.word();
                    fields.push((name, self.after_colon()));
                }
            }
        }
        fields.retain(|(_, node)| !node.is_empty());
        Node::Fields(fields)
    }

    fn after_colon(&mut self) -> Node {
        self.blanks();
        assert_eq!(self.0.next(), Some(':'));
        self.node()
    }

    fn items(&mut self, close: char) -> Vec<Node> {
        self.0.next();
        let mut items = Vec::new();
        loop {
            self.blanks();
            if self.0.peek() == Some(&close) {
                self.0.next();
                return items;
            }
            items.push(self.node());
        }
    }

    fn blanks(&mut self) {
        while matches!(self.0.peek(), Some(' ' | ',')) {
            self.0.next();
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.0.peek().copied().filter(|c| !" ,:(){}[]".contains(*c)) {
            word.push(c);
            self.0.next();
        }
        assert!(!word.is_empty(), "Debug wrote something else");
        word
    }

    fn string(&mut self) -> String {
        let mut text = String::from(self.0.next().unwrap());
        while let Some(c) = self.0.next() {
            text.push(c);
            match c {
                '\\' => text.push(self.0.next().unwrap()),
                '"' => break,
                _ => {}
            }
        }
        text
    }
}

/// All in one line.
pub(crate) fn line(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    Reader(text.chars().peekable()).node().line()
}
