//! Why a request did not go as it should: Envoy's short codes, which dashboards and people know.

use std::fmt;
use std::ops::BitOrAssign;

/// A set of them; most requests have none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

macro_rules! flags {
    ($($name:ident $code:literal $doc:literal),* $(,)?) => {
        impl Flags {
            flags!(@consts 0; $($name $doc,)*);
        }
        /// In the order in which Envoy writes them.
        const CODES: &[(Flags, &str)] = &[$((Flags::$name, $code)),*];
    };
    (@consts $at:expr; $name:ident $doc:literal, $($rest:tt)*) => {
        #[doc = $doc]
        pub const $name: Flags = Flags(1 << $at);
        flags!(@consts $at + 1; $($rest)*);
    };
    (@consts $at:expr;) => {};
}

flags! {
    NO_HEALTHY_UPSTREAM "UH" "No endpoint may be used.",
    UPSTREAM_TIMEOUT "UT" "The backend took too long.",
    UPSTREAM_REMOTE_RESET "UR" "The backend ended the request.",
    UPSTREAM_CONNECT_FAILURE "UF" "No connection to the endpoint.",
    UPSTREAM_CONNECTION_TERMINATION "UC" "The backend closed the connection.",
    UPSTREAM_OVERFLOW "UO" "A limit of the connection pool (circuit breaker).",
    NO_ROUTE "NR" "No route matches.",
    DELAY_INJECTED "DI" "A delay on purpose.",
    FAULT_INJECTED "FI" "A failure on purpose.",
    DOWNSTREAM_DISCONNECT "DC" "The client went away.",
    UPSTREAM_RETRY_LIMIT "URX" "All retries were used, or all connection attempts.",
    STREAM_IDLE_TIMEOUT "SI" "Nothing moved for too long.",
    DOWNSTREAM_PROTOCOL_ERROR "DPE" "The client's HTTP is wrong.",
    DURATION_TIMEOUT "DT" "The connection was open for as long as it may be.",
    UPSTREAM_PROTOCOL_ERROR "UPE" "The backend's HTTP is wrong.",
    NO_CLUSTER "NC" "The backend that the route names is not known.",
    DNS_FAILURE "DF" "The names of endpoints lead nowhere.",
}

impl Flags {
    /// Nothing to say.
    pub const NONE: Flags = Flags(0);

    /// Whether one of those is set.
    pub fn any(self, of: Flags) -> bool {
        self.0 & of.0 != 0
    }

    /// Whether nothing is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        let mut set = CODES.iter().filter(|(flag, _)| self.any(*flag));
        if let Some((_, code)) = set.next() {
            f.write_str(code)?;
        }
        set.try_for_each(|(_, code)| write!(f, ",{code}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        assert_eq!(Flags::default().to_string(), "-");
        assert_eq!(Flags::UPSTREAM_CONNECT_FAILURE.to_string(), "UF");
        let both = Flags::UPSTREAM_RETRY_LIMIT | Flags::UPSTREAM_CONNECT_FAILURE;
        assert_eq!(both.to_string(), "UF,URX");
        assert!(both.any(Flags::UPSTREAM_RETRY_LIMIT));
    }

    #[test]
    fn every_flag_is_its_own() {
        let all = CODES.iter().fold(0, |all, (flag, _)| all | flag.0);
        assert_eq!(all.count_ones() as usize, CODES.len());
    }
}
