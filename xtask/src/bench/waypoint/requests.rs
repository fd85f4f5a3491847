//! Requests with wrk and h2load: each to another route than the one before.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::super::load::http::{Requests, parse};
use super::bench::Bench;
use super::proxy::Proxy;

/// HTTP/1.1: a request at a time on each connection.
pub(super) fn http1(bench: &Bench, proxy: &Proxy, connections: u32, length: Duration) -> Result<Requests> {
    let script = bench.file("routes.lua", SCRIPT)?;
    let url = format!("http://{}/", bench.at(proxy.http1_port()));
    let (connections, duration) = (connections.to_string(), format!("{}s", length.as_secs()));
    let routes = proxy.routes.count().to_string();
    let arguments =
        ["-t", "1", "-c", &connections, "-d", &duration, "--latency", "-s", &script, &url, "--", &routes];
    parse(&bench.output("wrk", &arguments, length)?.success()?)
}

/// HTTP/2: a number of streams on a few connections.
pub(super) fn http2(bench: &Bench, proxy: &Proxy, length: Duration) -> Result<Requests> {
    let (at, count) = (bench.at(proxy.http2_port()), proxy.routes.count());
    // Each client of h2load goes through the list from its beginning, so the order is not that of the routes.
    let route = |n: u32| format!("http://{at}/route/{}/item\n", n * STRIDE % count);
    let uris = bench.file("uris", &(0..count).map(route).collect::<String>())?;
    let log = bench.file("h2load.log", "")?;
    let duration = length.as_secs().to_string();
    let log_argument = format!("--log-file={log}");
    let arguments = ["-t", "1", "-c", "4", "-m", "8", "-D", &duration, "-i", &uris, &log_argument];
    let text = bench.output("h2load", &arguments, length)?.success()?;
    let log = std::fs::read_to_string(&log).with_context(|| format!("cannot read {log}"))?;
    summarise(&text, &log)
}

/// h2load says the rate; the latencies are in its log: begin, status and microseconds of each request.
fn summarise(text: &str, log: &str) -> Result<Requests> {
    let unexpected = || format!("h2load printed something unexpected:\n{text}");
    let line = text.lines().find(|line| line.starts_with("requests:")).with_context(unexpected)?;
    let number = |what: &str| -> Option<f64> {
        let word = line
            .split(", ")
            .map(|part| part.trim_start_matches("requests: "))
            .find_map(|part| part.strip_suffix(what))?;
        word.trim().parse().ok()
    };
    for bad in ["failed", "errored", "timeout"] {
        ensure!(number(bad).with_context(unexpected)? == 0.0, "h2load: {line}");
    }
    let finished = text.lines().find(|line| line.starts_with("finished in")).with_context(unexpected)?;
    let rate = finished.split(", ").find_map(|part| part.strip_suffix(" req/s")).with_context(unexpected)?;
    let mut times = Vec::new();
    for line in log.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            [_, "200", time] => times.push(time.parse::<u32>().with_context(|| format!("{line:?}"))?),
            _ => bail!("h2load: a request failed: {line:?}"),
        }
    }
    ensure!(!times.is_empty(), "h2load: there was no request");
    times.sort_unstable();
    let at = |part: f64| f64::from(times[((times.len() - 1) as f64 * part) as usize]);
    let count = number("succeeded").with_context(unexpected)?;
    Ok(Requests {
        per_second: rate.parse().with_context(unexpected)?,
        count,
        p50_us: at(0.5),
        p99_us: at(0.99),
    })
}

/// wrk asks for each request. A prime is no divisor of the number of routes, so all of them have their turn.
const SCRIPT: &str = "local count, at, requests = 1, 0, {}\n\
    function init(args)\n  count = tonumber(args[1])\n  \
    for n = 0, count - 1 do requests[n] = wrk.format('GET', '/route/' .. n .. '/item') end\nend\n\
    function request()\n  at = (at + 7919) % count\n  return requests[at]\nend\n";
const STRIDE: u32 = 7919;

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "finished in 2.00s, 29211.00 req/s, 2.54MB/s\n\
        requests: 3 total, 4 started, 3 done, 3 succeeded, 0 failed, 0 errored, 0 timeout\n\
        status codes: 3 2xx, 0 3xx, 0 4xx, 0 5xx\n";

    #[test]
    fn reads_rate_and_latency() {
        let log = "17\t200\t300\n18\t200\t100\n19\t200\t200\n";
        let want = Requests { per_second: 29211.0, count: 3.0, p50_us: 200.0, p99_us: 200.0 };
        assert_eq!(summarise(GOOD, log).unwrap(), want);
    }

    #[test]
    fn errors_are_not_averaged_away() {
        let log = "17\t200\t300\n";
        for text in [GOOD.replace("0 failed", "1 failed"), GOOD.replace("finished", "begun"), String::new()] {
            assert!(summarise(&text, log).is_err(), "{text}");
        }
        for log in ["17\t503\t300\n", "17\t-1\t300\n", "17\t200\n", ""] {
            assert!(summarise(GOOD, log).is_err(), "{log:?}");
        }
    }
}
