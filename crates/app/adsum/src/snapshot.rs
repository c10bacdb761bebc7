//! `adsum snapshot`: everything, in one file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use adsum_keyspace::Database;
use adsum_model::Revision;
use adsum_store::{Contents, Options, Store};
use anyhow::Context;
use clap::Subcommand;
use serde_json::json;

use crate::client::{Client, Outcome, Path as HttpPath, download};
use crate::listing::{Format, FormatFlag, Listing, print_json};
use crate::screen::print;

const EXAMPLES: &str = "Examples:
  adsum snapshot save backup.snap
  adsum snapshot inspect backup.snap
  adsum snapshot restore backup.snap --data-dir /var/lib/adsum-new";

const SAVE_EXAMPLES: &str = "Examples:
  adsum snapshot save backup.snap
  adsum snapshot save backup.snap --data-dir /var/lib/adsum

The file holds everything as of one revision: keys of all databases, services, versions, instances, the event log. It gets
its name when it is whole, on disk and read back. With --data-dir no agent is asked, and none may run there.";

const RESTORE_EXAMPLES: &str = "Examples:
  adsum snapshot restore backup.snap --data-dir /var/lib/adsum-new
  adsum snapshot restore backup.snap --data-dir /var/lib/adsum-new --above 7000000000

The revision goes on 1,000,000,000 above that of the snapshot, so that no revision and no fence that was given out after it
is given out again. When the same snapshot is restored a second time, or more than that was committed since, name the
highest revision that anybody may have seen with --above. Watches from before are told to begin anew.";

const INSPECT_EXAMPLES: &str = "Examples:
  adsum snapshot inspect backup.snap
  adsum snapshot inspect backup.snap --format json

All of the file is read, and every checksum in it compared.";

/// A snapshot may be large, and is written and read back before it is sent.
const PATIENCE: Duration = Duration::from_secs(600);

/// Save everything into a file, look into it, make a data directory of it
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Save(Save),
    Restore(Restore),
    Inspect(Inspect),
}

/// Save everything into a file
#[derive(Debug, clap::Args)]
#[command(after_help = SAVE_EXAMPLES)]
struct Save {
    file: PathBuf,
    /// Of an agent that does not run [default: the running agent is asked]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Make a data directory of a file
#[derive(Debug, clap::Args)]
#[command(after_help = RESTORE_EXAMPLES)]
struct Restore {
    file: PathBuf,
    /// For an agent that does not run yet; there may be no journal in it
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Go on above this revision too
    #[arg(long, value_name = "REVISION", default_value_t = 0)]
    above: u64,
}

/// Say what is in a file
#[derive(Debug, clap::Args)]
#[command(after_help = INSPECT_EXAMPLES)]
struct Inspect {
    file: PathBuf,
    #[command(flatten)]
    listing: FormatFlag,
}

pub(crate) async fn run(args: Args, client: &Client) -> Outcome {
    match args.command {
        Command::Save(Save { file, data_dir: None }) => save(&file, client).await?,
        Command::Save(Save { file, data_dir: Some(dir) }) => save_of(&file, &dir).await?,
        Command::Restore(args) => restore(&args)?,
        Command::Inspect(args) => inspect(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn save(file: &Path, client: &Client) -> anyhow::Result<()> {
    let body = client.stream_within(HttpPath::of(&["api", "snapshot"]), PATIENCE).await?;
    let contents = download(body, file, |path| Ok(Contents::of(path)?)).await?;
    Ok(print(&saved(file, contents.revision, contents.bytes))?)
}

async fn save_of(file: &Path, dir: &Path) -> anyhow::Result<()> {
    let journal = dir.join("journal");
    anyhow::ensure!(journal.is_dir(), "there is no data of an agent in {}: check --data-dir", dir.display());
    let options =
        Options { dir: journal, durability: adsum_store::Durability::Always, about: Default::default() };
    let store =
        Store::open(options).with_context(|| format!("cannot use the data directory {}", dir.display()))?;
    let outcome = store.save_snapshot(file.to_path_buf()).await;
    store.close();
    let done = outcome.with_context(|| format!("cannot save to {}", file.display()))?;
    Ok(print(&saved(file, done.revision, done.bytes))?)
}

fn saved(file: &Path, revision: Revision, bytes: u64) -> String {
    format!("saved revision {revision} in {} ({bytes} bytes)\n", file.display())
}

fn restore(args: &Restore) -> anyhow::Result<()> {
    let journal = args.data_dir.join("journal");
    let revision = adsum_store::restore_snapshot(&args.file, &journal, Revision(args.above))
        .with_context(|| format!("cannot restore {}", args.file.display()))?;
    let dir = args.data_dir.display();
    Ok(print(&format!(
        "restored {} in {dir} at revision {revision}: start it with 'adsum agent --data-dir {dir}'\n",
        args.file.display()
    ))?)
}

fn inspect(args: &Inspect) -> anyhow::Result<()> {
    let contents = Contents::of(&args.file).with_context(|| {
        format!("{} is no snapshot that can be used: take another one", args.file.display())
    })?;
    match args.listing.format {
        Format::Json => print_json(&shape(&contents))?,
        Format::Table => show(&contents)?,
    }
    Ok(())
}

fn shape(contents: &Contents) -> serde_json::Value {
    let keys: BTreeMap<String, _> = contents.keys.iter().map(|(of, kinds)| (name(*of), kinds)).collect();
    json!({
        "format": contents.format,
        "cluster": contents.cluster,
        "revision": contents.revision.0,
        "time": contents.time,
        "bytes": contents.bytes,
        "keys": keys,
    })
}

fn show(contents: &Contents) -> anyhow::Result<()> {
    let Contents { format, cluster, revision, time, bytes, .. } = contents;
    let time = adsum_runtime::rfc3339(*time);
    print(&format!(
        "format    {format}\ncluster   {cluster}\nrevision  {revision}\ntime      {time}\nbytes     {bytes}\n\n"
    ))?;
    let mut listing = Listing::new(&["DATABASE", "TYPE", "KEYS"]);
    for (database, kinds) in &contents.keys {
        for (kind, count) in kinds {
            listing.row([name(*database), (*kind).to_string(), count.to_string()]);
        }
    }
    Ok(listing.print()?)
}

fn name(database: Database) -> String {
    match database {
        Database::User(number) => number.to_string(),
        Database::System => "system".to_string(),
    }
}
