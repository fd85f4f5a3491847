//! The command as a process, against a Kubernetes API in this one.

mod cluster;
mod install;
mod offline;
