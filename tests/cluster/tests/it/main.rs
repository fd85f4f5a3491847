//! The controller and a Kubernetes API.

mod api;
mod replica;
mod replicas;
mod same;
mod statuses;
