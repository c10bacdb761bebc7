//! `adsum completions`: the script that teaches a shell our words.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::generate;

use crate::cli::Cli;
use crate::screen::print_bytes;

const EXAMPLES: &str = "Examples:
  adsum completions bash > ~/.local/share/bash-completion/completions/adsum
  adsum completions zsh > \"${fpath[1]}/_adsum\"
  adsum completions fish > ~/.config/fish/completions/adsum.fish";

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    print_bytes(&script(args.shell))?;
    Ok(ExitCode::SUCCESS)
}

fn script(shell: Shell) -> Vec<u8> {
    let shell = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "adsum", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_subcommands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(script(shell)).unwrap();
            assert!(script.contains("demo") && script.contains("completions"), "{shell:?}");
        }
    }
}
