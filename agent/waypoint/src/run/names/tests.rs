//! When names are asked for.

use super::*;
use std::collections::BTreeSet;

fn found(answer: Answer, ttl: u64) -> Found {
    Found { answer, ttl: Duration::from_secs(ttl) }
}

fn address() -> Answer {
    Answer::Addresses(vec![[192, 0, 2, 1].into()])
}

#[tokio::test(start_paused = true)]
async fn the_next_question_comes_when_the_answer_is_old() {
    let name = || "db.example".to_owned();
    let failed = || Answer::Failed("nobody answers".into());
    let cases: &[(&[Found], u64)] = &[
        (&[found(address(), 30)], 30),
        (&[found(address(), 0)], 1),
        (&[found(address(), 86_400)], 60),
        (&[found(Answer::None("no such name".into()), 0)], 5),
        (&[found(failed(), 0)], 1),
        (&[found(failed(), 0), found(failed(), 0), found(failed(), 0)], 4),
        (&[found(failed(), 0), found(address(), 7)], 7),
    ];
    for (answers, seconds) in cases {
        let mut schedule = Schedule::default();
        let now = Instant::now();
        schedule.want(&BTreeSet::from([name()]), now);
        for answer in *answers {
            schedule.answered(&name(), answer, now);
        }
        assert_eq!(schedule.next(), Some(now + Duration::from_secs(*seconds)), "{answers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_for_once_at_a_time() {
    let mut schedule = Schedule::default();
    let (now, names) = (Instant::now(), BTreeSet::from(["a.example".to_owned(), "b.example".to_owned()]));
    schedule.want(&names, now);
    assert_eq!(schedule.take_due(now), ["a.example", "b.example"]);
    schedule.want(&names, now);
    assert!(schedule.take_due(now).is_empty() && schedule.next().is_none());
    schedule.want(&BTreeSet::new(), now);
    schedule.answered("a.example", &found(address(), 9), now);
    assert_eq!(schedule.next(), None, "nobody wants it any more");
}
