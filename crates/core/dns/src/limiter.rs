//! How many answers a network of clients gets over UDP: whoever forges the sender of his queries must not turn us
//! against somebody else.
//!
//! A bucket per network (a /24 of IPv4, a /56 of IPv6) holds the answers of one second, and fills at that rate. When it is
//! empty, every second query gets the hint to come again over TCP, which forgers cannot, and the others get nothing: so a
//! client that is caught between them still finds out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Networks that are known at a time; with more, those that have a full bucket are forgotten, and then all.
const NETWORKS: usize = 50_000;

/// What a query gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Answer,
    /// Come again over TCP.
    Truncate,
    Drop,
}

/// Decides query by query.
#[derive(Debug)]
pub struct Limiter {
    per_second: f64,
    networks: HashMap<u64, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    answers: f64,
    filled: Instant,
    /// The last one over the limit was dropped.
    dropped: bool,
}

impl Limiter {
    pub fn new(per_second: NonZeroU32) -> Limiter {
        Limiter { per_second: f64::from(per_second.get()), networks: HashMap::new() }
    }

    pub fn judge(&mut self, client: IpAddr, now: Instant) -> Verdict {
        let Some(network) = network(client) else { return Verdict::Answer };
        if self.networks.len() >= NETWORKS && !self.networks.contains_key(&network) {
            self.forget(now);
        }
        let full = self.per_second;
        let fresh = Bucket { answers: full, filled: now, dropped: false };
        self.networks.entry(network).or_insert(fresh).take(full, now)
    }

    fn forget(&mut self, now: Instant) {
        self.networks
            .retain(|_, bucket| now.saturating_duration_since(bucket.filled) < Duration::from_secs(1));
        if self.networks.len() >= NETWORKS {
            self.networks.clear();
        }
    }
}

impl Bucket {
    fn take(&mut self, full: f64, now: Instant) -> Verdict {
        let passed = now.saturating_duration_since(self.filled);
        self.answers = (self.answers + full * passed.as_secs_f64()).min(full);
        self.filled = now;
        if self.answers >= 1.0 {
            self.answers -= 1.0;
            return Verdict::Answer;
        }
        self.dropped = !self.dropped;
        if self.dropped { Verdict::Drop } else { Verdict::Truncate }
    }
}

/// None for this machine itself, whose senders nobody forges from outside.
fn network(client: IpAddr) -> Option<u64> {
    match client.to_canonical() {
        client if client.is_loopback() => None,
        IpAddr::V4(address) => Some(u64::from(address.to_bits() >> 8)),
        // Not to be taken for one of IPv4.
        IpAddr::V6(address) => Some((address.to_bits() >> 72) as u64 | 1 << 63),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn verdicts(limiter: &mut Limiter, from: &str, count: usize, now: Instant) -> Vec<Verdict> {
        (0..count).map(|_| limiter.judge(client(from), now)).collect()
    }

    #[test]
    fn a_network_gets_so_many_answers_a_second_and_half_of_the_rest_a_hint() {
        use Verdict::{Answer, Drop, Truncate};
        let (mut limiter, start) = (Limiter::new(NonZeroU32::new(3).unwrap()), Instant::now());
        let first = verdicts(&mut limiter, "10.0.0.1", 7, start);
        assert_eq!(first, [Answer, Answer, Answer, Drop, Truncate, Drop, Truncate]);
        // Neighbours share, others do not.
        assert_eq!(verdicts(&mut limiter, "10.0.0.99", 1, start), [Drop]);
        assert_eq!(verdicts(&mut limiter, "10.0.1.1", 1, start), [Answer]);
        assert_eq!(verdicts(&mut limiter, "2001:db8::1", 1, start), [Answer]);
        let later = start + Duration::from_millis(700);
        assert_eq!(verdicts(&mut limiter, "10.0.0.1", 3, later), [Answer, Answer, Truncate]);
        let much_later = start + Duration::from_secs(60);
        assert_eq!(verdicts(&mut limiter, "10.0.0.1", 4, much_later), [Answer, Answer, Answer, Drop]);
    }

    #[test]
    fn this_machine_has_no_limit_however_it_is_written() {
        let (mut limiter, now) = (Limiter::new(NonZeroU32::MIN), Instant::now());
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(verdicts(&mut limiter, own, 5, now), [Verdict::Answer; 5], "{own}");
        }
    }

    #[test]
    fn many_networks_take_no_more_room_than_there_is() {
        let (mut limiter, now) = (Limiter::new(NonZeroU32::MIN), Instant::now());
        for number in 0..200_000_u32 {
            limiter.judge(IpAddr::V4((0x0b00_0000 + number * 256).into()), now);
        }
        assert!(limiter.networks.len() <= NETWORKS);
    }
}
