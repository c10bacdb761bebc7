//! `adsum node drain` and `adsum node activate`.

use std::process::ExitCode;
use std::time::Duration;

use adsum_model::Name;
use hyper::Method;
use serde_json::json;

use super::ls::Node;
use crate::client::{AGAIN, Call, Client, Error, Outcome, Path, view};
use crate::screen::print_line;
use crate::service::Refused;
use crate::usage::duration;

const DRAIN_EXAMPLES: &str = "Examples:
  adsum node drain one
  adsum node drain one --force --detach

No new instance comes to the node; those that are there finish what they have in flight and leave. Where there is another
active node, an instance leaves when its replacement passes there. The only active one is drained by --force alone: what it
has is finished and ends, requests are answered 503 from then on, and 'adsum node activate' brings as many instances back.";

const ACTIVATE_EXAMPLES: &str = "Examples:
  adsum node activate one";

/// Let the instances of a node leave and none come, and wait until it is empty
#[derive(Debug, clap::Args)]
#[command(after_help = DRAIN_EXAMPLES)]
pub(super) struct Drain {
    node: Name,
    /// Even if it is the only active node: no service has an instance until it is activated
    #[arg(long)]
    force: bool,
    /// Do not wait
    #[arg(short, long)]
    detach: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "5m")]
    wait_timeout: Duration,
}

/// Let instances come to a node again
#[derive(Debug, clap::Args)]
#[command(after_help = ACTIVATE_EXAMPLES)]
pub(super) struct Activate {
    node: Name,
}

pub(super) async fn drain(args: Drain, client: &Client) -> Outcome {
    send(client, &args.node, "drain", &json!({"force": args.force})).await?;
    print_line(args.node.as_str())?;
    if args.detach {
        return Ok(ExitCode::SUCCESS);
    }
    tokio::select! {
        emptied = tokio::time::timeout(args.wait_timeout, emptied(client, &args.node)) => match emptied {
            Ok(emptied) => emptied?,
            Err(_elapsed) => {
                let patience = adsum_model::print_duration(args.wait_timeout);
                eprintln!("error: node {} is not empty within {patience}", args.node);
                return Ok(ExitCode::from(3));
            }
        },
        interrupt = tokio::signal::ctrl_c() => {
            interrupt?;
            let node = &args.node;
            eprintln!("stopped waiting; the drain goes on: 'adsum node activate {node}' calls it off");
            return Ok(ExitCode::from(3));
        }
    }
    eprintln!(
        "node {0} runs no instance any more: 'adsum node activate {0}' lets them come again",
        args.node
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn activate(args: Activate, client: &Client) -> Outcome {
    send(client, &args.node, "activate", &json!({})).await?;
    print_line(args.node.as_str())?;
    Ok(ExitCode::SUCCESS)
}

async fn send(client: &Client, node: &Name, verb: &str, body: &serde_json::Value) -> anyhow::Result<()> {
    let call = Call::new(Method::POST, Path::of(&["api", "nodes", node.as_str(), verb])).json(body);
    match client.send(call).await {
        Ok(_) => Ok(()),
        Err(error @ Error::Refused(_)) => Err(Refused(error).into()),
        Err(error) => Err(error.into()),
    }
}

async fn emptied(client: &Client, node: &Name) -> anyhow::Result<()> {
    let mut said = None;
    loop {
        let nodes: Vec<Node> = view(&client.get(Path::of(&["api", "nodes"])).await?)?;
        let left = nodes.iter().find(|other| other.name == node.as_str()).map_or(0, |node| node.instances);
        if left == 0 {
            return Ok(());
        }
        if said.replace(left) != Some(left) {
            eprintln!("overall progress: {left} instances still to leave");
        }
        tokio::time::sleep(AGAIN).await;
    }
}
