//! The manager under paused time, with a CA that does as told.

mod callers;
mod lifecycle;
mod products;
mod scripted;
