//! Tokens that were verified a moment ago. A stream of requests with one token asks the API server once a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Caller;

/// Bounded in number and in time.
pub(super) struct Cache {
    callers: Mutex<HashMap<Box<str>, (SystemTime, Caller)>>,
    capacity: usize,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { callers: Mutex::default(), capacity }
    }

    /// Whose token it is, if that was found out lately.
    pub(super) fn get(&self, token: &str, now: SystemTime) -> Option<Caller> {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back makes nothing live longer than it was meant to.
        let is_fresh = |until: SystemTime| until.duration_since(now).is_ok_and(|left| left <= LONGEST);
        callers.get(token).filter(|(until, _)| is_fresh(*until)).map(|(_, caller)| caller.clone())
    }

    /// Remembers it, for a minute and not past its own end.
    pub(super) fn put(&self, token: &str, expires: f64, caller: Caller, now: SystemTime) {
        let until = seconds(expires).map_or(now, |end| end.min(now + LONGEST));
        if until <= now {
            return;
        }
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= self.capacity {
            callers.retain(|_, (until, _)| *until > now);
        }
        if callers.len() >= self.capacity {
            // More good tokens in a minute than there is room for: each is asked about again.
            callers.clear();
        }
        callers.insert(token.into(), (until, caller));
    }
}

fn seconds(at: f64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(at).ok()?)
}

const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_bounded_in_time_and_number() {
        let cache = Cache::new(2);
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let caller = Caller::new("shop", "web");
        cache.put("long", 5000.0, caller.clone(), now);
        cache.put("short", 1010.0, caller.clone(), now);
        cache.put("over", 1000.0, caller.clone(), now);
        let has = |token, second| cache.get(token, at(second)).is_some();
        assert!(has("long", 1060) && !has("long", 1061));
        assert!(has("short", 1010) && !has("short", 1011));
        assert!(!has("over", 1000));
        assert!(!has("long", 900), "the clock was set back");
        cache.put("third", 5000.0, caller.clone(), at(1011));
        assert!(has("long", 1011) && has("third", 1011), "what was over made room");
        cache.put("fourth", 5000.0, caller, at(1011));
        assert!(!has("long", 1011) && has("fourth", 1011), "never more than two");
    }
}
