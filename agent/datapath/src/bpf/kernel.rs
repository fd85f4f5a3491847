//! Which Linux this is.

/// As an error's subject: its version, and whether that is too old for the programs.
pub(super) fn told() -> String {
    judged(&std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default())
}

fn judged(release: &str) -> String {
    let release = release.trim();
    let mut numbers = release.split(['.', '-', '+']).map_while(|part| part.parse::<u32>().ok());
    let version = numbers.next().zip(numbers.next());
    match version.is_some_and(|version| version < OLDEST) {
        true => {
            format!("Linux {release} is older than {}.{}, which the agent needs, and", OLDEST.0, OLDEST.1)
        }
        false => format!("Linux {release}"),
    }
}

/// `ingress_ifindex` of sk_lookup, and SO_MARK with CAP_NET_RAW. Vendors bring features to older ones, so who is older is tried, too.
const OLDEST: (u32, u32) = (5, 17);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject() {
        for (release, told) in [
            ("5.15.0-1091-aws\n", "Linux 5.15.0-1091-aws is older than 5.17, which the agent needs, and"),
            ("5.17.0", "Linux 5.17.0"),
            ("6.1.0-56-cloud-amd64\n", "Linux 6.1.0-56-cloud-amd64"),
            ("10.0-rc1", "Linux 10.0-rc1"),
            ("", "Linux "),
        ] {
            assert_eq!(judged(release), told);
        }
    }
}
