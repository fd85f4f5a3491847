//! Stories of a mesh on one machine: see `tests/it`. The library itself holds nothing.
#![forbid(unsafe_code)]
