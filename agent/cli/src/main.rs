//! The command `weir`.
#![forbid(unsafe_code)]

fn main() {}
