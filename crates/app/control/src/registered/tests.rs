//! Checks on a real store, with real listeners.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use adsum_catalog::records;
use adsum_catalog::register::Others;
use adsum_model::Health;
use adsum_model::registered::{Http, Service, Tls};
use adsum_store::{Durability, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

fn open(dir: &Path) -> Store {
    Store::open(Options { dir: dir.into(), durability: Durability::Always, about: Default::default() })
        .unwrap()
}

fn settings(script_checks: bool) -> Settings {
    Settings {
        node: "n1".parse().unwrap(),
        address: "127.0.0.1".parse().unwrap(),
        ports: 20_000..=20_001,
        data_dir: "/".into(),
        faces: Default::default(),
        script_checks,
    }
}

fn start(store: &Store) -> JoinHandle<Result<Infallible, Failed>> {
    let store = store.clone();
    tokio::spawn(async move { run(store, &settings(false)).await })
}

fn check(id: &str, of: &str, kind: Kind) -> Check {
    let definition = Definition {
        kind,
        interval: Duration::from_millis(5),
        timeout: Duration::from_secs(20),
        ..Definition::default()
    };
    Check {
        node: "n1".into(),
        id: id.into(),
        name: id.into(),
        service: of.into(),
        definition,
        ..Check::default()
    }
}

async fn put(store: &Store, check: Check) {
    store.commit(|tx| register::register_check(tx, check)).await.unwrap().unwrap();
}

async fn put_service(store: &Store, id: &str, checks: Vec<Check>) {
    let service = Service { node: "n1".into(), id: id.into(), service: id.into(), ..Service::default() };
    store.commit(|tx| register::register_service(tx, &service, checks, Others::Stay)).await.unwrap().unwrap();
}

/// The view, once it is as wanted.
async fn until(store: &Store, wanted: impl Fn(&Catalog) -> bool) -> Arc<Catalog> {
    let waiting = async {
        let mut view = store.catalog().await.unwrap();
        while !wanted(&view) {
            view = store.directory().changed(view.revision()).await.unwrap();
        }
        view
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes in time")
}

fn is(id: &'static str, status: Status) -> impl Fn(&Catalog) -> bool {
    move |view| view.registry().check("n1", id).is_some_and(|check| check.status == status)
}

#[tokio::test]
async fn a_check_follows_what_it_looks_at_and_an_alias_follows_the_check() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    put_service(&store, "web", vec![check("port", "web", Kind::Tcp { address, tls: Tls::default() })]).await;
    put(&store, check("alias", "", Kind::Alias { node: String::new(), service: "web".into() })).await;
    until(&store, is("port", Status::Passing)).await;
    until(&store, is("alias", Status::Passing)).await;
    drop(listener);
    let view = until(&store, is("port", Status::Critical)).await;
    assert!(view.registry().check("n1", "port").unwrap().output.starts_with("TCP connect 127.0.0.1:"));
    until(&store, is("alias", Status::Critical)).await;
    controller.abort();
}

#[tokio::test]
async fn an_alias_of_an_instance_that_runs_here_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let instance = |health| crate::sessions::tests::instance(health);
    let service = instance(Health::Passing).id.to_string();
    put(&store, check("alias", "", Kind::Alias { node: String::new(), service })).await;
    until(&store, |view| view.registry().check("n1", "alias").is_some_and(|check| !check.output.is_empty()))
        .await;
    for (health, status) in [(Health::Passing, Status::Passing), (Health::Critical, Status::Critical)] {
        store.commit(|tx| records::put_instance(tx, &mut instance(health))).await.unwrap();
        until(&store, is("alias", status)).await;
    }
    controller.abort();
}

#[tokio::test]
async fn a_check_that_is_defined_anew_looks_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let tcp = |address: String| check("port", "", Kind::Tcp { address, tls: Tls::default() });
    // Port 1 of this machine: nobody listens there.
    put(&store, tcp("127.0.0.1:1".into())).await;
    until(&store, |view| view.registry().check("n1", "port").is_some_and(|check| !check.output.is_empty()))
        .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    put(&store, tcp(listener.local_addr().unwrap().to_string())).await;
    until(&store, is("port", Status::Passing)).await;
    controller.abort();
}

#[tokio::test]
async fn a_check_without_a_sign_of_life_is_critical_after_its_ttl() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    put(&store, check("short", "", Kind::Ttl(Duration::from_millis(20)))).await;
    put(&store, check("long", "", Kind::Ttl(Duration::from_secs(3600)))).await;
    for id in ["short", "long"] {
        store.commit(|tx| register::heard(tx, "n1", id, Status::Passing, "fine")).await.unwrap();
    }
    let view = until(&store, is("short", Status::Critical)).await;
    let output = &view.registry().check("n1", "short").unwrap().output;
    assert_eq!(output, "TTL expired (last output before timeout follows): fine");
    assert!(is("long", Status::Passing)(&view));
    controller.abort();
}

#[tokio::test]
async fn a_ttl_that_ran_out_while_nobody_looked_is_found_by_the_next_agent() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, check("short", "", Kind::Ttl(Duration::from_millis(1)))).await;
    put(&store, check("long", "", Kind::Ttl(Duration::from_secs(3600)))).await;
    for id in ["short", "long"] {
        store.commit(|tx| register::heard(tx, "n1", id, Status::Passing, "")).await.unwrap();
    }
    store.release().await.unwrap();
    drop(store);
    let store = open(dir.path());
    assert!(is("short", Status::Passing)(&store.directory().view()), "nobody has looked yet");
    let controller = start(&store);
    let view = until(&store, is("short", Status::Critical)).await;
    assert!(is("long", Status::Passing)(&view));
    controller.abort();
}

/// A check that passes for as long as somebody listens.
async fn passing(store: &Store) -> (TcpListener, Check) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tcp = check("port", "", Kind::Tcp { address, tls: Tls::default() });
    put(store, tcp.clone()).await;
    until(store, is("port", Status::Passing)).await;
    (listener, tcp)
}

fn passes_after(revision: Revision) -> impl Fn(&Catalog) -> bool {
    move |view| {
        let check = view.registry().check("n1", "port");
        check.is_some_and(|check| check.status == Status::Passing && check.modified > revision)
    }
}

#[tokio::test]
async fn a_check_that_is_registered_anew_as_it_was_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let (_listener, tcp) = passing(&store).await;
    // Nobody can look in between.
    let ((), revision) = store.transact(|tx| {
        assert!(register::deregister_check(tx, "n1", "port"));
        register::register_check(tx, tcp).unwrap();
    });
    until(&store, passes_after(revision)).await;
    controller.abort();
}

#[tokio::test]
async fn what_others_have_written_of_a_check_is_corrected() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let controller = start(&store);
    let (_listener, tcp) = passing(&store).await;
    let told = register::Told { checks: vec![tcp], ..register::Told::default() };
    let ((), revision) = store.transact(|tx| register::tell(tx, told).unwrap());
    until(&store, passes_after(revision)).await;
    controller.abort();
}

#[tokio::test]
async fn a_program_is_started_only_where_the_agent_was_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let ran = dir.path().join("ran");
    let arguments = ["touch", ran.to_str().unwrap()].map(String::from).to_vec();
    put(&store, Check { status: Status::Passing, ..check("program", "", Kind::Script { arguments }) }).await;
    let docker = Kind::Docker { container: "c".into(), shell: String::new(), arguments: vec!["true".into()] };
    put(&store, Check { status: Status::Passing, ..check("docker", "", docker) }).await;
    let controller = start(&store);
    for id in ["program", "docker"] {
        let view = until(&store, is(id, Status::Critical)).await;
        assert_eq!(view.registry().check("n1", id).unwrap().output, NO_SCRIPTS);
    }
    assert!(!ran.exists());
    controller.abort();
    // The control: the same check is made by an agent that was told so.
    let told = tokio::spawn(async move { run(store.clone(), &settings(true)).await.map(|_| store) });
    let waiting = async {
        while !ran.exists() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes in time");
    told.abort();
}

/// Answers requests, and counts those that it has at a time.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
    served: AtomicUsize,
}

impl Crowd {
    async fn listen(self: Arc<Crowd>, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(self.clone().serve(stream));
        }
    }

    async fn serve(self: Arc<Crowd>, mut stream: TcpStream) {
        let _ = stream.read(&mut [0; 4096]).await;
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        // The others have time to come.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.served.fetch_add(1, Ordering::SeqCst);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    }
}

/// Eight checks of one server by a controller that looks at so many at a time.
async fn crowd(looks: usize, reached: impl Fn(&Crowd) -> bool) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let crowd = Arc::new(Crowd::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let http = Http {
        url: format!("http://{}/", listener.local_addr().unwrap()),
        method: "GET".into(),
        ..Http::default()
    };
    let server = tokio::spawn(crowd.clone().listen(listener));
    for number in 0..8 {
        put(&store, check(&format!("web{number}"), "", Kind::Http(http.clone()))).await;
    }
    let controller = Controller::new(store, &settings(false), looks);
    let controller = tokio::spawn(async move { controller.run().await });
    let waiting = async {
        while !reached(&crowd) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("it comes in time");
    controller.abort();
    server.abort();
    crowd.most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn no_more_checks_are_looked_at_at_a_time_than_there_are_turns() {
    let enough = |crowd: &Crowd| crowd.served.load(Ordering::SeqCst) >= 100;
    assert_eq!(crowd(1, enough).await, 1);
    let several = |crowd: &Crowd| crowd.most.load(Ordering::SeqCst) > 1;
    assert!(crowd(LOOKS, several).await > 1, "the control");
}
