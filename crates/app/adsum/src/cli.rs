//! The command line as a whole: the subcommands and the flags that all of them share.

use clap::{Parser, Subcommand};

use crate::client::Address;
use crate::{
    agent, catalog, completions, demo, events, gateway, keeper, kv, lock, maint, node, service, snapshot,
    status,
};

const EXAMPLES: &str = "Examples:
  adsum agent --dev
  adsum service create --name web --replicas 3 -- sh -c 'exec python3 -m http.server $PORT'
  adsum service ps web
  adsum demo chirp

Exit codes: 0 done, 1 failed, 2 wrong usage. The commands that deploy have more: see their --help.";

#[derive(Debug, Parser)]
#[command(
    name = "adsum",
    version,
    about = "Deploys, scales, coordinates, discovers and routes to microservices, from one binary",
    after_help = EXAMPLES,
    arg_required_else_help = true,
    subcommand_required = true
)]
pub(crate) struct Cli {
    /// The agent that a command talks to [env: ADSUM_HTTP_ADDR] [default: 127.0.0.1:8500]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) addr: Option<Address>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Agent(agent::Args),
    Demo(demo::Args),
    #[command(hide = true)]
    Keeper(keeper::Args),
    Service(service::Args),
    Kv(kv::Args),
    Lock(lock::Args),
    Catalog(catalog::Args),
    Gateway(gateway::Args),
    Node(node::Args),
    Maint(maint::Args),
    Status(status::Args),
    Events(events::Args),
    Snapshot(snapshot::Args),
    Completions(completions::Args),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    /// Every subcommand with its own, by their words.
    fn all(command: &clap::Command, words: &str) -> Vec<(String, clap::Command)> {
        let below =
            command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help");
        let below = below.flat_map(|below| all(below, &format!("{words} {}", below.get_name())));
        let below: Vec<_> = below.collect();
        [(words.to_string(), command.clone())].into_iter().chain(below).collect()
    }

    #[test]
    fn the_commands_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_help_with_examples_of_itself() {
        let mut cli = Cli::command();
        cli.build();
        for (words, mut command) in all(&cli, "adsum") {
            let help = command.render_long_help().to_string();
            assert!(command.get_about().is_some(), "{words} says what it does");
            assert!(
                command.has_subcommands()
                    || help.contains(&format!("  {words}"))
                    || help.contains(&format!("| {words}")),
                "{help}"
            );
        }
    }

    #[track_caller]
    fn refused(words: &str, expect: &str) {
        let error = Cli::try_parse_from(words.split(' ')).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{words}: {error}");
        assert!(error.to_string().contains(expect), "{words}: {error}");
    }

    #[test]
    fn wrong_usage_ends_with_2_and_names_the_value() {
        refused("adsum", "Usage: adsum");
        refused("adsum frobnicate", "frobnicate");
        refused("adsum service", "Usage: adsum service");
        refused("adsum service create --name web", "COMMAND");
        refused("adsum service create --name Web -- x", "name 'Web' has 'W'");
        refused("adsum service create --name web --replicas -1 -- x", "-1");
        refused("adsum service create --name web --health-tcp --no-healthcheck -- x", "cannot be used with");
        refused("adsum service create --name web --stop-grace-period 5 -- x", "'5' is no duration");
        refused("adsum service create --name web --env =x -- x", "names no variable");
        refused("adsum service create --name web --update-order sideways -- x", "start-first");
        refused("adsum service create --name web --update-max-failure-ratio 25% -- x", "'25%' is no share");
        refused(
            "adsum service update web --rollback-failure-action rollback",
            "[possible values: pause, continue]",
        );
        refused("adsum service scale web", "write it like web=3");
        refused("adsum service create --name web --label =x -- x", "names no label");
        refused("adsum service create --name web --route-rm x -- x", "--route-rm");
        refused("adsum service ls --format yaml", "[possible values: table, json]");
        refused("adsum kv watch /a --from x", "'x' is no place in the history");
        refused("adsum kv switch --event x", "KEY");
        refused("adsum kv switch /a --event x --off", "cannot be used with");
        refused("adsum lock /l", "COMMAND");
        refused("adsum lock /l --observe -- x", "cannot be used with");
        refused("adsum lock /l -n 0 -- x", "0 is not in 1..=1000");
        refused("adsum lock /l --ttl 1ms -- x", "300ms is the least");
        refused("adsum service rollouts web last", "or latest");
        refused("adsum maint web", "unrecognized subcommand");
        refused("adsum status --addr https://a", "asks for TLS");
        refused("adsum completions tcsh", "[possible values: bash, zsh, fish]");
    }

    #[track_caller]
    fn parsed(words: &str) -> Cli {
        Cli::try_parse_from(words.split(' ')).unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    #[test]
    fn the_agents_address_may_stand_anywhere() {
        for words in
            ["adsum --addr a:1 service ls", "adsum service ls --addr a:1", "adsum service --addr a:1 ls"]
        {
            assert_eq!(parsed(words).addr.unwrap().to_string(), "a:1");
        }
    }

    #[test]
    fn help_and_version_are_no_wrong_usage() {
        for (words, kind) in
            [("adsum --version", ErrorKind::DisplayVersion), ("adsum kv put --help", ErrorKind::DisplayHelp)]
        {
            let error = Cli::try_parse_from(words.split(' ')).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (kind, 0));
        }
    }

    #[test]
    fn flags_of_a_command_are_the_commands_own() {
        parsed("adsum service create --name web --exclusive -- ./web --name other -- more");
        parsed("adsum service update web --exclusive=false --env-add A=1 --env B=2 --env-rm C -- ./web -v");
        parsed("adsum service update web --route-add Host(a) --publish-add 80 --label-add k --publish-rm 81");
        parsed("adsum service create --name web -p 80 -l k=v --route Host(a) --route Host(b) -- ./web");
        parsed("adsum kv put /a -5");
        parsed("adsum kv put /a");
        parsed("adsum lock /l --wait 0 -- sh -c exit");
        parsed("adsum lock /l --observe");
        parsed("adsum kv switch");
        parsed("adsum service rollback web --wait-timeout 2m --format json");
        parsed("adsum service history web");
        parsed("adsum service update web --force --timeout 5s");
        parsed("adsum maint on web.2 --reason x");
        parsed("adsum node drain one --force --detach");
    }
}
