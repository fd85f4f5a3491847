//! Which tunnel a new stream takes.
//!
//! Small streams share one tunnel: their frames leave in one record and one system call. A stream that moved
//! a lot marks its tunnel as bulk, and new streams keep out of its way until there are enough tunnels.

/// How busy a tunnel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Open streams.
    pub streams: usize,
    /// Most streams that it may have.
    pub cap: usize,
    /// Open streams that moved a lot.
    pub bulk: usize,
}

/// The tunnel for a new stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// This one.
    Use(usize),
    /// None of them: dial another.
    Dial,
}

/// Chooses among the tunnels of one key; `spread` is how many there may be because of bulk streams. A full
/// tunnel does not count: however many are full, another is dialled.
pub fn choose(tunnels: impl Iterator<Item = Load> + Clone, spread: usize) -> Choice {
    let room = |(_, load): &(usize, Load)| load.streams < load.cap;
    let open = tunnels.clone().enumerate().filter(room);
    // The first, not the emptiest: old tunnels stay full, young ones run dry and may go.
    if let Some((index, _)) = open.clone().find(|(_, load)| load.bulk == 0) {
        return Choice::Use(index);
    }
    let least = open.min_by_key(|(_, load)| (load.bulk, load.streams));
    match least {
        Some((index, _)) if tunnels.count() >= spread => Choice::Use(index),
        _ => Choice::Dial,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let load = |streams, bulk| Load { streams, cap: 100, bulk };
        let cases: [(&[Load], Choice); 8] = [
            (&[], Choice::Dial),
            (&[load(0, 0)], Choice::Use(0)),
            (&[load(99, 0), load(0, 0)], Choice::Use(0)),
            (&[load(100, 0)], Choice::Dial),
            (&[load(100, 0), load(3, 0)], Choice::Use(1)),
            (&[load(1, 1)], Choice::Dial),
            (&[load(1, 1), load(5, 0)], Choice::Use(1)),
            (&[load(9, 2), load(1, 1), load(2, 1)], Choice::Use(1)),
        ];
        for (tunnels, choice) in cases {
            assert_eq!(choose(tunnels.iter().copied(), 3), choice, "{tunnels:?}");
        }
    }
}
