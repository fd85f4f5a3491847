//! One copy of what many objects say.
//!
//! A hundred thousand pods say `app.kubernetes.io/name` a hundred thousand times, and the twenty pods of a workload say
//! the same labels twenty times. The tables are of the whole process, because objects come from several tasks; they
//! change what is kept in memory and nothing else.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// A name and a value.
type Pair = (Arc<str>, Arc<str>);

/// The shared copy of a text.
pub(crate) fn text(text: &str) -> Arc<str> {
    static TEXTS: LazyLock<Mutex<Table<str>>> = LazyLock::new(Mutex::default);
    shared(&TEXTS, text)
}

/// The shared copy of a set of labels.
pub(crate) fn labels(labels: &[Pair]) -> Arc<[Pair]> {
    static LABELS: LazyLock<Mutex<Table<[Pair]>>> = LazyLock::new(Mutex::default);
    shared(&LABELS, labels)
}

fn shared<T: Hash + Eq + ?Sized>(table: &Mutex<Table<T>>, value: &T) -> Arc<T>
where
    Arc<T>: for<'a> From<&'a T>,
{
    // Whoever panicked in here left a table with one entry more or less.
    table.lock().unwrap_or_else(PoisonError::into_inner).get(value)
}

/// Values somebody holds, and some that nobody holds any more.
struct Table<T: ?Sized> {
    values: HashSet<Arc<T>>,
    /// At this many, those that nobody holds are thrown out: a look at each, paid by as many insertions.
    sweep_at: usize,
}

impl<T: Hash + Eq + ?Sized> Table<T>
where
    Arc<T>: for<'a> From<&'a T>,
{
    fn get(&mut self, value: &T) -> Arc<T> {
        if let Some(value) = self.values.get(value) {
            return value.clone();
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = SMALL.max(self.values.len() * 2);
        }
        let value = Arc::from(value);
        self.values.insert(Arc::clone(&value));
        value
    }
}

impl<T: ?Sized> Default for Table<T> {
    fn default() -> Self {
        Self { values: HashSet::new(), sweep_at: SMALL }
    }
}

/// Not worth a sweep.
const SMALL: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        assert!(Arc::ptr_eq(&text("app"), &text("app")));
    }

    #[test]
    fn equal_labels_are_one() {
        let pair = || (text("app"), text("web"));
        assert!(Arc::ptr_eq(&labels(&[pair()]), &labels(&[pair()])));
    }

    #[test]
    fn what_nobody_holds_is_thrown_out() {
        let mut table = Table::<str>::default();
        let held = table.get("held");
        for n in 0..10 * SMALL {
            table.get(&n.to_string());
        }
        assert!(table.values.len() <= SMALL, "{} values", table.values.len());
        assert!(Arc::ptr_eq(&held, &table.get("held")));
    }
}
