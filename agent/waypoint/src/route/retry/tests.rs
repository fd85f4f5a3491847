use RetryOn::*;
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn policy(on: &[RetryOn], statuses: &[u32]) -> Retry {
    let on = on.iter().map(|cause| i32::from(*cause)).collect();
    let form = l7::Retry { attempts: 3, on, statuses: statuses.to_vec(), ..Default::default() };
    Retry::compile(&form).unwrap()
}

const ALL: [RetryOn; 13] = [
    FiveXx,
    GatewayError,
    Reset,
    ResetBeforeRequest,
    ConnectFailure,
    Retriable4xx,
    RefusedStream,
    GrpcCancelled,
    GrpcDeadlineExceeded,
    GrpcInternal,
    GrpcResourceExhausted,
    GrpcUnavailable,
    Ratelimited,
];

/// Each outcome, and the causes that take it for one.
#[rstest]
#[case::ok(200, None, &[])]
#[case::internal(500, None, &[FiveXx])]
#[case::not_implemented(501, None, &[FiveXx])]
#[case::bad_gateway(502, None, &[FiveXx, GatewayError])]
#[case::unavailable(503, None, &[FiveXx, GatewayError])]
#[case::timeout(504, None, &[FiveXx, GatewayError])]
#[case::conflict(409, None, &[Retriable4xx])]
#[case::not_found(404, None, &[])]
#[case::grpc_ok(200, Some(("grpc-status", "0")), &[])]
#[case::grpc_cancelled(200, Some(("grpc-status", "1")), &[GrpcCancelled])]
#[case::grpc_deadline(200, Some(("grpc-status", "4")), &[GrpcDeadlineExceeded])]
#[case::grpc_exhausted(200, Some(("grpc-status", "8")), &[GrpcResourceExhausted])]
#[case::grpc_internal(200, Some(("grpc-status", "13")), &[GrpcInternal])]
#[case::grpc_unavailable(200, Some(("grpc-status", "14")), &[GrpcUnavailable])]
#[case::grpc_nonsense(200, Some(("grpc-status", "x")), &[])]
#[case::ratelimited(503, Some(("x-envoy-ratelimited", "true")), &[Ratelimited])]
#[case::ratelimited_429(429, Some(("x-envoy-ratelimited", "true")), &[Ratelimited])]
fn responses(#[case] code: u16, #[case] header: Option<(&'static str, &str)>, #[case] expected: &[RetryOn]) {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header {
        headers.insert(name, value.parse().unwrap());
    }
    let outcome = TryOutcome::Response(StatusCode::from_u16(code).unwrap(), &headers);
    for cause in ALL {
        assert_eq!(policy(&[cause], &[]).wants(outcome), expected.contains(&cause), "{cause:?}");
    }
}

#[rstest]
#[case::connect(
    TryOutcome::ConnectFailure,
    &[FiveXx, GatewayError, Reset, ResetBeforeRequest, ConnectFailure]
)]
#[case::refused(TryOutcome::RefusedStream, &[FiveXx, GatewayError, Reset, RefusedStream])]
#[case::reset(TryOutcome::Reset { request_sent: true }, &[FiveXx, GatewayError, Reset])]
#[case::reset_early(
    TryOutcome::Reset { request_sent: false },
    &[FiveXx, GatewayError, Reset, ResetBeforeRequest]
)]
#[case::timed_out(TryOutcome::TimedOut, &[FiveXx, GatewayError, Reset])]
#[case::overflow(TryOutcome::Overflow, &[])]
fn failures(#[case] outcome: TryOutcome<'static>, #[case] expected: &[RetryOn]) {
    for cause in ALL {
        assert_eq!(policy(&[cause], &[]).wants(outcome), expected.contains(&cause), "{cause:?}");
    }
}

#[test]
fn statuses_beside_causes() {
    let headers = HeaderMap::new();
    let outcome = |code| TryOutcome::Response(StatusCode::from_u16(code).unwrap(), &headers);
    let policy = policy(&[], &[404, 500]);
    assert_eq!([404, 500, 503, 200].map(|code| policy.wants(outcome(code))), [true, true, false, false]);
}

#[test]
fn tries_are_counted() {
    let again = |done| policy(&[FiveXx], &[]).again(done, TryOutcome::TimedOut, 0).is_some();
    assert_eq!([0, 1, 2, 3, u32::MAX].map(again), [true, true, true, false, false]);
    let never = l7::Retry { on: vec![FiveXx.into()], ..Default::default() };
    assert_eq!(Retry::compile(&never).unwrap().again(0, TryOutcome::TimedOut, 0), None);
}

#[test]
fn istio_tries_twice() {
    let default = Retry::default();
    assert_eq!(default.attempts, 2);
    assert!(default.wants(TryOutcome::ConnectFailure));
    assert!(default.wants(TryOutcome::RefusedStream));
    assert!(!default.wants(TryOutcome::Reset { request_sent: false }));
    assert!(!default.wants(TryOutcome::Response(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new())));
}

#[rstest]
#[case::first(0, 25)]
#[case::second(1, 50)]
#[case::fourth(3, 200)]
#[case::capped(4, 250)]
#[case::far_beyond(u32::MAX, 250)]
fn the_longest_wait(#[case] done: u32, #[case] milliseconds: u64) {
    let policy = policy(&[], &[]);
    assert_eq!(policy.wait(done, u64::MAX), Duration::from_millis(milliseconds));
    assert_eq!(policy.wait(done, 0), Duration::ZERO);
}

proptest! {
    #[test]
    fn no_wait_is_longer_than_ten_times_the_first(
        done: u32,
        random: u64,
        seconds in 0..1_000_000_000_i64,
    ) {
        let backoff = Some(prost_types::Duration { seconds, nanos: 1 });
        let policy = Retry::compile(&l7::Retry { backoff, ..Default::default() }).unwrap();
        prop_assert!(policy.wait(done, random) <= policy.backoff * 10);
    }
}

#[rstest]
#[case::unspecified(l7::Retry { on: vec![0], ..Default::default() }, "on[0]")]
#[case::newer(l7::Retry { on: vec![1, 99], ..Default::default() }, "on[1]")]
#[case::status(l7::Retry { statuses: vec![99], ..Default::default() }, "statuses[0]")]
fn is_refused(#[case] form: l7::Retry, #[case] path: &str) {
    assert_eq!(Retry::compile(&form).unwrap_err().path, path);
}
