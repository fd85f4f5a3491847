//! Which Linux this machine runs.

/// As `uname -r` prints it.
pub fn kernel_release() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}

/// Major and minor number of a release such as `6.18.44-cloud-amd64`.
pub fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_real_kernels() {
        let cases = [
            ("6.18.44-fc-v657", Some((6, 18))),
            ("5.15.0-91-generic", Some((5, 15))),
            ("6.1-rc3", Some((6, 1))),
            ("", None),
            ("linux", None),
        ];
        for (release, want) in cases {
            assert_eq!(kernel_version(release), want, "{release:?}");
        }
    }
}
