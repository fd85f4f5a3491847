//! Which Linux this is.

/// Its version, if that is older than what the agent is made for. Vendors bring features to older ones, so it is tried there, too.
pub(crate) fn old() -> Option<String> {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    is_old(&release).then(|| release.trim().to_owned())
}

fn is_old(release: &str) -> bool {
    let mut numbers = release.trim().split(['.', '-', '+']).map_while(|part| part.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version < OLDEST)
}

/// `ingress_ifindex` of sk_lookup, and SO_MARK with CAP_NET_RAW.
const OLDEST: (u32, u32) = (5, 17);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_its_version() {
        for (release, expected) in [
            ("5.15.0-1091-aws\n", true),
            ("4.18.0-553.el8.x86_64\n", true),
            ("5.17.0\n", false),
            ("6.1.0-56-cloud-amd64\n", false),
            ("10.0-rc1\n", false),
            ("", false),
        ] {
            assert_eq!(is_old(release), expected, "{release}");
        }
    }
}
