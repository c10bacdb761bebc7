//! `bench discovery blocked`: ten thousand clients that have asked with a blocking query and wait. What they cost while
//! nothing changes, while other services change a hundred times per second, and how long it takes until all have the answer
//! when it changes.

use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::answer::{Answer, passing};
use super::connection::Connection;
use super::{agent, deregister, register};
use crate::crowd::{Crowd, Heard};
use crate::latencies::Latencies;
use crate::process::thread_cpu;
use crate::rounds::{Rounds, duration};
use crate::server::Server;
use crate::table::Table;

/// With the few others the 10,000 that the face takes.
const CLIENTS: usize = 9_990;
const SETTLE: Duration = Duration::from_secs(3);
const WATCH: Duration = Duration::from_secs(10);
/// Between two changes of other services.
const PAUSE: Duration = Duration::from_millis(10);
const INSTANCES: usize = 3;
const CHANGES: usize = 10;
const PATIENCE: Duration = Duration::from_secs(60);

struct Scene {
    name: &'static str,
    /// On how many services the clients wait.
    services: usize,
}

const SCENES: [Scene; 2] =
    [Scene { name: "one service", services: 1 }, Scene { name: "999 services", services: 999 }];

#[derive(Default)]
struct Figures {
    /// Bytes per client.
    rss: f64,
    /// Of one core: nobody waits and others change; nothing changes; others change.
    cpu: [f64; 3],
    /// Clients that got an answer though nothing of it had changed.
    woken: usize,
    told: Told,
}

/// What a change was like.
#[derive(Default)]
struct Told {
    /// Clients that it concerned.
    clients: usize,
    /// Seconds from the request for it until half of them had it, and until the last had it.
    after: [Rounds; 2],
    /// Seconds of processor time of the agent, and of the thread of the clients.
    spent: [Rounds; 2],
}

pub(super) fn run() -> anyhow::Result<()> {
    let mut table = Table::new(&["9,990 clients wait for", SCENES[0].name, SCENES[1].name]);
    let [one, many] = [measure(&SCENES[0])?, measure(&SCENES[1])?];
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let mut row = |what: &str, show: &dyn Fn(&Figures) -> String| {
        table.row(vec![what.to_string(), show(&one), show(&many)]);
    };
    row("RSS per client", &|it| format!("{:.1} KB", it.rss / 1e3));
    row("CPU, nothing changes", &|it| percent(it.cpu[1]));
    row("CPU, 100 changes/s elsewhere", &|it| percent(it.cpu[2]));
    row("the same, nobody waits", &|it| percent(it.cpu[0]));
    row("woken in vain", &|it| it.woken.to_string());
    row("clients that a change concerns", &|it| it.told.clients.to_string());
    row("half of them have it after", &|it| it.told.after[0].best_is_least(duration));
    row("all have it after", &|it| it.told.after[1].best_is_least(duration));
    row("CPU of a change, agent", &|it| it.told.spent[0].best_is_least(duration));
    row("CPU of a change, clients", &|it| it.told.spent[1].best_is_least(duration));
    table.print();
    Ok(())
}

fn measure(scene: &Scene) -> anyhow::Result<Figures> {
    eprintln!("{}", scene.name);
    let (server, http) = agent()?;
    for service in 0..scene.services {
        (0..INSTANCES).try_for_each(|instance| register(http, &name(service), instance, 80))?;
    }
    let alone = share(&server, || elsewhere(http))?;
    sleep(SETTLE);
    let before = server.process().rss()?;
    let mut crowd = gather(http, scene)?;
    sleep(SETTLE);
    let rss = server.process().rss()?.saturating_sub(before) as f64 / CLIENTS as f64;
    let quiet = share(&server, || {
        sleep(WATCH);
        Ok(())
    })?;
    let busy = share(&server, || elsewhere(http))?;
    let mut woken = 0;
    crowd.turn(Duration::ZERO, |_| {
        woken += 1;
        Ok(None)
    })?;
    let told = tell(scene, &server, http, &mut crowd)?;
    Ok(Figures { rss, cpu: [alone, quiet, busy], woken, told })
}

fn name(service: usize) -> String {
    format!("service-{service}")
}

/// The clients, each of which waits for its service.
fn gather(http: SocketAddr, scene: &Scene) -> anyhow::Result<Crowd<Answer>> {
    let mut connection = Connection::open(http)?;
    let mut question = |service: usize| {
        let name = name(service);
        let index = connection.get(&format!("/v1/health/service/{name}?passing"))?.index;
        Ok(passing(&name, index))
    };
    let questions = (0..scene.services).map(&mut question).collect::<anyhow::Result<Vec<_>>>()?;
    // Then without a pause: the agent closes connections on which nothing comes.
    let mut crowd: Crowd<Answer> = Crowd::gather(http, CLIENTS)?;
    (0..CLIENTS).try_for_each(|member| crowd.send(member, &questions[member % scene.services]))?;
    Ok(crowd)
}

/// The agent's share of one core meanwhile.
fn share(server: &Server, act: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (begin, before) = (Instant::now(), server.process().cpu()?);
    act()?;
    let spent = server.process().cpu()?.saturating_sub(before);
    Ok(spent.as_secs_f64() / begin.elapsed().as_secs_f64())
}

/// Changes other services at a steady pace.
fn elsewhere(http: SocketAddr) -> anyhow::Result<()> {
    let (begin, mut connection) = (Instant::now(), Connection::open(http)?);
    for number in 0.. {
        sleep((PAUSE * number).saturating_sub(begin.elapsed()));
        if begin.elapsed() > WATCH {
            break;
        }
        let (service, port) = (number % 50, number % 10_000 + 1);
        let body = format!(r#"{{"ID": "other-{service}", "Name": "other-{service}", "Port": {port}}}"#);
        connection.put("/v1/agent/service/register", &body)?;
    }
    Ok(())
}

/// Takes one instance of the first service away and gives it back, and has all clients of it ask again each time.
fn tell(scene: &Scene, server: &Server, http: SocketAddr, crowd: &mut Crowd<Answer>) -> anyhow::Result<Told> {
    let (mut told, name) = (Told::default(), name(0));
    told.clients = CLIENTS.div_ceil(scene.services);
    for change in 0..CHANGES {
        let (before, begin) = ([server.process().cpu()?, thread_cpu()], Instant::now());
        std::thread::scope(|scope| {
            let changing = scope.spawn(|| match change % 2 {
                0 => deregister(http, &format!("{name}-0")),
                _ => register(http, &name, 0, 80),
            });
            told.hear(crowd, &name, begin)?;
            changing.join().expect("it returns its errors")
        })?;
        let after = [server.process().cpu()?, thread_cpu()];
        for (at, spent) in told.spent.iter_mut().enumerate() {
            spent.add(after[at].saturating_sub(before[at]).as_secs_f64());
        }
        // Until all of them wait again.
        sleep(SETTLE);
    }
    Ok(told)
}

impl Told {
    fn hear(&mut self, crowd: &mut Crowd<Answer>, service: &str, begin: Instant) -> anyhow::Result<()> {
        let mut latencies = Latencies::with_room(self.clients);
        while latencies.len() < self.clients {
            anyhow::ensure!(begin.elapsed() < PATIENCE, "{} of {} have it", latencies.len(), self.clients);
            crowd.turn(Duration::from_millis(100), |Heard { reply, at, .. }| {
                latencies.add(at.saturating_duration_since(begin));
                Ok(Some(passing(service, reply.index)))
            })?;
        }
        let [p50, _, _, longest] = latencies.quantiles();
        self.after.iter_mut().zip([p50, longest]).for_each(|(rounds, figure)| rounds.add(figure));
        Ok(())
    }
}
