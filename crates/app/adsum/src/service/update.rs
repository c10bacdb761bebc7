//! `adsum service update`.

use adsum_model::Name;
use hyper::Method;

use super::draft::Draft;
use super::environment::Variable;
use super::flags::{RemoveFlags, RouteFlags, SpecFlags, WaitFlags};
use super::{outcome, wait};
use crate::client::{Call, Client, Outcome};
use crate::usage::Usage;

const EXAMPLES: &str = "Examples:
  adsum service update web --env-add COLOR=blue --env-rm DEBUG
  adsum service update web --limit-memory 512m --ulimit-add nofile=4096 --ulimit-rm nproc
  adsum service update web --health-http /healthz --health-interval 2s
  adsum service update web --route 'Host(www.shop.local)' --route-rm 'Host(shop.local)' --publish-rm 9000
  adsum service update web --label adsum.gateway.retries=1
  adsum service update web --update-parallelism 2 --update-monitor 30s --update-max-failure-ratio 0.1 -- ./web-2
  adsum service update web --update-failure-action pause --format json -- ./web-2 --verbose
  adsum service update web --force

What is not named stays as it is. A changed environment, directory, user, limit, check or command makes a new version: its
instances replace the others one after the other. The first ones have to stay well for --update-monitor before anything of
the old version is taken away; when more fail than --update-max-failure-ratio allows, it goes back by itself
(--update-failure-action).";

/// Change a service and wait until the change is through
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", outcome::CODES))]
pub(super) struct Args {
    service: Name,
    /// Add or change an environment variable; KEY alone takes its value from here
    #[arg(short, long, visible_alias = "env-add", value_name = "KEY=VALUE")]
    env: Vec<Variable>,
    /// Remove an environment variable
    #[arg(long, value_name = "KEY")]
    env_rm: Vec<String>,
    /// Set a limit of each process, such as nofile=1024:2048
    #[arg(long, visible_alias = "ulimit-add", value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
    /// Remove a limit of each process
    #[arg(long, value_name = "NAME")]
    ulimit_rm: Vec<String>,
    #[command(flatten)]
    spec: SpecFlags,
    #[command(flatten)]
    routing: RouteFlags,
    #[command(flatten)]
    removed: RemoveFlags,
    /// Replace all instances, also when nothing changes what they run
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    wait: WaitFlags,
    /// What an instance runs from now on; a relative path is one of the current directory
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let here = std::env::current_dir()?;
    let mut draft = Draft::of(&args.spec, &here)?;
    draft.remove_variables(&args.env_rm);
    draft.add_variables(&args.env);
    draft.change_ulimits(&args.ulimit, &args.ulimit_rm);
    draft.change_routing(&args.routing, &args.removed);
    draft.command(&args.command, &here);
    if draft.is_empty() && !args.force {
        let words =
            format!("nothing to change in {}: 'adsum service update --help' shows what can be", args.service);
        return Err(Usage(words).into());
    }
    let path = super::path(&args.service).query_if("force", args.force.then_some(true));
    let call = Call::new(Method::PATCH, path).json(&draft.into_patch());
    let taken = wait::send(client, &args.service, call, args.wait.is_json()).await?;
    if !taken.changed {
        eprintln!("{} is as wanted already", args.service);
    }
    wait::name(&args.service, &args.wait)?;
    wait::updated(client, &args.service, &taken, &args.wait).await
}
