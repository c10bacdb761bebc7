//! How long to wait before the next attempt: twice as long each time, up to a limit.

use std::time::Duration;

pub struct Backoff {
    next: Duration,
    limit: Duration,
}

impl Backoff {
    pub fn between(first: Duration, limit: Duration) -> Backoff {
        Backoff { next: first, limit }
    }

    /// For calls over the network: 50 ms to 2 s.
    pub fn network() -> Backoff {
        Backoff::between(Duration::from_millis(50), Duration::from_secs(2))
    }

    pub fn next(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(self.limit);
        now
    }

    pub async fn sleep(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_limit() {
        let mut backoff = Backoff::between(Duration::from_millis(50), Duration::from_millis(500));
        let waits: Vec<_> = (0..6).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 500, 500]);
    }
}
