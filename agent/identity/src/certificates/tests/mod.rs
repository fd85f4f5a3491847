//! The manager under paused time, with a CA that does as told.

mod lifecycle;
mod scripted;
mod shared;
