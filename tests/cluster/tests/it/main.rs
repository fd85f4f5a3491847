//! The controller and a Kubernetes API.

mod api;
mod replica;
mod replicas;
mod rights;
mod same;
mod statuses;
mod waypoints;
