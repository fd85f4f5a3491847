//! The circuit breaker: what is too much is refused at once, and a pod that fails is left alone.

use anyhow::{Result, ensure};
use weir_harness::{Answer, until_ok};

use super::{Finding, SOON, Shop, istio, ratings};

/// Only DestinationRule can say it.
pub(super) fn check(shop: &mut Shop<'_>) -> Finding {
    shop.cluster.delete("routes")?;
    shop.cluster.apply("subsets", istio!("ratings-breaker"))?;
    let limits = limits(shop)?;
    let outlier = outlier(shop)?;
    Ok(format!("DestinationRule: {limits}\nDestinationRule: {outlier}"))
}

/// Ratings take their time, and so many ask at once.
fn limits(shop: &mut Shop<'_>) -> Finding {
    shop.book.restart("ratings-v1", &["--takes", "300"])?;
    until_ok("the limits to hold", SOON, || {
        let answers = at_once(shop)?;
        let good = answers.iter().filter(|status| **status == 200).count();
        let refused = answers.iter().filter(|status| **status == 503).count();
        ensure!(good + refused == CROWD, "{answers:?}");
        // One connection (each of the two workers may have one), and one that waits.
        ensure!((1..=3).contains(&good), "{good} of {CROWD} were answered");
        Ok(format!("{CROWD} at once, one connection, one may wait: {good} get 200, {refused} get 503"))
    })
}

fn at_once(shop: &Shop<'_>) -> Result<Vec<u16>> {
    let (url, crowd) = (format!("http://{}?[1-{CROWD}]", ratings()), CROWD.to_string());
    let mut args = vec!["-sS", "--parallel", "--parallel-immediate", "--parallel-max", &crowd];
    args.extend(["--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}\n", &url]);
    let text = shop.book.reader.output("curl", &args)?.success()?;
    Ok(text.lines().map(str::parse).collect::<Result<_, _>>()?)
}

/// Ratings fail; after the first time nobody is sent there.
fn outlier(shop: &mut Shop<'_>) -> Finding {
    shop.book.restart("ratings-v1", &["--fail-but-every", "1000000"])?;
    let times = 20;
    let answers = shop.book.ask(&ratings(), "x", times)?;
    ensure!(answers.iter().all(|answer| answer.status == 503), "{answers:?}");
    let own = |answer: &&Answer| answer.body["error"] == "told to fail";
    let (own, asked) = (answers.iter().filter(own).count(), shop.book.asked("ratings-v1")?);
    ensure!(own <= 1 && asked == 1, "the failing pod was asked {asked} times");
    let last = answers.last().map(|answer| answer.body.to_string()).unwrap_or_default();
    Ok(format!("the pod fails: {times} requests get 503, {asked} has reached it; the others are told {last}"))
}

/// How many ask at a time.
const CROWD: usize = 10;
