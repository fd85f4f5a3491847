//! Who gets whose certificate, and what a request may say.

mod node;
mod service;
