//! The form of a cluster, compiled.

use std::{sync::Arc, time::Instant};

use weir_proto::l7;

use crate::{
    balance::{
        algorithm::Algorithm,
        breaker::Limits,
        budget::Budget,
        endpoint::Endpoint,
        locality::{Nearness, Own},
        outlier,
        warmup::Warmup,
    },
    route::{Reason, Rejection, Within as _},
};

/// What holds in a cluster until the next form.
#[derive(Debug)]
pub(in crate::balance) struct Settings {
    pub(in crate::balance) form: Arc<l7::Cluster>,
    pub(in crate::balance) algorithm: Algorithm,
    pub(in crate::balance) warmup: Option<Warmup>,
    pub(in crate::balance) nearness: Nearness,
    pub(in crate::balance) limits: Limits,
    pub(in crate::balance) budget: Option<Budget>,
    pub(in crate::balance) outlier: Option<outlier::Policy>,
    port: u16,
}

impl Settings {
    pub(super) fn compile(form: &l7::Cluster, own: &Own) -> Result<Settings, Rejection> {
        let port = u16::try_from(form.port).ok().filter(|port| *port != 0);
        let out_of_range = Reason::OutOfRange { value: form.port.into(), expected: "a port, 1 to 65535" };
        let port = port.ok_or(out_of_range).within("port")?;
        let balancer = form.load_balancer.clone().unwrap_or_default();
        let locality = balancer.locality.clone().unwrap_or_default();
        let warmup = balancer.warmup.as_ref().map(Warmup::compile).transpose();
        let limits = Limits::compile(&form.connection_pool.unwrap_or_default());
        let budget = form.retry_budget.as_ref().map(Budget::compile).transpose().within("retry_budget")?;
        let outlier = form.outlier_detection.as_ref().map(outlier::Policy::compile).transpose();
        Ok(Settings {
            form: Arc::new(form.clone()),
            algorithm: Algorithm::compile(&balancer).within("load_balancer")?,
            warmup: warmup.within("warmup").within("load_balancer")?.flatten(),
            nearness: Nearness::compile(&locality, own).within("locality").within("load_balancer")?,
            limits: if budget.is_some() { limits.without_retries() } else { limits },
            budget,
            outlier: outlier.within("outlier_detection")?,
            port,
        })
    }

    /// `None`: of another port or subset.
    pub(super) fn compile_endpoint(
        &self,
        form: &l7::Endpoint,
        now: Instant,
    ) -> Result<Option<Endpoint>, Rejection> {
        let subset = &self.form.subset;
        if !subset.is_empty() && !form.subsets.contains(subset) {
            return Ok(None);
        }
        Endpoint::compile(form, self.port, now)
    }

    /// Percent of healthy endpoints; with fewer, health is not looked at.
    pub(in crate::balance) fn panic_threshold(&self) -> u32 {
        self.outlier.as_ref().map_or(0, |outlier| outlier.min_health_percent)
    }

    /// In nanoseconds; the greatest number: never.
    pub(super) fn look_interval(&self) -> u64 {
        let interval = self.outlier.as_ref().map(|outlier| outlier.interval.as_nanos());
        interval.and_then(|interval| u64::try_from(interval).ok()).unwrap_or(u64::MAX)
    }
}
