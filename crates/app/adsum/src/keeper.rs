//! `adsum keeper`: the parent of a node's instances. Started by the agent, never by a person.

use std::path::PathBuf;
use std::process::ExitCode;

use adsum_runtime::TreeKind;
use anyhow::Context;

/// Hold the instances of an agent
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The keeper's own directory, with its socket
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// The id of the cluster whose instances it holds
    #[arg(long, value_name = "ID")]
    pub(crate) cluster: String,
    /// How to keep hold of the processes of an instance [default: the best that the machine offers]
    #[arg(long, value_enum)]
    pub(crate) tree: Option<Tree>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tree {
    Cgroup2,
    Cgroup1,
    ProcessGroup,
}

impl From<Tree> for TreeKind {
    fn from(tree: Tree) -> TreeKind {
        match tree {
            Tree::Cgroup2 => TreeKind::Cgroup2,
            Tree::Cgroup1 => TreeKind::Cgroup1,
            Tree::ProcessGroup => TreeKind::ProcessGroup,
        }
    }
}

/// Is the keeper until it is told to end. This process has one thread up to here.
pub(crate) fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { dir, cluster, tree } = args;
    let options = adsum_runtime::keeper::Options { dir, cluster, tree: tree.map(TreeKind::from) };
    adsum_runtime::keeper::run(&options).context("the keeper cannot work")?;
    Ok(ExitCode::SUCCESS)
}
