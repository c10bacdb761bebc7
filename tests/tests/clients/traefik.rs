//! Traefik with `providers.consulCatalog`: it hears of instances that come and go in time to lose no request.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use adsum_tests::libraries::packaged;
use adsum_tests::load::{Plan, Report, get};
use adsum_tests::{Agent, Backend, Load, Running, Stage, http, rounds, until, until_ok};
use serde_json::json;

/// Far longer than Traefik takes, on a machine that does something else at the same time.
const SOON: Duration = Duration::from_secs(60);

/// It hears of a change at once, and acts on it half a second later at most: it is 2 s if nobody says so, and an instance
/// goes on for 3 s when it has left all answers.
const WATCHING: [&str; 2] =
    ["--providers.consulcatalog.watch=true", "--providers.providersthrottleduration=500ms"];

struct Traefik {
    entrance: SocketAddr,
    process: Running,
}

impl Traefik {
    /// One that offers every service as `NAME.example`; nothing where there is none to be had.
    #[track_caller]
    fn start(agent: &Agent, flags: &[&str]) -> Option<Traefik> {
        let mut command = packaged("traefik")?;
        let entrance = agent.spare(0);
        command.arg(format!("--entrypoints.in.address={entrance}"));
        command.arg(format!("--providers.consulcatalog.endpoint.address={}", agent.http()));
        command.arg("--providers.consulcatalog.defaultrule=Host(`{{ .Name }}.example`)");
        command.args(["--global.checknewversion=false", "--global.sendanonymoususage=false"]);
        let process = Running::start(command.args(flags).env("TEST_SCRATCH", agent.scratch().path()));
        Some(Traefik { entrance, process })
    }

    /// The status of one request to a service, and who has answered it.
    fn ask(&self, service: &str) -> Result<(u16, String), String> {
        let host = format!("{service}.example");
        let answer = http::request(self.entrance, "GET", "/", &[("Host", &host)], "");
        let answer = answer.map_err(|error| error.to_string())?;
        Ok((answer.status, answer.header("x-backend").unwrap_or_default().to_string()))
    }

    /// Waits until these instances answer, and no others: so many requests in a row that each has its turn.
    #[track_caller]
    fn until_it_reaches(&self, service: &str, wanted: &BTreeSet<String>) {
        until_ok(&format!("Traefik asks {wanted:?} of {service}"), SOON, || {
            let asked = (0..wanted.len() * 4 + 4).map(|_| self.ask(service));
            let asked = asked.collect::<Result<Vec<_>, _>>().map_err(|error| self.told(&error))?;
            let answered: BTreeSet<String> = asked.iter().map(|(_, backend)| backend.clone()).collect();
            let all_well = asked.iter().all(|(status, _)| *status == 200);
            if all_well && answered == *wanted { Ok(()) } else { Err(self.told(&format!("{asked:?}"))) }
        });
    }

    fn told(&self, what: &str) -> String {
        format!("{what}, with the words of Traefik: {}", self.process.stdout())
    }
}

/// The running instances of a service by their names.
fn instances(agent: &Agent, service: &str) -> BTreeSet<String> {
    let instances = agent.instances_of(service);
    instances.iter().map(|instance| instance.env("ADSUM_INSTANCE").unwrap().to_string()).collect()
}

fn register(agent: &Agent, id: &str, service: &str, address: SocketAddr) {
    let check = json!({"HTTP": format!("http://{address}/healthz"), "Interval": "100ms"});
    let body = json!({"ID": id, "Name": service, "Port": address.port(), "Check": check,
        "Address": address.ip().to_string()});
    agent.send("PUT", "/v1/agent/service/register", &body.to_string()).ok();
}

/// So many instances of `web` and no others get requests; which.
fn scale(agent: &Agent, traefik: &Traefik, count: usize) -> BTreeSet<String> {
    agent.adsum(&["service", "scale", &format!("web={count}")]).ok();
    let instances = instances(agent, "web");
    assert_eq!(instances.len(), count);
    traefik.until_it_reaches("web", &instances);
    instances
}

#[test]
fn instances_come_and_go_and_no_request_is_lost() {
    let stage = Stage::new();
    let agent = &stage.agent;
    let Some(traefik) = Traefik::start(agent, &WATCHING) else { return };
    // It goes on for a while when it is told to end, as programs do that finish what they are at.
    let lingering = ["--env", "BACKEND_LINGER=3000"];
    stage.create("web", &[&["--replicas", "2", "--update-monitor", "0s"][..], &lingering].concat());
    traefik.until_it_reaches("web", &instances(agent, "web"));
    let load = Load::start(Plan::new(traefik.entrance, "web.example", 50).mix([get("/"), get("/slow/50")]));
    for _ in 0..rounds(1, 20) {
        scale(agent, &traefik, 4);
        scale(agent, &traefik, 1);
    }
    check_nothing_lost(&load.stop());
}

#[test]
fn what_is_registered_gets_requests_beside_what_runs_here_for_as_long_as_it_passes() {
    let stage = Stage::new();
    let agent = &stage.agent;
    let Some(traefik) = Traefik::start(agent, &WATCHING) else { return };
    stage.create("web", &["--update-monitor", "0s"]);
    let run_here = instances(agent, "web");
    traefik.until_it_reaches("web", &run_here);
    let load = Load::start(Plan::new(traefik.entrance, "web.example", 50));

    let registered = Backend::start();
    register(agent, "web-elsewhere", "web", registered.address());
    let both: BTreeSet<String> = run_here.iter().cloned().chain(["own".to_string()]).collect();
    traefik.until_it_reaches("web", &both);
    registered.set_mood("sick");
    traefik.until_it_reaches("web", &run_here);
    registered.set_mood("");
    traefik.until_it_reaches("web", &both);
    agent.send("PUT", "/v1/agent/service/deregister/web-elsewhere", "").ok();
    traefik.until_it_reaches("web", &run_here);
    check_nothing_lost(&load.stop());
}

#[track_caller]
fn check_nothing_lost(report: &Report) {
    println!("{report}");
    let failures = report.failures();
    assert!(failures.is_empty(), "{} failed, the first {:#?}\n{report}", failures.len(), failures.first());
    assert!(report.total() > 50, "{report}");
}

/// The control: Traefik hears of nothing for as long as it does not ask, so that it goes on asking who has gone.
#[test]
fn one_that_asks_now_and_then_sends_requests_to_who_has_gone() {
    let stage = Stage::new();
    let flags = ["--providers.consulcatalog.watch=false", "--providers.consulcatalog.refreshinterval=1h"];
    stage.create("web", &["--replicas", "2", "--update-monitor", "0s"]);
    let Some(traefik) = Traefik::start(&stage.agent, &flags) else { return };
    traefik.until_it_reaches("web", &instances(&stage.agent, "web"));
    stage.agent.adsum(&["service", "scale", "web=1"]).ok();
    until("a request goes to who has gone", SOON, || {
        traefik.ask("web").is_ok_and(|(status, _)| status == 502).then_some(())
    });
}
