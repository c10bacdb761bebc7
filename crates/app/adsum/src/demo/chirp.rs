//! chirp on an agent: deployed, watched, and explained to whoever looks at it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use adsum_keyspace::{Database, Transaction, Value};
use adsum_model::Name;
use anyhow::{Context, bail};
use hyper::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::spool;
use crate::agent::{Addresses, Node};
use crate::client::{Call, Client, Path as ApiPath};

/// How long the application may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(500);

/// What is needed before an agent is started, so that a mistake costs no start.
pub(super) struct Demo {
    program: PathBuf,
    stream: Stream,
}

enum Stream {
    Generated,
    File(PathBuf),
    StandardInput,
}

/// How far the application is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct State {
    users: usize,
    routable: usize,
    queued: usize,
    in_work: usize,
    through: bool,
}

impl Demo {
    pub(super) fn new(stream: Option<&str>) -> anyhow::Result<Demo> {
        let stream = match stream {
            None => Stream::Generated,
            Some("-") => Stream::StandardInput,
            Some(file) => {
                let file = Path::new(file);
                Stream::File(
                    file.canonicalize()
                        .with_context(|| format!("no stream of tweets: {}", file.display()))?,
                )
            }
        };
        Ok(Demo { program: program()?, stream })
    }

    /// Deploys chirp and shows how it gets on, for ever.
    pub(super) async fn run(self, node: &Node, client: &Client) -> anyhow::Result<()> {
        let program = self.program.display().to_string();
        let process = json!({"kind": "process"});
        let healthz = json!({"kind": "http", "path": "/healthz"});
        let run = |role: &str| vec![program.clone(), role.to_string()];
        let routes = ["PathPrefix(/)", "PathPrefix(/user/); redirect-to-instance=chirp-user-{1}"];
        let proxy = json!({"command": run("proxy"), "check": healthz, "routes": routes});
        deploy(client, "chirp-proxy", &proxy).await?;
        let worker = json!({"command": run("worker"), "check": process, "replicas": 2});
        deploy(client, "chirp-worker", &worker).await?;
        let reader = [run("reader"), self.stream.arguments(node)?].concat();
        deploy(client, "chirp-reader", &json!({"command": reader, "check": process})).await?;
        for service in ["chirp-proxy", "chirp-worker", "chirp-reader"] {
            routable(node, service).await?;
            eprintln!("{service} is here");
        }
        watch(node).await
    }
}

impl Stream {
    fn arguments(&self, node: &Node) -> anyhow::Result<Vec<String>> {
        Ok(match self {
            Stream::Generated => Vec::new(),
            Stream::File(file) => vec!["--stream".into(), file.display().to_string()],
            Stream::StandardInput => {
                let file =
                    spool::start(&node.data_dir()).context("cannot keep standard input for the reader")?;
                vec!["--follow".into(), "--stream".into(), file.display().to_string()]
            }
        })
    }
}

/// `chirp` from beside this program, or from where `CHIRP_BIN` says.
fn program() -> anyhow::Result<PathBuf> {
    if let Some(program) = std::env::var_os("CHIRP_BIN") {
        return Ok(program.into());
    }
    let own = std::env::current_exe().context("cannot find this program, and so not chirp beside it")?;
    let program = own.with_file_name("chirp");
    if !program.exists() {
        bail!(
            "there is no {}: build it with 'cargo build -p chirp', or name it in CHIRP_BIN",
            program.display()
        );
    }
    Ok(program)
}

async fn deploy(client: &Client, name: &str, draft: &serde_json::Value) -> anyhow::Result<()> {
    let call = Call::new(Method::PUT, ApiPath::of(&["api", "services", name])).json(draft);
    client.send(call).await.with_context(|| format!("cannot deploy {name}"))?;
    Ok(())
}

/// Waits until a service is found by name.
async fn routable(node: &Node, service: &str) -> anyhow::Result<()> {
    let name: Name = service.parse().expect("the demonstration's names are names");
    let found = async {
        let mut view = node.store.directory().view();
        while view.service(&name).is_none_or(|state| state.routable().next().is_none()) {
            view = node.store.directory().changed(view.revision()).await?;
        }
        anyhow::Ok(())
    };
    let late = || format!("{service} does not start: 'adsum service why {service}' tells why");
    tokio::time::timeout(PATIENCE, found).await.with_context(late)?
}

/// Shows how far the application is, tells what to try when there is something to see, and when a finite stream is
/// through.
async fn watch(node: &Node) -> anyhow::Result<()> {
    let progress = Progress::new();
    let mut before = State::default();
    let mut told = false;
    loop {
        let state = State::of(node);
        if state != before {
            progress.show(&state);
        }
        if !told && state.routable > 0 {
            progress.print(&things_to_try(node));
            told = true;
        }
        if state.is_over() && !before.is_over() {
            progress.print(&format!(
                "The stream is through: every tweet is stored, {} users have a service of their own.",
                state.users
            ));
        }
        before = state;
        tokio::time::sleep(LOOK).await;
    }
}

impl State {
    fn of(node: &Node) -> State {
        let view = node.store.directory().view();
        let users = || view.services_under("chirp-user-");
        let (queued, in_work, through) = node.store.transact(queue).0;
        State {
            users: users().count(),
            routable: users().filter(|(_, state)| state.routable().next().is_some()).count(),
            queued,
            in_work,
            through,
        }
    }

    fn is_over(&self) -> bool {
        self.through && self.queued == 0 && self.in_work == 0
    }
}

/// Lengths of the queue and of the lists of the workers, and whether the reader has come to an end.
fn queue(tx: &mut Transaction<'_>) -> (usize, usize, bool) {
    let length = |value: &Value| if let Value::List(list) = value { list.len() } else { 0 };
    let keys = tx.keys(Database::User(0));
    let queued = keys.get(b"/chirp/queue".as_slice()).map_or(0, |entry| length(&entry.value));
    let processing: &[u8] = b"/chirp/processing/";
    let lists = keys.iter_from(processing).take_while(|(key, _)| key.starts_with(processing));
    let in_work = lists.map(|(_, entry)| length(&entry.value)).sum();
    (queued, in_work, keys.get(b"/chirp/reader/done".as_slice()).is_some())
}

/// Lines that work when they are pasted.
fn things_to_try(node: &Node) -> String {
    let view = node.store.directory().view();
    let proxy = view.services_under("chirp-proxy").flat_map(|(_, state)| state.routable());
    let proxy = proxy.map(|instance| instance.endpoint.to_string()).next().unwrap_or_default();
    let user = view.services_under("chirp-user-").find(|(_, state)| state.routable().next().is_some());
    let user = user.map_or("NAME", |(name, _)| name.as_str().trim_start_matches("chirp-user-"));
    let Addresses { resp, http, dns, gateway, .. } = node.addresses;
    let adsum = std::env::current_exe().map_or("adsum".to_string(), |program| program.display().to_string());
    format!(
        "Try, in another terminal:
  curl http://{proxy}/user
  curl -i http://{proxy}/user/{user}
  curl -L http://{proxy}/user/{user}
  curl -L http://{gateway}/user/{user}/v1/tweet
  redis-cli -h {} -p {} --scan --pattern '/chirp/*'
  dig @{} -p {} chirp-user-{user}.service.adsum SRV +short
  {adsum} --addr {http} service ls
  {adsum} --addr {http} service scale chirp-worker=5
  {adsum} --addr {http} service why chirp-user-{user}
Ctrl-C ends everything.",
        resp.ip(),
        resp.port(),
        dns.ip(),
        dns.port(),
    )
}

/// One line that moves on a terminal, a line per change elsewhere.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn new() -> Progress {
        let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Progress(is_terminal.then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed");
            ProgressBar::new_spinner().with_style(style)
        }))
    }

    fn show(&self, state: &State) {
        let State { users, routable, queued, in_work, .. } = state;
        let text =
            format!("{users} users, {routable} services pass, {queued} tweets queued, {in_work} in work");
        match &self.0 {
            Some(line) => {
                line.set_message(text);
                line.tick();
            }
            None => eprintln!("{text}"),
        }
    }

    fn print(&self, text: &str) {
        match &self.0 {
            Some(line) => line.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}
