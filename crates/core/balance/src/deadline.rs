//! Until when the answer of a request has to begin: what the service's policy gives it, or what its caller has left.

use std::time::{Duration, Instant};

use adsum_forward::seldom;
use http::{HeaderMap, HeaderName};

/// The caller's own deadline, in Unix milliseconds. It is passed on as it is, so that the whole chain knows it.
pub const X_REQUEST_DEADLINE: HeaderName = HeaderName::from_static("x-request-deadline");
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>: up to eight digits and a unit.
pub const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The present moment by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Instant,
    /// Unix milliseconds.
    pub wall: u64,
}

/// A moment, and whose patience ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    pub at: Instant,
    /// The caller has set it, not the policy.
    pub of_caller: bool,
}

/// Whose patience a request has: the caller's ends at its moment, whatever comes; the policy's begins when the whole
/// request has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    caller: Option<Instant>,
    policy: Duration,
}

impl Patience {
    /// `policy` is 0 when it has no end. What cannot be read of the headers is as if it were not there.
    pub(crate) fn new(policy: Duration, headers: &HeaderMap, moment: Moment) -> Patience {
        let rest = of_caller(headers, moment.wall);
        Patience { caller: rest.and_then(|rest| moment.now.checked_add(rest)), policy }
    }

    /// The caller's alone: the request is still coming.
    pub(crate) fn of_caller(&self) -> Option<Deadline> {
        self.caller.map(|at| Deadline { at, of_caller: true })
    }

    /// What ends first, for a request that was complete at `whole`.
    pub(crate) fn from(&self, whole: Instant) -> Option<Deadline> {
        let policy = Some(self.policy).filter(|policy| !policy.is_zero());
        let policy = policy.and_then(|policy| whole.checked_add(policy));
        match (policy, self.caller) {
            (Some(policy), Some(caller)) if policy < caller => {
                Some(Deadline { at: policy, of_caller: false })
            }
            (Some(at), None) => Some(Deadline { at, of_caller: false }),
            (_, Some(_)) => self.of_caller(),
            (None, None) => None,
        }
    }
}

fn of_caller(headers: &HeaderMap, wall: u64) -> Option<Duration> {
    let text = |name: &HeaderName| seldom(headers, name)?.to_str().ok();
    let deadline = text(&X_REQUEST_DEADLINE).and_then(|text| text.trim().parse::<u64>().ok());
    let deadline = deadline.map(|deadline| Duration::from_millis(deadline.saturating_sub(wall)));
    let timeout = text(&GRPC_TIMEOUT).and_then(read_grpc_timeout);
    deadline.into_iter().chain(timeout).min()
}

/// `250m` is 250 ms, `3S` three seconds.
fn read_grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok().filter(|_| digits.len() <= 8 && !digits.starts_with('+'))?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// What `grpc-timeout` says of the time that is left when a request is passed on: rounded down, so that nobody further
/// on waits for longer than its caller.
pub fn write_grpc_timeout(rest: Duration) -> String {
    const MOST: u128 = 99_999_999;
    let units = [
        (rest.as_nanos(), 'n'),
        (rest.as_micros(), 'u'),
        (rest.as_millis(), 'm'),
        (u128::from(rest.as_secs()), 'S'),
        (u128::from(rest.as_secs() / 60), 'M'),
    ];
    let fits = units.into_iter().find(|(count, _)| *count <= MOST);
    let (count, unit) = fits.unwrap_or((u128::from(rest.as_secs() / 3600).min(MOST), 'H'));
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts_are_read_in_all_their_units() {
        let read = |text| read_grpc_timeout(text);
        assert_eq!(read("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(read("1M"), Some(Duration::from_secs(60)));
        assert_eq!(read("99999999S"), Some(Duration::from_secs(99_999_999)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("7u"), Some(Duration::from_micros(7)));
        assert_eq!(read("7n"), Some(Duration::from_nanos(7)));
        for wrong in ["", "S", "1", "+1S", "-1S", "123456789S", "1s", "1 S", "1\u{fc}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_grpc_timeout_that_is_written_reads_as_no_more_than_it_was() {
        for nanos in [0, 1, 99_999_999, 100_000_000, 1_234_567_890, 60_000_000_000, 400_000_000_000_000_000] {
            let rest = Duration::from_nanos(nanos);
            let read = read_grpc_timeout(&write_grpc_timeout(rest)).unwrap();
            assert!(read <= rest && rest - read <= rest / 1000, "{rest:?} became {read:?}");
        }
    }

    #[test]
    fn the_earliest_deadline_counts_and_says_whose_it_is() {
        let moment = Moment { now: Instant::now(), wall: 1_000_000 };
        let of = |timeout, headers: &[(HeaderName, &'static str)]| {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.clone(), http::HeaderValue::from_static(value)))
                .collect();
            Patience::new(Duration::from_millis(timeout), &headers, moment)
                .from(moment.now)
                .map(|deadline| ((deadline.at - moment.now).as_millis(), deadline.of_caller))
        };
        assert_eq!(of(0, &[]), None);
        assert_eq!(of(500, &[]), Some((500, false)));
        assert_eq!(of(500, &[(X_REQUEST_DEADLINE, "1000200")]), Some((200, true)));
        assert_eq!(of(500, &[(X_REQUEST_DEADLINE, "1000900")]), Some((500, false)));
        assert_eq!(of(0, &[(X_REQUEST_DEADLINE, "999999")]), Some((0, true)), "it has passed already");
        assert_eq!(of(0, &[(GRPC_TIMEOUT, "1S"), (X_REQUEST_DEADLINE, "1000200")]), Some((200, true)));
        assert_eq!(of(0, &[(GRPC_TIMEOUT, "100m"), (X_REQUEST_DEADLINE, "1000200")]), Some((100, true)));
        assert_eq!(of(500, &[(GRPC_TIMEOUT, "soon"), (X_REQUEST_DEADLINE, "later")]), Some((500, false)));
    }
}
