//! Who answers: all, shares, users, mirrors.

use anyhow::{Result, ensure};
use weir_harness::{Bookinfo, until_ok};

use super::{Finding, SOON, Shop, productpage, samples};

/// Version 1 for everybody: a page without stars.
pub(super) fn all_to_v1(shop: &Shop<'_>) -> Finding {
    shop.each(samples!("all-v1", "reviews-v1"), || {
        shop.book.soon("x", &["v1"])?;
        let times = 20;
        for answer in shop.book.ask(&productpage(), "x", times)? {
            let page = answer.body.as_str().unwrap_or_default();
            ensure!(answer.status == 200 && page.contains("(v1)"), "{}: {page}", answer.status);
            ensure!(!page.contains("<font color"), "stars on a page of version 1: {page}");
        }
        Ok(format!("{times} of {times} pages of productpage have reviews by v1, no stars"))
    })
}

/// 90/10 and 50/50, each held against chance.
pub(super) fn weights(shop: &Shop<'_>) -> Finding {
    let tenth = shop.each(samples!("reviews-90-10"), || share(&shop.book, [("v1", 0.9), ("v2", 0.1)]))?;
    let half = shop.each(samples!("reviews-50-50"), || share(&shop.book, [("v2", 0.5), ("v3", 0.5)]))?;
    Ok(format!("{tenth}\n{half}"))
}

/// Whoever is logged in as jason, by the page and its session.
pub(super) fn jason(shop: &Shop<'_>) -> Finding {
    shop.each(samples!("reviews-jason-v2"), || {
        shop.book.soon("jason", &["v2"])?;
        shop.book.soon("x", &["v1"])?;
        let url = format!("http://{}", productpage());
        let page =
            |cookie: &str| Ok::<_, anyhow::Error>(shop.book.reader.curl_with(&["-b", cookie], &url)?.body);
        let (his, hers) = (page("session=jason")?, page("session=jane")?);
        ensure!(his.contains("(v2)") && his.contains("<font color=\"black\">"), "jason's page: {his}");
        ensure!(hers.contains("(v1)") && !hers.contains("<font color"), "jane's page: {hers}");
        Ok("logged in as jason: v2 with black stars; as jane: v1 without".into())
    })
}

/// Version 1 answers; version 3 is asked as often, and nobody sees its answers.
pub(super) fn mirror(shop: &Shop<'_>) -> Finding {
    shop.each(samples!("reviews-mirror"), || {
        let asked = |version: &str| shop.book.asked(&format!("reviews-{version}"));
        until_ok("a mirrored request", SOON, || {
            let before = asked("v3")?;
            shop.book.versions("x", 1)?;
            ensure!(asked("v3")? > before, "version 3 was not asked");
            Ok(())
        })?;
        let before = settled(shop)?;
        let times = 50;
        let seen = shop.book.versions("x", times)?;
        ensure!(seen.iter().all(|version| version == "v1"), "answers by {seen:?}");
        let wanted = before.map(|count| count + times as u64);
        until_ok("the last mirrored request", SOON, || {
            let found = settled(shop)?;
            ensure!(found == wanted, "v1 and v3 had {found:?} requests, not {wanted:?}");
            Ok(())
        })?;
        Ok(format!("{times} requests: {times} answers by v1; v1 counts {times} more, v3 counts {times} more"))
    })
}

/// What version 1 and 3 have counted.
fn settled(shop: &Shop<'_>) -> Result<[u64; 2]> {
    Ok([shop.book.asked("reviews-v1")?, shop.book.asked("reviews-v3")?])
}

fn share(book: &Bookinfo, wanted: [(&str, f64); 2]) -> Finding {
    book.soon("x", &wanted.map(|(version, _)| version))?;
    let seen = book.versions("x", REQUESTS)?;
    let count = |version: &str| seen.iter().filter(|seen| *seen == version).count();
    let found = wanted.map(|(version, share)| (version, count(version), share));
    let all: usize = found.iter().map(|(_, count, _)| count).sum();
    ensure!(all == REQUESTS, "{} answers by other versions", REQUESTS - all);
    let statistic = chi_square(&found.map(|(_, count, share)| (count as f64, share * REQUESTS as f64)));
    let text = found.map(|(version, count, share)| {
        format!("{version} {count} ({:.0} expected)", share * REQUESTS as f64)
    });
    ensure!(
        statistic < LIMIT,
        "{}: chi-square {statistic:.1}, chance alone stays below {LIMIT}",
        text.join(", ")
    );
    Ok(format!("{}; chi-square {statistic:.1}", text.join(", ")))
}

/// Found and expected of each category.
fn chi_square(counts: &[(f64, f64)]) -> f64 {
    counts.iter().map(|(found, expected)| (found - expected).powi(2) / expected).sum()
}

/// Answers for each share.
const REQUESTS: usize = 500;
/// One degree of freedom: chance alone passes it less than once in a million times.
const LIMIT: f64 = 23.93;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_does_passes_and_other_shares_do_not() {
        assert!(chi_square(&[(455.0, 450.0), (45.0, 50.0)]) < 1.0);
        assert!(chi_square(&[(425.0, 450.0), (75.0, 50.0)]) < LIMIT);
        assert!(chi_square(&[(400.0, 450.0), (100.0, 50.0)]) > LIMIT);
        assert!(chi_square(&[(310.0, 250.0), (190.0, 250.0)]) > LIMIT);
    }
}
