//! What every test on the running kernel stands on, those of the programs (`bpf::tests`) and those of the pods alike.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Runs a test in a thread with mount and network namespaces of its own.
///
/// Without root it is skipped with a word about it, and fails when CI=true.
pub(crate) fn alone(test: impl FnOnce() + Send + 'static) {
    if !rustix::process::geteuid().is_root() {
        return skip("root");
    }
    let thread = std::thread::spawn(|| {
        // SAFETY: both flags concern this thread alone (NEWNS unshares its working directory too); no memory is touched.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS | UnshareFlags::NEWNET) }.unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Says that a test is skipped for want of this; fails when CI=true.
pub(crate) fn skip(want: &str) {
    assert_ne!(
        std::env::var("CI").as_deref(),
        Ok("true"),
        "this test needs {want}, and CI=true forbids to skip it"
    );
    eprintln!("skipped: this test needs {want}");
}

/// True as soon as `check` is, false after ten seconds: the kernel removes some things later, and loads programs slowly where the
/// processor is emulated.
pub(crate) fn eventually(mut check: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if check() {
            return true;
        }
        if begin.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Where cgroup v2 is mounted.
pub(crate) fn cgroup_root() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    line.expect("no cgroup2 file system is mounted").split(' ').nth(1).unwrap().into()
}

/// The kernel needs less for every connection that comes up.
pub(crate) const LONG: Duration = Duration::from_secs(2);
