//! `adsum lock`: a command that runs while it holds a lock.
//!
//! ```text
//! LOCK --- the fence ---> the command runs, the lease is renewed --- it ends ---> UNLOCK, its exit code
//!    |                                       |
//!    +-- --wait is over: 1                   +--- the lease is lost: the command is ended, 1
//! ```

mod acquire;
mod child;
mod lease;
mod observe;
mod resp;
mod signals;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{Client, Outcome, Path, random_token};
use crate::listing::FormatFlag;
use crate::usage::duration;
use acquire::{Acquired, Owner, Wanted};
use child::Child;
use lease::{Lease, Released};
use resp::Server;
use signals::Signals;

const EXAMPLES: &str = "Examples:
  adsum lock /locks/backup -- ./backup.sh
  adsum lock /locks/deploy --ttl 10s --wait 1m -- make deploy
  adsum lock /locks/once --wait 0 -- ./only-one-of-us
  adsum lock /locks/encoders -n 3 -- ./encode.sh
  adsum lock /leader --owner $(hostname) -- ./lead.sh
  adsum lock /leader --observe

Whoever waits is served in the order of arrival. The command finds ADSUM_LOCK_KEY and ADSUM_LOCK_FENCE in its
environment: with them its writes are refused once the lock is another's (redis-cli SET key value FENCE $ADSUM_LOCK_KEY
$ADSUM_LOCK_FENCE). When the lock is lost, the command gets SIGTERM, after 5 s SIGKILL, and 'adsum lock' ends with 1.
Otherwise it ends with the command's exit code.";

/// Run a command while holding a lock, or see who holds it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[arg(value_parser = key)]
    key: String,
    /// So many may hold it at once: the lock is a free one of KEY:1 to KEY:N
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    holders: Option<u32>,
    /// How long the lock outlives a holder that has died; it is renewed three times as often
    #[arg(long, value_name = "DURATION", value_parser = ttl, default_value = "30s")]
    ttl: Duration,
    /// How long to wait for the lock while another holds it [default: as long as it takes]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Who holds it, as others see it [default: a name that nobody else has]
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Print who holds the lock, and every change of that
    #[arg(long, conflicts_with_all = ["command", "holders", "wait", "owner"])]
    observe: bool,
    /// Where the agent serves Redis clients [default: what the agent says]
    #[arg(long, value_name = "ADDRESS", env = "ADSUM_RESP_ADDR")]
    resp_addr: Option<String>,
    #[command(flatten)]
    listing: FormatFlag,
    #[arg(last = true, required_unless_present = "observe", value_name = "COMMAND")]
    command: Vec<OsString>,
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    if args.observe {
        return observe::run(&args.key, args.listing.format, client).await;
    }
    let wanted = Wanted {
        server: Server { address: server(&args, client).await? },
        owner: args.owner.map_or_else(|| Owner::Unique(unique()), Owner::Given),
        key: args.key,
        ttl: args.ttl,
        wait: args.wait,
        holders: args.holders,
    };
    let mut signals = Signals::catch()?;
    let acquired = tokio::select! {
        acquired = wanted.acquire() => Some(acquired),
        _ = signals.next() => None,
    };
    match acquired {
        Some(Ok(Acquired::Granted(lease))) => hold(lease, &args.command, signals).await,
        Some(Ok(Acquired::Held)) => anyhow::bail!(held(&wanted, wanted.rest().await)),
        // The grant may have been given, and only its answer lost.
        Some(Err(error)) => {
            wanted.give_back().await;
            Err(error)
        }
        None => {
            wanted.give_back().await;
            anyhow::bail!("interrupted before the lock on '{}' was granted", wanted.key)
        }
    }
}

/// Tells people where the holder is, and is nobody else's name.
fn unique() -> String {
    let host = nix::unistd::gethostname().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{host}:{}:{}", std::process::id(), random_token())
}

/// Runs the command to its end, or to that of the lease.
async fn hold(mut lease: Lease, command: &[OsString], mut signals: Signals) -> Outcome {
    let mut child = match Child::start(command, lease.key(), lease.fence()) {
        Ok(child) => child,
        Err(error) => {
            lease.release().await.ok();
            return Err(error);
        }
    };
    loop {
        tokio::select! {
            code = child.wait() => return finish(lease, code?).await,
            lost = lease.keep() => {
                eprintln!("error: the lock on '{}' is lost: {lost}; the command is ended", lease.key());
                child.end(&mut signals).await?;
                return Ok(ExitCode::FAILURE);
            }
            signal = signals.next() => child.signal(signal),
        }
    }
}

async fn finish(lease: Lease, code: ExitCode) -> Outcome {
    match lease.release().await {
        Ok(Released::Done) => Ok(code),
        Ok(Released::WasLost) => {
            anyhow::bail!("the lock on '{}' was lost before the command had ended", lease.key())
        }
        Err(error) => {
            let ttl = adsum_model::print_duration(lease.ttl());
            eprintln!(
                "warning: the lock on '{}' is not released, and ends by itself within {ttl}: {error:#}",
                lease.key()
            );
            Ok(code)
        }
    }
}

/// The address that was given, or else what the agent says of its own.
async fn server(args: &Args, client: &Client) -> anyhow::Result<String> {
    if let Some(address) = &args.resp_addr {
        return Ok(address.clone());
    }
    let status = client.get(Path::of(&["api", "status"])).await?;
    let address = status["faces"]["resp"].as_str();
    let address = address.ok_or_else(|| {
        anyhow::anyhow!("the agent at {} serves no Redis clients: pass --resp-addr", client.address())
    })?;
    Ok(reachable(address, &client.address().host))
}

/// An agent that listens everywhere is found where it answered us.
fn reachable(address: &str, host: &str) -> String {
    match address.parse::<std::net::SocketAddr>() {
        Ok(socket) if socket.ip().is_unspecified() && host.contains(':') => {
            format!("[{host}]:{}", socket.port())
        }
        Ok(socket) if socket.ip().is_unspecified() => format!("{host}:{}", socket.port()),
        Ok(_) | Err(_) => address.to_string(),
    }
}

fn held(wanted: &Wanted, rest: Option<Duration>) -> String {
    let key = &wanted.key;
    let waited = wanted.wait.filter(|wait| !wait.is_zero());
    let waited = waited.map_or(String::new(), |wait| format!(" after {}", adsum_model::print_duration(wait)));
    if let Some(holders) = wanted.holders {
        return format!("{holders} others hold the lock on '{key}'{waited}: wait longer with --wait");
    }
    let rest = rest.map_or_else(
        || "without an end of its own".to_string(),
        |rest| format!("for another {} unless it is renewed", adsum_model::print_duration(rounded(rest))),
    );
    format!("another holds the lock on '{key}'{waited}, {rest}: wait longer with --wait")
}

/// Milliseconds are of interest in the last second only.
fn rounded(rest: Duration) -> Duration {
    if rest < Duration::from_secs(1) {
        rest
    } else {
        Duration::from_secs(rest.as_millis().div_ceil(1000) as u64)
    }
}

fn key(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a key must not be empty".to_string()) } else { Ok(text.to_string()) }
}

/// Below that, one slow answer costs the lock.
fn ttl(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(300);
    let ttl = duration(text).map_err(|error| error.to_string())?;
    if ttl < LEAST { Err("300ms is the least".to_string()) } else { Ok(ttl) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_another_holds_says_for_how_long() {
        let rest = Some(Duration::from_millis(12_300));
        let mut wanted = Wanted {
            server: Server { address: String::new() },
            key: "/l".to_string(),
            owner: Owner::Given("me".to_string()),
            ttl: Duration::from_secs(1),
            wait: Some(Duration::from_secs(10)),
            holders: None,
        };
        assert_eq!(
            held(&wanted, rest),
            "another holds the lock on '/l' after 10s, for another 13s unless it is renewed: wait longer with --wait"
        );
        wanted.wait = Some(Duration::ZERO);
        assert_eq!(
            held(&wanted, None),
            "another holds the lock on '/l', without an end of its own: wait longer with --wait"
        );
    }

    #[test]
    fn an_agent_that_listens_everywhere_is_found_where_it_answered() {
        assert_eq!(reachable("0.0.0.0:6379", "node-1"), "node-1:6379");
        assert_eq!(reachable("[::]:6379", "::1"), "[::1]:6379");
        assert_eq!(reachable("10.0.0.5:6379", "node-1"), "10.0.0.5:6379");
    }

    #[test]
    fn a_ttl_leaves_room_for_its_renewals() {
        assert_eq!(ttl("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(ttl("10ms"), Err("300ms is the least".to_string()));
    }
}
