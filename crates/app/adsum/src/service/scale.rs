//! `adsum service scale`.

use std::collections::BTreeMap;
use std::str::FromStr;

use adsum_model::Name;
use hyper::Method;
use serde_json::json;

use super::flags::WaitFlags;
use super::{outcome, wait};
use crate::client::{Call, Client, Outcome, Path};
use crate::screen::print_line;
use crate::usage::Usage;

const EXAMPLES: &str = "Examples:
  adsum service scale web=5
  adsum service scale web=3 worker=10 --detach

Several services are scaled together or not at all, and waited for in this order. With --format json there is a list of
outcomes, one for each service.";

/// Change how many instances services have
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", outcome::CODES))]
pub(super) struct Args {
    #[arg(required = true, value_name = "SERVICE=REPLICAS")]
    services: Vec<Scale>,
    #[command(flatten)]
    wait: WaitFlags,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Scale {
    service: Name,
    replicas: u32,
}

impl FromStr for Scale {
    type Err = String;

    fn from_str(text: &str) -> Result<Scale, String> {
        let (service, replicas) = text.split_once('=').ok_or("write it like web=3")?;
        let service = service.parse().map_err(|error: adsum_model::NameError| error.to_string())?;
        let replicas = replicas.parse().map_err(|_| format!("'{replicas}' is no number of instances"))?;
        Ok(Scale { service, replicas })
    }
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let wanted = wanted(&args.services)?;
    let call = Call::new(Method::POST, Path::of(&["api", "scale"])).json(&json!({"services": wanted}));
    let as_json = args.wait.is_json();
    client.send(call).await.map_err(|error| outcome::refused(error, None, as_json))?;
    for Scale { service, replicas } in args.services.iter().filter(|_| !as_json) {
        print_line(&format!("{service} scaled to {replicas}"))?;
    }
    let mut reports = Vec::new();
    for Scale { service, replicas } in &args.services {
        reports.push(wait::scaled(client, service, *replicas, &args.wait).await?);
    }
    outcome::conclude(&reports, &args.wait)
}

fn wanted(services: &[Scale]) -> Result<BTreeMap<&str, u32>, Usage> {
    let mut wanted = BTreeMap::new();
    for Scale { service, replicas } in services {
        if wanted.insert(service.as_str(), *replicas).is_some() {
            return Err(Usage(format!(
                "{service} is named twice: say once how many instances it is to have"
            )));
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_names_a_service_and_a_number() {
        assert_eq!("web=5".parse(), Ok(Scale { service: "web".parse().unwrap(), replicas: 5 }));
        assert_eq!("web".parse::<Scale>(), Err("write it like web=3".to_string()));
        assert_eq!("web=-1".parse::<Scale>(), Err("'-1' is no number of instances".to_string()));
        assert!("Web=1".parse::<Scale>().unwrap_err().contains("'W'"));
    }

    #[test]
    fn a_service_is_scaled_once() {
        let twice = ["a=1".parse().unwrap(), "a=2".parse().unwrap()];
        assert!(wanted(&twice).is_err());
        assert_eq!(wanted(&twice[..1]).unwrap(), BTreeMap::from([("a", 1)]));
    }
}
