//! `adsum service inspect`.

use std::process::ExitCode;

use adsum_model::Name;
use serde_json::Value;

use super::view::{Service, check};
use crate::client::{Client, Outcome, view};
use crate::listing::{Format, print_json};
use crate::screen::print;

const EXAMPLES: &str = "Examples:
  adsum service inspect web
  adsum service inspect --format table web";

/// Show everything about a service
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    service: Name,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
    /// The same as --format table
    #[arg(long, conflicts_with = "format")]
    pretty: bool,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let json = client.get(super::path(&args.service)).await;
    let json = json.map_err(|error| super::missing(error, &args.service))?;
    match args.format {
        Format::Json if !args.pretty => print_json(&json)?,
        Format::Json | Format::Table => print(&pretty(&view(&json)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn pretty(service: &Service) -> String {
    let spec = &service.spec;
    let mut text = String::new();
    line(&mut text, "Name", &service.name);
    line(&mut text, "Version", &service.version.to_string());
    line(&mut text, "Replicas", &format!("{} of {} pass", service.proven(), spec.replicas));
    line(&mut text, "Command", &spec.command.join(" "));
    line(&mut text, "Check", &check(&spec.check));
    line(&mut text, "Exclusive", if spec.exclusive { "yes" } else { "no" });
    line(&mut text, "Tags", &spec.tags.join(", "));
    for (name, value) in &spec.rest {
        section(&mut text, name, value);
    }
    for instance in &service.instances {
        let state = format!("{} {} {}", instance.endpoint(), instance.phase.as_str(), instance.health());
        line(&mut text, &instance.name, &format!("{} version {} {state}", instance.id, instance.version));
    }
    if let Some(reason) = &service.maintenance {
        line(&mut text, "Maintenance", if reason.is_empty() { "yes" } else { reason });
    }
    if let Some(rollout) = &service.rollout {
        let because = rollout.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
        let what = format!("{} {}, {}{because}", rollout.number, rollout.versions(), rollout.stage);
        line(&mut text, "Rollout", &what);
    }
    for reason in &service.waiting_on {
        line(&mut text, "Waiting on", reason);
    }
    text
}

/// A part of the spec, a line for each of its settings.
fn section(text: &mut String, name: &str, value: &Value) {
    let title = name[..1].to_uppercase() + &name[1..].replace('_', " ");
    match value {
        Value::Null => {}
        Value::Object(parts) if parts.is_empty() => {}
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) => {
            text.push_str(&format!("{title}:\n"));
            items.iter().for_each(|item| text.push_str(&format!("  {}\n", plain(item))));
        }
        Value::Object(parts) => {
            text.push_str(&format!("{title}:\n"));
            for (name, value) in parts.iter().filter(|(_, value)| !value.is_null()) {
                line(text, &format!("  {name}"), &plain(value));
            }
        }
        _ => line(text, &title, &plain(value)),
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    text.push_str(format!("{:<18} {value}", format!("{name}:")).trim_end());
    text.push('\n');
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::rollout::Rollout;
    use super::super::view::tests::{instance, service};
    use super::*;
    use serde_json::json;

    #[test]
    fn pretty_shows_each_setting_on_its_line() {
        let mut service = service(vec![instance(1, 2, "running", "passing")]);
        service.spec.rest.insert("restart".into(), json!({"condition": "any", "max_attempts": null}));
        service.spec.rest.insert("workdir".into(), Value::Null);
        service.spec.rest.insert("routes".into(), json!(["Host(a)", "Host(b); priority=1"]));
        service.spec.rest.insert("publish".into(), json!([]));
        service.maintenance = Some("new disk".into());
        service.rollout =
            Some(Rollout { number: 3, from: Some(1), to: 2, stage: "rolling".into(), ..Rollout::default() });
        service.waiting_on.push("slot 2: its process to be started".into());
        let expect = "\
Name:              web
Version:           2
Replicas:          1 of 3 pass
Command:           web
Check:             -
Exclusive:         no
Tags:
Restart:
  condition:       any
Routes:
  Host(a)
  Host(b); priority=1
web.1:             id-1-2 version 2 127.0.0.1:20001 running passing
Maintenance:       new disk
Rollout:           3 version 1 to 2, rolling
Waiting on:        slot 2: its process to be started
";
        assert_eq!(pretty(&service), expect);
    }
}
