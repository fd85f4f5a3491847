//! The loads, each the same for every data plane.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::de::DeserializeOwned;

use super::metric::{self, Measured, Metric};
use super::plane::Plane;

mod bulk;
mod hold;
pub(super) mod http;
mod short;

/// One load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Load {
    /// Memory at rest, and per idle connection
    Idle,
    /// One bulk stream
    Bulk1,
    /// Eight bulk streams
    Bulk8,
    /// HTTP requests on one connection
    Http1,
    /// HTTP requests on 32 connections
    Http32,
    /// New connections, one at a time
    Short1,
    /// New connections, 16 at a time
    Short16,
    /// 30,000 new connections: does TIME_WAIT make the last ones slow?
    Pile,
    /// 10,000 open connections
    Open,
}

/// Loads that run together, once or in rounds.
pub(super) struct Stage {
    pub(super) loads: &'static [Load],
    pub(super) repeats: bool,
}

impl Load {
    /// Memory first, while nothing has run yet; last what leaves many sockets behind.
    pub(super) const STAGES: [Stage; 3] = [
        Stage { loads: &[Self::Idle], repeats: false },
        Stage {
            loads: &[Self::Bulk1, Self::Bulk8, Self::Http1, Self::Http32, Self::Short1, Self::Short16],
            repeats: true,
        },
        Stage { loads: &[Self::Pile, Self::Open], repeats: false },
    ];

    /// For the progress lines.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Idle => "1,000 idle connections",
            Self::Bulk1 => "1 bulk stream",
            Self::Bulk8 => "8 bulk streams",
            Self::Http1 => "HTTP on 1 connection",
            Self::Http32 => "HTTP on 32 connections",
            Self::Short1 => "new connections, 1 in flight",
            Self::Short16 => "new connections, 16 in flight",
            Self::Pile => "30,000 short connections",
            Self::Open => "10,000 open connections",
        }
    }

    /// Runs it once through one data plane.
    pub(super) fn run(self, plane: &Plane, length: Duration) -> Result<Vec<Measured>> {
        match self {
            Self::Idle => hold::idle(plane),
            Self::Bulk1 => bulk::run(plane, length, 1, metric::BULK_1, metric::BULK_1_CPU),
            Self::Bulk8 => bulk::run(plane, length, 8, metric::BULK_8, metric::BULK_8_CPU),
            Self::Http1 => http::run(plane, length, 1, HTTP_1),
            Self::Http32 => http::run(plane, length, 32, HTTP_32),
            Self::Short1 => short::run(plane, length, 1, SHORT_1),
            Self::Short16 => short::run(plane, length, 16, SHORT_16),
            Self::Pile => short::pile(plane),
            Self::Open => hold::open(plane),
        }
    }
}

/// Adds what the data plane used, if there is one.
fn with_cpu(plane: &Plane, mut measured: Vec<Measured>, metric: Metric, value: f64) -> Vec<Measured> {
    if !plane.is_bare() {
        measured.push((metric, value));
    }
    measured
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).with_context(|| format!("weir-load printed something unexpected: {text}"))
}

const HTTP_1: [Metric; 4] = [metric::HTTP_1, metric::HTTP_1_P50, metric::HTTP_1_P99, metric::HTTP_1_CPU];
const HTTP_32: [Metric; 4] = [metric::HTTP_32, metric::HTTP_32_P50, metric::HTTP_32_P99, metric::HTTP_32_CPU];
const SHORT_1: [Metric; 4] = [metric::SHORT_1, metric::SHORT_1_P50, metric::SHORT_1_P99, metric::SHORT_1_CPU];
const SHORT_16: [Metric; 4] =
    [metric::SHORT_16, metric::SHORT_16_P50, metric::SHORT_16_P99, metric::SHORT_16_CPU];
