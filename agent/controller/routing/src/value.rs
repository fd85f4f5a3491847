//! Values that are more than text or a number. Each is checked while it is read, so that what is wrong has a path.

mod base64;
mod duration;
mod header;
mod host;
mod number;
mod pattern;
mod regex;
mod subnet;
mod target;

pub(crate) use base64::Bytes;
pub(crate) use duration::{GatewayDuration, IstioDuration};
pub(crate) use header::{HeaderName, HeaderValue, Token, envoy_operator, is_fixed};
pub use host::covers;
pub(crate) use host::{is_host, specificity};
pub(crate) use number::{Percent, Port, per_million};
pub(crate) use pattern::StringMatch;
pub(crate) use regex::{Regex, groups};
pub(crate) use subnet::Subnet;
pub(crate) use target::{authority, path};

use crate::problem::quoted;
