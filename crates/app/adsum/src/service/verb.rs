//! `adsum service rollback`, `abort`, `pause` and `resume`.

use adsum_model::Name;
use hyper::Method;
use serde_json::json;

use super::flags::WaitFlags;
use super::wait;
use crate::client::{Call, Client, Outcome};

const ROLLBACK_EXAMPLES: &str = "Examples:
  adsum service rollback web
  adsum service rollback web --format json --wait-timeout 2m

The version that was complete before takes the place of the current one: command, environment, check and what the
instances speak. Routes, replicas and the way of updates stay. Asked again, it goes back to where it came from.";

const ABORT_EXAMPLES: &str = "Examples:
  adsum service abort web

Like rollback, but only for a rollout that is under way or paused: a script that is too late changes nothing.";

const PAUSE_EXAMPLES: &str = "Examples:
  adsum service pause web
  adsum service rollouts web

What a slot has begun is finished, and instances that fail are replaced as always; nothing further is begun until
'adsum service resume web', 'adsum service abort web' or another update.";

const RESUME_EXAMPLES: &str = "Examples:
  adsum service resume web
  adsum service resume web --detach";

/// Go back to the version before, and wait until it is in place
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{ROLLBACK_EXAMPLES}\n\n{}", super::outcome::CODES))]
pub(super) struct Rollback {
    service: Name,
    #[command(flatten)]
    wait: WaitFlags,
}

/// Take back the rollout that is under way, and wait until the old version is in place
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{ABORT_EXAMPLES}\n\n{}", super::outcome::CODES))]
pub(super) struct Abort {
    service: Name,
    #[command(flatten)]
    wait: WaitFlags,
}

/// Begin nothing further of the rollout that is under way
#[derive(Debug, clap::Args)]
#[command(after_help = PAUSE_EXAMPLES)]
pub(super) struct Pause {
    service: Name,
}

/// Go on with a paused rollout, and wait until it is through
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{RESUME_EXAMPLES}\n\n{}", super::outcome::CODES))]
pub(super) struct Resume {
    service: Name,
    #[command(flatten)]
    wait: WaitFlags,
}

pub(super) async fn rollback(args: Rollback, client: &Client) -> Outcome {
    wish(client, &args.service, "rollback", &args.wait).await
}

pub(super) async fn abort(args: Abort, client: &Client) -> Outcome {
    wish(client, &args.service, "abort", &args.wait).await
}

pub(super) async fn resume(args: Resume, client: &Client) -> Outcome {
    wish(client, &args.service, "resume", &args.wait).await
}

pub(super) async fn pause(args: Pause, client: &Client) -> Outcome {
    let service = &args.service;
    let taken = wait::send(client, service, call(service, "pause"), false).await?;
    let said = if taken.changed { "is paused" } else { "was paused already" };
    eprintln!(
        "{service} {said}: 'adsum service resume {service}' goes on, 'adsum service abort {service}' goes back"
    );
    Ok(std::process::ExitCode::SUCCESS)
}

async fn wish(client: &Client, service: &Name, verb: &'static str, flags: &WaitFlags) -> Outcome {
    let taken = wait::send(client, service, call(service, verb), flags.is_json()).await?;
    wait::name(service, flags)?;
    wait::converged(client, service, taken.rollout, flags).await
}

fn call(service: &Name, verb: &str) -> Call {
    Call::new(Method::POST, super::path(service).join(verb)).json(&json!({}))
}
