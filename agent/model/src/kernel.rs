//! Which Linux a node must have for an agent.

/// The oldest: major and minor number. `ingress_ifindex` of sk_lookup came with it; everything else that an agent must have is older.
pub const OLDEST_LINUX: (u32, u32) = (5, 17);

/// Whether a kernel, by its release (`uname -r`, a Node's `status.nodeInfo.kernelVersion`), is older than [`OLDEST_LINUX`]. One that says
/// no version is not. Vendors bring features to older ones, so this explains a failure, and is no reason to refuse.
pub fn is_linux_too_old(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version < OLDEST_LINUX)
}

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
            ("10.0", false),
            ("10.0-rc1\n", false),
            ("7.2-rc1", false),
            ("", false),
        ] {
            assert_eq!(is_linux_too_old(release), expected, "{release}");
        }
    }
}
