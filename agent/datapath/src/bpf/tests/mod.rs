//! The programs in the running kernel: each test has a network namespace, a bpffs and a cgroup of its own, and needs root.

mod accept;
mod attach;
mod bind;
mod connect;
mod events;
mod log;
mod lookup;
mod patch;
mod pick;
mod pods;
mod probe;
mod refuse;
mod stage;
mod verifier;
