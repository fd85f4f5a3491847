//! What is said of a request or a connection when it is over: Istio's metrics and a line in the access log.

mod account;
mod flags;
mod labels;
mod log;
mod meter;
mod metrics;
mod seen;
mod series;

pub(crate) use account::{Account, Ledger};
pub use flags::Flags;
pub(crate) use labels::PairLabels;
pub use labels::{Party, ServiceName, Value};
pub use log::{AccessLog, Form};
pub(crate) use meter::Meter;
pub use metrics::Metrics;
pub(crate) use metrics::TcpSeries;
pub(crate) use series::SeriesCache;
