//! How much a peer may send on all streams of a tunnel.
//!
//! A stream whose application does not read keeps up to a stream's window of the tunnel's, and a few of them
//! would keep all of it: the other streams would starve. So the tunnel's window grows by what such streams may
//! keep, out of a budget that all tunnels of the worker share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use crate::Config;

/// What the tunnels of a worker may have beyond their first windows, in bytes.
pub(crate) struct Budget(Cell<u32>);

/// The window of one tunnel, in bytes.
pub(crate) struct Window {
    budget: Rc<Budget>,
    first: u32,
    stream: u32,
    size: Cell<u32>,
    /// Streams whose application does not take what is there.
    stalled: Cell<u32>,
    waker: RefCell<Option<Waker>>,
}

impl Budget {
    pub(crate) fn new(config: &Config) -> Rc<Self> {
        Rc::new(Self(Cell::new(config.stalled_memory)))
    }
}

impl Window {
    pub(crate) fn new(budget: &Rc<Budget>, config: &Config) -> Rc<Self> {
        Rc::new(Self {
            budget: budget.clone(),
            first: config.connection_window,
            stream: config.stream_window,
            size: Cell::new(config.connection_window),
            stalled: Cell::new(0),
            waker: RefCell::default(),
        })
    }

    /// The tunnel's turn: its new window, if it changes.
    pub(crate) fn poll_resize(&self, cx: &Context<'_>) -> Option<u32> {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        let (size, wanted) = (self.size.get(), self.wanted());
        if wanted > size {
            let granted = (wanted - size).min(self.budget.0.get());
            self.budget.0.set(self.budget.0.get() - granted);
            self.size.set(size + granted);
        } else if self.stalled.get() == 0 {
            self.give_back();
        }
        (self.size.get() != size).then(|| self.size.get())
    }

    /// Half of the first window is for streams that move.
    fn wanted(&self) -> u32 {
        let kept = self.stalled.get().saturating_mul(self.stream);
        (self.first / 2).saturating_add(kept).min(LARGEST)
    }

    fn give_back(&self) {
        let extra = self.size.replace(self.first).saturating_sub(self.first);
        self.budget.0.set(self.budget.0.get() + extra);
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// One stream's part in it.
pub(crate) struct Stall {
    window: Rc<Window>,
    stalled: bool,
}

impl Stall {
    pub(crate) fn new(window: Rc<Window>) -> Self {
        Self { window, stalled: false }
    }

    /// Says whether the application takes what is there.
    pub(crate) fn set(&mut self, stalled: bool) {
        let window = &self.window;
        match (std::mem::replace(&mut self.stalled, stalled), stalled) {
            (false, true) => {
                window.stalled.set(window.stalled.get() + 1);
                if window.wanted() > window.size.get()
                    && let Some(waker) = &*window.waker.borrow()
                {
                    waker.wake_by_ref();
                }
            }
            (true, false) => window.stalled.set(window.stalled.get() - 1),
            _ => {}
        }
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// RFC 9113 section 6.9.1.
const LARGEST: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_with_stalled_streams_within_the_budget_and_gives_back() {
        let config =
            Config { connection_window: 16, stream_window: 4, stalled_memory: 10, ..Config::default() };
        let (budget, cx) = (Budget::new(&config), Context::from_waker(Waker::noop()));
        let window = Window::new(&budget, &config);
        let mut stalls: Vec<_> = (0..6).map(|_| Stall::new(window.clone())).collect();
        let mut sizes = Vec::new();
        for stall in &mut stalls {
            stall.set(true);
            stall.set(true);
            sizes.push(window.poll_resize(&cx));
        }
        assert_eq!(sizes, [None, None, Some(20), Some(24), Some(26), None]);
        let other = Window::new(&budget, &config);
        let _more: Vec<_> = (0..3)
            .map(|_| {
                let mut stall = Stall::new(other.clone());
                stall.set(true);
                stall
            })
            .collect();
        assert_eq!(other.poll_resize(&cx), None, "the budget is used up");
        stalls.clear();
        assert_eq!(window.poll_resize(&cx), Some(16));
        assert_eq!(other.poll_resize(&cx), Some(20));
        drop((_more, other));
        assert_eq!(budget.0.get(), 10);
    }
}
