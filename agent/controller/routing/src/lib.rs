//! Routing configuration, translated: VirtualService, DestinationRule, HTTPRoute and GRPCRoute become the neutral form
//! of `weir_proto::l7`, and every field that cannot be honoured becomes a problem with its path.
//!
//! Pure functions: no client, no file, no clock.
#![forbid(unsafe_code)]
