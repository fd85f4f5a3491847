//! What an error of a watcher means.

use kube::runtime::watcher::Error;

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kubernetes) enum Verdict {
    /// The API has no such resource.
    NotServed,
    /// We may not.
    Forbidden,
    /// The version to go on from is forgotten, or not there yet (a restored backup). Only a new list helps.
    Expired,
    /// Try again.
    Passing,
}

impl Verdict {
    pub(in crate::kubernetes) fn of(error: &Error) -> Self {
        let status = match error {
            Error::InitialListFailed(error) | Error::WatchStartFailed(error) | Error::WatchFailed(error) => {
                match error {
                    kube::Error::Api(status) => status,
                    _ => return Self::Passing,
                }
            }
            Error::WatchError(status) => status,
            Error::NoResourceVersion => return Self::Expired,
        };
        match status.code {
            // 405: there is such a resource, and it cannot be listed or watched.
            404 | 405 => Self::NotServed,
            401 | 403 => Self::Forbidden,
            410 => Self::Expired,
            _ if status.message.contains("Too large resource version") => Self::Expired,
            _ => Self::Passing,
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(404, "", Verdict::NotServed)]
    #[case(403, "pods is forbidden", Verdict::Forbidden)]
    #[case(410, "too old resource version", Verdict::Expired)]
    #[case(504, "Too large resource version: 9, current: 3", Verdict::Expired)]
    #[case(500, "etcdserver: leader changed", Verdict::Passing)]
    #[case(429, "slow down", Verdict::Passing)]
    fn an_error_says_what_helps(#[case] code: u16, #[case] message: &str, #[case] verdict: Verdict) {
        let status = || Status::failure(message, "").with_code(code);
        let api = || kube::Error::Api(status().boxed());
        for error in [
            Error::InitialListFailed(api()),
            Error::WatchStartFailed(api()),
            Error::WatchFailed(api()),
            Error::WatchError(status().boxed()),
        ] {
            assert_eq!(Verdict::of(&error), verdict, "{error}");
        }
    }
}
