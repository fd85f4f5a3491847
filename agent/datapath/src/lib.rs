//! Placeholder: the NETNS owner writes this page.
mod bpf;
mod events;
