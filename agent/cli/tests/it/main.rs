//! The command as a process, against a Kubernetes API in this one.

mod cluster;
mod diagnose;
mod docs;
mod install;
mod live;
mod offline;
mod pages;
mod waypoints;
