//! HTTP/2 settings of both ends.

use std::time::Duration;

use h2::{client, server};

use crate::Config;

/// Small DATA frames that wait in h2 are counted against this, 256 bytes less their length each, and a connection
/// that exceeds it is closed with all its streams. They wait only until the application is connected; then the
/// pump takes them out, also for one that does not read.
const SMALL_FRAMES: usize = 16 << 20;
/// Streams that a peer may open and reset before we looked at them. Applications do that too.
const EARLY_RESETS: usize = 1000;
/// How long late frames of a stream that we reset are put up with.
const RESET_MEMORY: Duration = Duration::from_secs(5);
/// For how many streams.
const RESETS: usize = 1000;
/// Assumed until the peer's SETTINGS are there.
const FIRST_STREAMS: usize = 100;

/// The client's.
pub(crate) fn client(config: &Config) -> client::Builder {
    let mut builder = client::Builder::new();
    builder
        .initial_window_size(config.stream_window)
        .initial_connection_window_size(config.connection_window)
        .max_frame_size(config.frame_size)
        .max_header_list_size(16 << 10)
        .max_send_buffer_size(config.send_buffer)
        .initial_max_send_streams(FIRST_STREAMS)
        .max_concurrent_reset_streams(RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .max_pending_accept_reset_streams(EARLY_RESETS)
        .data_frame_budget(SMALL_FRAMES)
        .enable_push(false);
    builder
}

/// The server's.
pub(crate) fn server(config: &Config) -> server::Builder {
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(config.stream_window)
        .initial_connection_window_size(config.connection_window)
        .max_frame_size(config.frame_size)
        .max_header_list_size(64 << 10)
        .max_concurrent_streams(config.max_streams)
        .max_send_buffer_size(config.send_buffer)
        .max_concurrent_reset_streams(RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .max_pending_accept_reset_streams(EARLY_RESETS)
        .data_frame_budget(SMALL_FRAMES);
    builder
}
