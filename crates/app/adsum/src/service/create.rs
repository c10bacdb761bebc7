//! `adsum service create`.

use adsum_model::Name;
use hyper::{Method, StatusCode};

use super::draft::Draft;
use super::environment::Variable;
use super::flags::{RouteFlags, SpecFlags, WaitFlags};
use super::{outcome, wait};
use crate::client::{Call, Client, Error, Outcome};

const EXAMPLES: &str = "Examples:
  adsum service create --name web -- sh -c 'exec python3 -m http.server $PORT'
  adsum service create --name web --replicas 3 --health-http /healthz -- ./web --verbose
  adsum service create --name worker --no-healthcheck --env QUEUE=jobs -- ./worker
  adsum service create --name shop --route 'Host(shop.local)' --publish 9000 --replicas 3 -- ./shop
  adsum service create --name resizer --limit-memory 256m --limit-cpu 0.5 --limit-pids 100 --user nobody -- ./resizer
  adsum service create --name db --exclusive --if-absent --publish 5432/tcp -- ./db

A route is a rule of Host, Path, PathPrefix, Method and Header with &&, || and !, and behind ';' its options: priority,
weight, strip-prefix, replace-prefix, redirect-to-instance. 'adsum gateway routes' shows where requests go.

An instance finds the port that it is to listen on in PORT, and more in HOST and ADSUM_*. Unless the flags say
otherwise, there is one instance, it is healthy when its port accepts a connection, it is started again whenever it
ends, and it gets SIGTERM and 10s to end.";

/// Create a service and wait until all its instances pass
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", outcome::CODES))]
pub(super) struct Args {
    /// What the service is called, in the catalog and in DNS
    #[arg(long)]
    name: Name,
    /// An environment variable of the instances; KEY alone takes its value from here
    #[arg(short, long, value_name = "KEY=VALUE")]
    env: Vec<Variable>,
    /// A limit of each process, such as nofile=1024:2048
    #[arg(long, value_name = "NAME=SOFT[:HARD]")]
    ulimit: Vec<String>,
    #[command(flatten)]
    spec: SpecFlags,
    #[command(flatten)]
    routing: RouteFlags,
    /// Leave the service as it is when there is one already
    #[arg(long)]
    if_absent: bool,
    #[command(flatten)]
    wait: WaitFlags,
    /// What an instance runs; a relative path is one of the current directory
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let here = std::env::current_dir()?;
    let mut draft = Draft::of(&args.spec, &here)?;
    draft.add_variables(&args.env);
    draft.add_ulimits(&args.ulimit);
    draft.add_routing(&args.routing);
    draft.command(&args.command, &here);
    let call = Call::new(Method::PUT, super::path(&args.name)).header("if-none-match", "*");
    let rollout = match client.send(call.json(&draft.into_json())).await {
        Err(error) if args.if_absent && error.status() == Some(StatusCode::PRECONDITION_FAILED) => None,
        Err(error) => {
            let error = exists(error, &args.name);
            return Err(outcome::refused(error, Some(args.name.as_str()), args.wait.is_json()));
        }
        Ok(answer) => wait::Taken::of(&answer.json()?).rollout,
    };
    wait::name(&args.name, &args.wait)?;
    wait::converged(client, &args.name, rollout, &args.wait).await
}

fn exists(error: Error, name: &Name) -> Error {
    error.when(StatusCode::PRECONDITION_FAILED, || {
        format!("service '{name}' exists already: change it with 'adsum service update {name}', or pass --if-absent")
    })
}
