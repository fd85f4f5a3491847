//! Sessions against a small mesh, without and with sockets.

mod client;
mod hostile;
mod mesh;
mod property;
mod session;
mod waypoint;
mod wire;
