//! The flags that `service create` and `service update` share: `docker service`'s names and meanings.

use std::path::PathBuf;
use std::time::Duration;

use adsum_model::print_duration;
use clap::ValueEnum;

use super::pace::{RollbackFlags, UpdateFlags};
use crate::usage::duration;

#[derive(Debug, Default, clap::Args)]
pub(super) struct SpecFlags {
    /// How many instances
    #[arg(long, value_name = "N")]
    pub(super) replicas: Option<u32>,
    /// Read environment variables from a file, one KEY=VALUE per line
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Vec<PathBuf>,
    /// The directory that the command starts in
    #[arg(long, value_name = "DIR")]
    pub(super) workdir: Option<PathBuf>,
    /// The user that instances run as; the agent has to be root
    #[arg(short, long, value_name = "UID|NAME[:GROUP]")]
    pub(super) user: Option<String>,
    #[command(flatten)]
    pub(super) limit: LimitFlags,
    #[command(flatten)]
    pub(super) check: CheckFlags,
    #[command(flatten)]
    pub(super) restart: RestartFlags,
    /// The signal that tells an instance to end
    #[arg(long, value_name = "SIGNAL")]
    pub(super) stop_signal: Option<String>,
    /// From that signal to SIGKILL
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) stop_grace_period: Option<Duration>,
    #[command(flatten)]
    pub(super) update: UpdateFlags,
    #[command(flatten)]
    pub(super) rollback: RollbackFlags,
    /// Never two instances on one slot's data: replaced stop-first
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(super) exclusive: Option<bool>,
    /// A tag in catalog and DNS; all those given are the service's tags
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,
}

/// What the processes of an instance may take together.
#[derive(Debug, Default, clap::Args)]
pub(super) struct LimitFlags {
    /// The most memory, swap included, such as 256m; 0 for no limit
    #[arg(long, value_name = "BYTES")]
    pub(super) limit_memory: Option<String>,
    /// The most processors, such as 0.5; 0 for no limit
    #[arg(long, value_name = "DECIMAL")]
    pub(super) limit_cpu: Option<String>,
    /// The most processes and threads; 0 for no limit
    #[arg(long, value_name = "N")]
    pub(super) limit_pids: Option<u32>,
}

#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct CheckFlags {
    /// Healthy when GET PATH on the instance's port answers 2xx
    #[arg(long, value_name = "PATH", group = "check")]
    pub(super) health_http: Option<String>,
    /// Healthy when the instance's port accepts a connection
    #[arg(long, group = "check")]
    pub(super) health_tcp: bool,
    /// Healthy when the shell command ends with 0
    #[arg(long, value_name = "CMD", group = "check")]
    pub(super) health_cmd: Option<String>,
    /// Healthy while the process lives
    #[arg(long, group = "check")]
    pub(super) no_healthcheck: bool,
    /// Between two probes of an instance
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) health_interval: Option<Duration>,
    /// How long a probe may take
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) health_timeout: Option<Duration>,
    /// Failures in a row that make an instance critical
    #[arg(long, value_name = "N")]
    pub(super) health_retries: Option<u32>,
    /// How long a starting instance may fail
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) health_start_period: Option<Duration>,
}

#[derive(Debug, Default, clap::Args)]
pub(super) struct RestartFlags {
    /// When an instance that ended is started again
    #[arg(long, value_enum)]
    pub(super) restart_condition: Option<RestartCondition>,
    /// The first pause before a restart; it doubles with each
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) restart_delay: Option<Duration>,
    /// Restarts before an instance is given up
    #[arg(long, value_name = "N")]
    pub(super) restart_max_attempts: Option<u32>,
    /// How long an instance has to stay up for its restarts to count from 1 again; 0 for never [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) restart_window: Option<Duration>,
}

/// What of the gateway a service gets, or gets in addition.
#[derive(Debug, Default, clap::Args)]
pub(super) struct RouteFlags {
    /// Requests that come to the service, such as 'Host(shop.local) && PathPrefix(/api); strip-prefix=/api'
    #[arg(long = "route", visible_alias = "route-add", value_name = "RULE")]
    pub(super) routes: Vec<String>,
    /// A port that the gateway opens for the service: 8080, 8080:80 or 5432/tcp
    #[arg(short, long, visible_alias = "publish-add", value_name = "PORT")]
    pub(super) publish: Vec<String>,
    /// A label; adsum.route.* and adsum.gateway.* are settings of the gateway
    #[arg(short, long = "label", visible_alias = "label-add", value_name = "KEY=VALUE", value_parser = label)]
    pub(super) labels: Vec<(String, String)>,
}

/// What of the gateway a service has no longer.
#[derive(Debug, Default, clap::Args)]
pub(super) struct RemoveFlags {
    /// Remove a route, named by its rule or by all of it
    #[arg(long, value_name = "RULE")]
    pub(super) route_rm: Vec<String>,
    /// Close a published port
    #[arg(long, value_name = "PORT")]
    pub(super) publish_rm: Vec<String>,
    /// Remove a label
    #[arg(long, value_name = "KEY")]
    pub(super) label_rm: Vec<String>,
}

/// Reads `KEY=VALUE`, or `KEY` for nothing.
fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    if key.is_empty() {
        return Err("it names no label: write KEY=VALUE".to_string());
    }
    Ok((key.to_string(), value.to_string()))
}

/// Of the commands that change services.
#[derive(Debug, clap::Args)]
pub(super) struct WaitFlags {
    /// Do not wait until the service has converged
    #[arg(short, long)]
    pub(super) detach: bool,
    /// How long to wait
    #[arg(long = "wait-timeout", alias = "timeout", value_name = "DURATION", value_parser = duration, default_value = "5m")]
    pub(super) timeout: Duration,
    /// How to tell the outcome: for people, or as one JSON document on standard output
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: OutcomeFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum OutcomeFormat {
    #[default]
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RestartCondition {
    Any,
    OnFailure,
    None,
}

impl RestartCondition {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RestartCondition::Any => "any",
            RestartCondition::OnFailure => "on-failure",
            RestartCondition::None => "none",
        }
    }
}

impl WaitFlags {
    pub(super) fn is_json(&self) -> bool {
        self.format == OutcomeFormat::Json
    }

    pub(super) fn patience(&self) -> String {
        print_duration(self.timeout)
    }
}
