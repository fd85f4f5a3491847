//! Failures on purpose, and patience.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use weir_harness::until_ok;

use super::{Finding, SOON, Shop, istio, productpage, ratings, reviews, samples};

/// What only Istio's API can say: ratings fail for jason, or keep him waiting.
pub(super) fn delay_and_abort(shop: &Shop<'_>) -> Finding {
    shop.cluster.apply("routes", istio!("reviews-jason-v2"))?;
    shop.cluster.apply("faults", istio!("ratings-abort"))?;
    let outcome = abort(shop).and_then(|abort| {
        shop.cluster.apply("faults", istio!("ratings-delay"))?;
        Ok(format!("{abort}\n{}", delay(shop)?))
    });
    shop.cluster.delete("faults")?;
    outcome
}

fn abort(shop: &Shop<'_>) -> Finding {
    shop.soon(&ratings(), "jason", 500, "")?;
    let before = shop.book.asked("ratings-v1")?;
    for answer in shop.book.ask(&ratings(), "jason", 20)? {
        ensure!(answer.status == 500, "jason got {}", answer.status);
    }
    ensure!(shop.book.asked("ratings-v1")? == before, "ratings were asked");
    shop.soon(&productpage(), "jason", 200, "Ratings service is currently unavailable")?;
    ensure!(shop.one(&ratings(), "x")?.0 == 200, "others fail, too");
    Ok("VirtualService: abort: 20 of 20 requests of jason to ratings get 500 and none reaches it; his page says it; others get 200".into())
}

/// The made delay shows the classic bug: productpage waits for reviews less long than reviews waits for ratings.
fn delay(shop: &Shop<'_>) -> Finding {
    until_ok("ratings to keep jason waiting", SOON, || {
        let args = ["-sS", "-o", "/dev/null", "-H", "end-user: jason", "--max-time", "1"];
        let url = format!("http://{}", ratings());
        let done = shop.book.reader.output("curl", &[&args[..], &[&url]].concat())?;
        ensure!(done.status.code() == Some(28), "curl ended with {}: {}", done.status, done.stderr);
        Ok(())
    })?;
    let (direct, page) = std::thread::scope(|scope| {
        let direct = scope.spawn(|| timed(|| shop.one(&ratings(), "jason")));
        let page = timed(|| shop.one(&productpage(), "jason"));
        (direct.join(), page)
    });
    let ((status, _), direct) = direct.map_err(|_| anyhow::anyhow!("the request was lost"))??;
    ensure!(status == 200 && direct >= Duration::from_secs(7), "ratings: {status} after {direct:?}");
    ensure!(direct < Duration::from_secs(9), "ratings took {direct:?}, 7 s were asked for");
    let ((_, text), page) = page?;
    ensure!(text.contains("Error fetching product reviews!"), "his page after {page:?}: {text}");
    let ((_, text), other) = timed(|| shop.one(&productpage(), "x"))?;
    ensure!(
        other < Duration::from_secs(2) && text.contains("(v1)"),
        "another's page after {other:?}: {text}"
    );
    Ok(format!(
        "VirtualService: delay: ratings answer jason after {:.1} s; his page gives reviews up after {:.1} s; another's takes {} ms",
        direct.as_secs_f64(),
        page.as_secs_f64(),
        other.as_millis()
    ))
}

/// Reviews have half a second; ratings, of which they wait, take longer.
pub(super) fn timeout(shop: &Shop<'_>) -> Finding {
    let [istio, gateway] = samples!("reviews-timeout");
    // HTTPRoute makes no delays: the one of the other API keeps jason waiting, behind its time limit.
    let gateway = format!("{gateway}\n---\n{}", istio!("ratings-delay"));
    shop.each([istio, &gateway], || {
        shop.soon(&reviews(), "jason", 504, "")?;
        let ((status, text), after) = timed(|| shop.one(&reviews(), "jason"))?;
        ensure!(status == 504, "{status}: {text}");
        let limits = Duration::from_millis(500)..Duration::from_millis(1500);
        ensure!(limits.contains(&after), "504 after {after:?}, and 0.5 s are allowed");
        Ok(format!("reviews may take 0.5 s and wait longer for ratings: 504 after {} ms", after.as_millis()))
    })
}

fn timed<T>(what: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let begun = Instant::now();
    Ok((what()?, begun.elapsed()))
}
