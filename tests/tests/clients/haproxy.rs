//! HAProxy with `server-template` over SRV records: of 30 instances it uses all that an answer has room for, and no
//! server of it changes for as long as nothing changes of the instances, whatever else happens in the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use adsum_tests::{Agent, Running, http, require, rounds, until_ok};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);
const INSTANCES: u8 = 30;
/// More often than HAProxy asks for addresses, which it does each second.
const LOOK: Duration = Duration::from_millis(200);

/// Where a server of HAProxy points, and in which states it says that it is: operational 2 is "runs", and administrative
/// 32 "in maintenance, for want of an address".
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    address: String,
    operational: String,
    administrative: String,
}

type Servers = BTreeMap<String, Server>;

struct Haproxy {
    /// One per backend: `datagrams` and `streams`.
    entrances: [SocketAddr; 2],
    socket: PathBuf,
    process: Running,
}

impl Haproxy {
    /// With two backends of the same service: one asks by datagrams, one by TCP.
    fn start(agent: &Agent) -> Haproxy {
        let folder = agent.scratch().path();
        let (file, socket) = (folder.join("haproxy.cfg"), folder.join("haproxy.socket"));
        let (dns, shown) = (agent.dns(), socket.display());
        let entrances = [agent.spare(0), agent.spare(1)];
        let mut text = format!(
            "global\n  stats socket {shown}\n  nbthread 1\n  log stdout format raw local0\n\
             defaults\n  mode http\n  log global\n  timeout connect 10s\n  timeout client 60s\n  \
             timeout server 60s\n  timeout check 10s\n\
             resolvers datagrams\n  nameserver one {dns}\n  accepted_payload_size 1232\n\
             resolvers streams\n  nameserver one tcp@{dns}\n  accepted_payload_size 65535\n"
        );
        for (name, entrance) in ["datagrams", "streams"].into_iter().zip(entrances) {
            text += &format!(
                "frontend to_{name}\n  bind {entrance}\n  default_backend {name}\n\
                 backend {name}\n  server-template shop {INSTANCES} _shop._tcp.service.adsum resolvers {name} \
                 resolve-prefer ipv4 check init-addr none\n"
            );
        }
        std::fs::write(&file, text).expect("our own directory is writable");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file).env("TEST_SCRATCH", folder);
        Haproxy { entrances, socket, process: Running::start(&mut command) }
    }

    /// All servers of a backend by their names.
    fn servers(&self, backend: &str) -> std::io::Result<Servers> {
        let mut socket = UnixStream::connect(&self.socket)?;
        socket.write_all(format!("show servers state {backend}\n").as_bytes())?;
        let mut text = String::new();
        socket.read_to_string(&mut text)?;
        // Two lines of heads; the columns are those of version 1 of this format.
        let lines = text.lines().skip(2).map(|line| line.split(' ').collect::<Vec<_>>());
        let servers = lines.filter(|fields| fields.len() > 18).map(|fields| {
            let address = format!("{}:{}", fields[4], fields[18]);
            let [operational, administrative] = [5, 6].map(|at| fields[at].to_string());
            (fields[3].to_string(), Server { address, operational, administrative })
        });
        Ok(servers.collect())
    }

    /// Waits until so many servers of a backend are used, each for another instance; then all of its servers.
    #[track_caller]
    fn until_it_uses(&self, backend: &str, count: usize) -> Servers {
        until_ok(&format!("HAProxy uses {count} of {backend}"), SOON, || {
            let servers = self.servers(backend).map_err(|error| format!("{error}: {}", self.words()))?;
            let used = used(&servers);
            let addresses: BTreeSet<&str> = used.iter().map(|server| server.address.as_str()).collect();
            if used.len() == count && addresses.len() == count {
                Ok(servers)
            } else {
                Err(format!("{servers:?}"))
            }
        })
    }

    fn words(&self) -> String {
        self.process.stdout() + &self.process.stderr()
    }
}

fn used(servers: &Servers) -> Vec<&Server> {
    servers.values().filter(|server| server.operational == "2" && server.administrative != "32").collect()
}

/// Instances that run elsewhere: each has an address of its own, and says which when it is asked.
fn serve(port: u16) {
    for instance in 1..=INSTANCES {
        let listener = TcpListener::bind((address(instance), port)).expect("the port is our own");
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A check connects and asks nothing.
                let _ = answer(stream);
            }
        });
    }
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
    let asked = lines.take_while(|line| !line.is_empty()).count();
    if asked > 0 {
        let own = stream.local_addr()?.ip().to_string();
        let length = own.len();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{own}")?;
    }
    Ok(())
}

fn address(instance: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, instance)
}

fn register(agent: &Agent, service: &str, instance: u8, port: u16) {
    let body = json!({"ID": format!("{service}-{instance}"), "Name": service, "Port": port,
        "Address": address(instance).to_string()});
    agent.send("PUT", "/v1/agent/service/register", &body.to_string()).ok();
}

/// Who answers when each server has had its turns.
fn answering(entrance: SocketAddr) -> BTreeSet<String> {
    let asked = (0..INSTANCES * 2).map(|_| http::get(entrance, "/").expect("HAProxy answers").ok());
    asked.collect()
}

/// How many records a datagram has that HAProxy takes.
fn room(agent: &Agent) -> usize {
    let question = ["_shop._tcp.service.adsum", "SRV", "+bufsize=1232", "+ignore", "+short"];
    agent.dig(&question).ok().lines().count()
}

/// Looks at all servers again and again while other services come and go.
fn watch(agent: &Agent, haproxy: &Haproxy, before: &[(&str, Servers)], time: Duration) -> Result<(), String> {
    let begin = Instant::now();
    while begin.elapsed() < time {
        let port = u16::try_from(begin.elapsed().as_millis() % 60_000 + 1).expect("it is small");
        register(agent, "other", 1, port);
        std::thread::sleep(LOOK);
        for (backend, servers) in before {
            let now = haproxy.servers(backend).map_err(|error| error.to_string())?;
            if now != *servers {
                let after = begin.elapsed().as_secs_f64();
                return Err(format!(
                    "{backend} after {after:.1} s: {servers:?} -> {now:?}: {}",
                    haproxy.words()
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn thirty_instances_are_used_and_none_flaps() {
    if !["haproxy", "dig"].into_iter().all(require) {
        return;
    }
    let agent = Agent::start();
    let port = agent.spare(2).port();
    serve(port);
    (1..=INSTANCES).for_each(|instance| register(&agent, "shop", instance, port));
    let haproxy = Haproxy::start(&agent);
    let (room, all) = (room(&agent), usize::from(INSTANCES));
    assert!((20..all).contains(&room), "{room} records in a datagram");
    let before = [("datagrams", room), ("streams", all)]
        .map(|(name, count)| (name, haproxy.until_it_uses(name, count)));
    let answered = haproxy.entrances.map(|entrance| answering(entrance).len());
    assert_eq!(answered, [room, all]);

    // 20 s, and 5 minutes of a longer run.
    let time = Duration::from_secs(u64::from(rounds(20, 300)));
    watch(&agent, &haproxy, &before, time).expect("no server changes while no instance does");

    // The control: what has gone leaves, which whoever watches sees, and all others stay where they are.
    agent.send("PUT", "/v1/agent/service/deregister/shop-7", "").ok();
    let mut after = haproxy.until_it_uses("streams", all - 1);
    watch(&agent, &haproxy, &before, time).unwrap_err();
    let gone = before[1].1.iter().find(|(_, server)| server.address == format!("{}:{port}", address(7)));
    let (name, server) = gone.expect("it was used");
    let left = after.insert(name.clone(), server.clone()).expect("a server of HAProxy stays in its list");
    assert_ne!(left, *server);
    assert_eq!(after, before[1].1);
    let answering = answering(haproxy.entrances[1]);
    assert!(answering.len() == all - 1 && !answering.contains(&address(7).to_string()), "{answering:?}");
    haproxy.until_it_uses("datagrams", room);
}
