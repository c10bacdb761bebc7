//! `adsum kv switch`.

use std::process::ExitCode;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::change;
use crate::client::{Call, Client, Outcome, Path};
use crate::listing::{Format, FormatFlag, Listing, print_json};

const EXAMPLES: &str = "Examples:
  adsum kv switch alive/web --restart web
  adsum kv switch alive/web --event 'web is silent'
  adsum kv switch alive/web --webhook http://127.0.0.1:9000/silent
  adsum kv switch alive/web
  adsum kv switch
  adsum kv switch alive/web --off

A dead man's switch does something when a key expires: when whoever keeps the key alive (redis-cli SET alive/web 1 PX
5000, again and again) has fallen silent. It stays for the next time, and a key that is deleted does not set it off.";

/// Do something when a key expires, or see what would be done
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The key; all switches are listed without it
    #[arg(value_parser = super::key)]
    key: Option<String>,
    #[command(flatten)]
    action: Action,
    /// The database of the key
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..16))]
    db: Option<u8>,
    #[command(flatten)]
    listing: FormatFlag,
}

#[derive(Debug, clap::Args)]
#[group(multiple = false, requires = "key")]
struct Action {
    /// Put these words into the event log
    #[arg(long, value_name = "TEXT")]
    event: Option<String>,
    /// Send a POST to this address, until it is taken, for an hour at most
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Replace the instances of this service one by one
    #[arg(long, value_name = "SERVICE")]
    restart: Option<String>,
    /// Do nothing any more
    #[arg(long)]
    off: bool,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let path = Path::of(&["api", "switches"]);
    let Some(key) = &args.key else {
        let list = client.get(path.query_if("db", args.db)).await?;
        return show(&list, args.listing.format);
    };
    let path = path.join(key).query_if("db", args.db);
    let missing = |error: crate::client::Error| {
        error.when(StatusCode::NOT_FOUND, || {
            format!("key '{key}' has no switch: 'adsum kv switch' lists them")
        })
    };
    match args.action.json() {
        Some(action) => {
            client.send(Call::new(Method::PUT, path).json(&action)).await?;
        }
        None if args.action.off => {
            client.send(Call::new(Method::DELETE, path).own()).await.map_err(missing)?;
        }
        None => {
            let switch = client.get(path).await.map_err(missing)?;
            return show(&json!([switch]), args.listing.format);
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Action {
    fn json(&self) -> Option<Value> {
        let verbs = [("event", &self.event), ("webhook", &self.webhook), ("restart", &self.restart)];
        verbs.into_iter().find_map(|(verb, operand)| Some(json!({ verb: operand.as_ref()? })))
    }
}

fn show(list: &Value, format: Format) -> Outcome {
    if format == Format::Json {
        print_json(list)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut listing = Listing::new(&["DB", "KEY", "ACTION"]);
    for switch in list.as_array().into_iter().flatten() {
        listing.row([
            switch["db"].to_string(),
            change::bytes(switch, "key").unwrap_or_default(),
            action(switch),
        ]);
    }
    listing.print()?;
    Ok(ExitCode::SUCCESS)
}

fn action(switch: &Value) -> String {
    let verbs = ["event", "webhook", "restart"].into_iter();
    let actions = verbs.filter_map(|verb| Some(format!("{verb} {}", switch.get(verb)?.as_str()?)));
    actions.collect()
}
