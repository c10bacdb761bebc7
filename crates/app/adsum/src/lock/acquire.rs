//! Waiting for a lock: asked for again when the holder's key changes, which the agent tells by keyspace
//! notification, and when the holder's lease must be over.

use std::time::Duration;

use tokio::time::Instant;

use super::lease::Lease;
use super::resp::Connection;

/// The longest pause between two looks: notifications can be switched off.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Behind the end of a lease, for the agent to have seen it too.
const MARGIN: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acquired {
    Granted,
    /// Another holds it still; None when its lease does not end by itself.
    Held {
        rest: Option<Duration>,
    },
}

/// Takes the lock as soon as it is free, within `wait` when there is one.
pub(super) async fn acquire(lease: &mut Lease, wait: Option<Duration>) -> anyhow::Result<Acquired> {
    let deadline = wait.map(|wait| Instant::now() + wait);
    if lease.take().await? {
        return Ok(Acquired::Granted);
    }
    let mut news = subscribe(lease).await?;
    // What happened before we listened has no message: so look once more before the first pause.
    loop {
        if lease.take().await? {
            return Ok(Acquired::Granted);
        }
        let rest = lease.rest().await?;
        let now = Instant::now();
        let free = rest == Some(Duration::ZERO);
        if !free && deadline.is_some_and(|deadline| deadline <= now) {
            return Ok(Acquired::Held { rest });
        }
        let look = now + pause(rest);
        let look = deadline.filter(|deadline| *deadline > now).map_or(look, |deadline| look.min(deadline));
        // A message is any change of the key: whichever it was, taking the lock decides.
        tokio::time::timeout_at(look, news.receive()).await.ok().transpose()?;
    }
}

async fn subscribe(lease: &Lease) -> anyhow::Result<Connection> {
    let mut connection = lease.server().connect().await?;
    connection.call(&["SUBSCRIBE", &format!("__keyspace@0__:{}", lease.key())]).await?;
    Ok(connection)
}

fn pause(rest: Option<Duration>) -> Duration {
    rest.map_or(LONGEST_PAUSE, |rest| (rest + MARGIN).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_ends_with_the_holders_lease() {
        assert_eq!(pause(Some(Duration::from_millis(20))), Duration::from_millis(25));
        assert_eq!(pause(Some(Duration::from_secs(30))), LONGEST_PAUSE);
        assert_eq!(pause(None), LONGEST_PAUSE);
    }
}
