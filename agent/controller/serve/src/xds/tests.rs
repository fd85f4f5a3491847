//! Sessions against a small mesh, without and with sockets.

mod client;
mod hostile;
mod mesh;
mod node_pods;
mod property;
mod reports;
mod session;
mod waypoint;
mod wire;
