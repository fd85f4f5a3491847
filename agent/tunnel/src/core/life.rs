//! The life of one stream: two directions that end apart, and an abort that ends both.
//!
//! ```text
//!            app FIN -> send END_STREAM          END_STREAM read -> app gets FIN
//!   Open ------------------------------> half closed ------------------------------> Finished
//!     \__ app RST -> RST_STREAM out       RST_STREAM in, tunnel lost -> app gets RST __/
//!                                     Aborted
//! ```
//! An end is said only when it was heard: whatever is not FIN or END_STREAM is an abort on the other side.

use h2::Reason;

/// What happened to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The application sent FIN and everything before it was read.
    AppEnded,
    /// The application's socket failed: RST, or a time-out of the kernel.
    AppFailed,
    /// The peer sent END_STREAM and everything before it was read.
    PeerEnded,
    /// The peer sent RST_STREAM, or the tunnel is gone.
    PeerFailed,
    /// This process gives the connection up: refusal, un-enrolment, deadline.
    GivenUp,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Send END_STREAM.
    EndPeer,
    /// Shut the application's socket down for writing.
    EndApp,
    /// Send RST_STREAM with this code and close the application's socket with RST.
    ResetBoth(Reason),
    /// Close the application's socket with RST; the peer knows.
    ResetApp,
}

/// A stream's state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Life {
    app_ended: bool,
    peer_ended: bool,
    aborted: bool,
}

impl Life {
    /// Takes an event, says what to do.
    pub fn on(&mut self, event: Event) -> Action {
        if self.is_over() {
            return Action::Nothing;
        }
        match event {
            Event::AppEnded if self.app_ended => Action::Nothing,
            Event::AppEnded => {
                self.app_ended = true;
                Action::EndPeer
            }
            Event::PeerEnded if self.peer_ended => Action::Nothing,
            Event::PeerEnded => {
                self.peer_ended = true;
                Action::EndApp
            }
            Event::AppFailed => self.abort(Action::ResetBoth(APP_FAILED)),
            Event::PeerFailed => self.abort(Action::ResetApp),
            Event::GivenUp => self.abort(Action::ResetBoth(GIVEN_UP)),
        }
    }

    /// Both directions ended with FIN: the sockets may be closed without RST.
    pub fn is_finished(&self) -> bool {
        self.app_ended && self.peer_ended && !self.aborted
    }

    /// Nothing can happen to it any more.
    pub fn is_over(&self) -> bool {
        self.aborted || (self.app_ended && self.peer_ended)
    }

    fn abort(&mut self, action: Action) -> Action {
        self.aborted = true;
        action
    }
}

/// RFC 9113 section 8.5: "a proxy treats any error in the TCP connection [...] as a stream error of type
/// CONNECT_ERROR". NO_ERROR and CANCEL would be read as a clean end by Istio's node proxy.
pub const APP_FAILED: Reason = Reason::CONNECT_ERROR;
/// The proxy's own doing, for the same reason neither NO_ERROR nor CANCEL.
pub const GIVEN_UP: Reason = Reason::INTERNAL_ERROR;

#[cfg(test)]
mod tests {
    use super::Action::*;
    use super::Event::*;
    use super::*;

    #[test]
    fn table() {
        let cases: [(&[Event], &[Action], bool); 9] = [
            (&[AppEnded, PeerEnded], &[EndPeer, EndApp], true),
            (&[PeerEnded, AppEnded], &[EndApp, EndPeer], true),
            (&[AppEnded, AppEnded], &[EndPeer, Nothing], false),
            (&[AppFailed, PeerEnded], &[ResetBoth(APP_FAILED), Nothing], false),
            (&[AppEnded, PeerFailed], &[EndPeer, ResetApp], false),
            (&[PeerEnded, PeerFailed], &[EndApp, ResetApp], false),
            (&[PeerEnded, AppFailed], &[EndApp, ResetBoth(APP_FAILED)], false),
            (&[GivenUp, AppEnded], &[ResetBoth(GIVEN_UP), Nothing], false),
            (&[AppEnded, PeerEnded, PeerFailed], &[EndPeer, EndApp, Nothing], true),
        ];
        for (events, actions, finished) in cases {
            let mut life = Life::default();
            let got: Vec<_> = events.iter().map(|e| life.on(*e)).collect();
            assert_eq!(got, actions, "{events:?}");
            assert_eq!(life.is_finished(), finished, "{events:?}");
        }
    }

    #[test]
    fn an_abort_never_looks_like_an_end() {
        for code in [APP_FAILED, GIVEN_UP] {
            assert!(![Reason::NO_ERROR, Reason::CANCEL].contains(&code));
        }
    }
}
