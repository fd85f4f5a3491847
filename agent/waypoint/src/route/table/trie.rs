//! A radix tree: values at keys of bytes, and a walk over those whose key is a prefix of a text.

/// The tree; `T` is what is at a key.
#[derive(Debug, Default)]
pub(super) struct Trie<T> {
    root: Node<T>,
}

#[derive(Debug, Default)]
struct Node<T> {
    /// Follows the parent's; empty only at the root.
    label: Box<[u8]>,
    value: Option<T>,
    /// The first bytes of the children's labels, which are different, in order. They are here so that the one child that a
    /// text goes to is the only one that is looked at: in a large table, each look elsewhere is one at cold memory.
    firsts: Vec<u8>,
    children: Vec<Node<T>>,
}

impl<T: Default> Trie<T> {
    /// The value at a key, made if there is none.
    pub(super) fn entry(&mut self, mut key: &[u8]) -> &mut T {
        let mut node = &mut self.root;
        while let Some(first) = key.first() {
            let at = match node.find(*first) {
                Ok(at) => at,
                Err(at) => {
                    node.firsts.insert(at, *first);
                    node.children.insert(at, Node::new(key));
                    at
                }
            };
            node = &mut node.children[at];
            let common = node.label.iter().zip(key).take_while(|(a, b)| a == b).count();
            node.split(common);
            key = &key[common..];
        }
        node.value.get_or_insert_default()
    }
}

impl<T> Trie<T> {
    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.root.value.is_none() && self.root.children.is_empty()
    }

    /// Calls for each value whose key is a prefix of the text, the shortest first.
    pub(super) fn walk<'t>(&'t self, mut text: &[u8], mut visit: impl FnMut(&'t T)) {
        let mut node = &self.root;
        loop {
            if let Some(value) = &node.value {
                visit(value);
            }
            let Some(at) = text.first().and_then(|first| node.find(*first).ok()) else { return };
            node = &node.children[at];
            let Some(rest) = text.strip_prefix(node.label.as_ref()) else { return };
            text = rest;
        }
    }
}

impl<T> Node<T> {
    fn new(label: &[u8]) -> Self {
        Self { label: label.into(), value: None, firsts: Vec::new(), children: Vec::new() }
    }

    fn find(&self, first: u8) -> Result<usize, usize> {
        self.firsts.binary_search(&first)
    }

    /// Shortens the label to its first bytes; the rest becomes the only child.
    fn split(&mut self, length: usize) {
        if length < self.label.len() {
            let (start, rest) = self.label.split_at(length);
            let (start, rest) = (start.into(), Node::new(rest));
            let first = rest.label[0];
            let child = std::mem::replace(self, rest);
            // What was here is the child's now, but for the label, which they share.
            let label = std::mem::replace(&mut self.label, start);
            self.firsts.push(first);
            self.children.push(Node { label, ..child });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_the_prefixes(
            keys in prop::collection::btree_set("[ab/é]{0,5}", 0..30),
            text in "[ab/é]{0,8}",
        ) {
            let mut trie = Trie::<String>::default();
            for key in &keys {
                trie.entry(key.as_bytes()).clone_from(key);
            }
            prop_assert_eq!(trie.is_empty(), keys.is_empty());
            let mut found = Vec::new();
            trie.walk(text.as_bytes(), |key: &String| found.push(key.clone()));
            // In the order of a set, shorter prefixes come first.
            let expected: Vec<_> = keys.into_iter().filter(|key| text.starts_with(key.as_str())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
