//! Prometheus: what it finds by http_sd, that it can read our metrics, and the questions of its consul_sd. Debian's is
//! built without the latter, so those are asked here as Prometheus sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use adsum_tests::running::run;
use adsum_tests::{Agent, Running, Stage, http, require, until_ok};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

struct Prometheus {
    address: SocketAddr,
    process: Running,
}

impl Prometheus {
    /// One that scrapes the backends with the tag `metrics`, and the agent in both its ways.
    fn start(agent: &Agent) -> Prometheus {
        let (folder, address, http) = (agent.scratch().path(), agent.spare(0), agent.http());
        let file = folder.join("prometheus.yml");
        let text = format!(
            "\
global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: services
    metrics_path: /bytes/0
    http_sd_configs: [{{ url: 'http://{http}/api/targets?tag=metrics', refresh_interval: 1s }}]
    relabel_configs:
      - {{ source_labels: [__meta_adsum_service], target_label: service }}
      - {{ source_labels: [__meta_adsum_instance], target_label: instance }}
  - job_name: agent
    static_configs: [{{ targets: ['{http}'] }}]
  - job_name: agent_as_consul
    metrics_path: /v1/agent/metrics
    params: {{ format: [prometheus] }}
    static_configs: [{{ targets: ['{http}'] }}]
"
        );
        std::fs::write(&file, text).expect("our own directory is writable");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("tsdb").display()));
        command.arg(format!("--web.listen-address={address}")).env("TEST_SCRATCH", folder);
        Prometheus { address, process: Running::start(&mut command) }
    }

    /// The targets of a job that it scrapes with success, by their labels `service` and `instance`.
    fn up(&self, job: &str) -> Result<BTreeSet<[String; 2]>, String> {
        let answer = http::get(self.address, "/api/v1/targets?state=active");
        let answer = answer.map_err(|error| format!("{error}: {}", self.process.stderr()))?;
        let answer: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
        let targets = answer["data"]["activeTargets"].as_array().ok_or("no targets")?.iter();
        let of_job = targets.filter(|target| target["labels"]["job"] == job);
        let up = of_job.map(|target| match target["health"] == "up" {
            true => Ok(["service", "instance"].map(|label| text(&target["labels"][label]))),
            false => Err(target.to_string()),
        });
        up.collect()
    }

    /// Waits until all that it scrapes of a job are these.
    #[track_caller]
    fn until_up(&self, job: &str, wanted: &BTreeSet<[String; 2]>) {
        until_ok(&format!("Prometheus scrapes {wanted:?}"), SOON, || {
            let up = self.up(job)?;
            if up == *wanted { Ok(()) } else { Err(format!("{up:?}")) }
        });
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// The running instances of a service, as they are labelled.
fn instances(agent: &Agent, service: &str) -> BTreeSet<[String; 2]> {
    let instances = agent.instances_of(service);
    let named = |name: &str| [service.to_string(), name.to_string()];
    instances.iter().map(|instance| named(instance.env("ADSUM_INSTANCE").unwrap())).collect()
}

#[test]
fn targets_of_http_sd_come_and_go_with_the_instances() {
    if !require("prometheus") {
        return;
    }
    let stage = Stage::new();
    let agent = &stage.agent;
    stage.create("web", &["--replicas", "2", "--tag", "metrics", "--update-monitor", "0s"]);
    stage.create("other", &["--update-monitor", "0s"]);
    let prometheus = Prometheus::start(agent);
    for count in ["2", "3", "1"] {
        agent.adsum(&["service", "scale", &format!("web={count}")]).ok();
        let instances = instances(agent, "web");
        assert_eq!(instances.len().to_string(), count);
        prometheus.until_up("services", &instances);
    }
    let own = [[String::new(), agent.http().to_string()]].into();
    prometheus.until_up("agent", &own);
    prometheus.until_up("agent_as_consul", &own);
}

#[test]
fn promtool_has_nothing_to_say_of_our_metrics() {
    if !require("promtool") {
        return;
    }
    let check =
        |metrics: &str| run(Command::new("promtool").args(["check", "metrics"]), metrics.as_bytes(), SOON);
    let stage = Stage::new();
    stage.create("web", &[]);
    for path in ["/metrics", "/v1/agent/metrics?format=prometheus"] {
        let metrics = stage.agent.get(path).ok();
        assert!(metrics.contains("# TYPE"), "{path}: {metrics}");
        let output = check(&metrics);
        assert_eq!((output.code, output.stdout, output.stderr), (Some(0), String::new(), String::new()));
    }
    // The control: a counter whose name does not end as those of counters do.
    let said = check("# HELP a A.\n# TYPE a counter\na 1\n").fails(3);
    assert!(said.contains("_total"), "{said}");
}

/// Asks as consul_sd does, of the same connection's settings: whatever is old enough, for two minutes.
fn ask(agent: &Agent, path: &str, index: u64, tags: &[&str]) -> http::Response {
    let index = if index == 0 { String::new() } else { format!("index={index}&") };
    let tags: String = tags.iter().map(|tag| format!("tag={tag}&")).collect();
    let path = format!("{path}?{index}stale=&{tags}wait=120000ms");
    let headers = [("User-Agent", "Go-http-client/1.1"), ("Accept-Encoding", "gzip")];
    let answer = http::request(agent.http(), "GET", &path, &headers, "").unwrap();
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert_eq!(answer.header("x-consul-knownleader"), Some("true"));
    answer.header("x-consul-lastcontact").unwrap().parse::<u64>().unwrap();
    answer
}

/// Prometheus begins anew where this is not a number.
fn index(answer: &http::Response) -> u64 {
    answer.header("x-consul-index").unwrap().parse().unwrap()
}

fn body(answer: http::Response) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

/// The labels that are there for relabelling, from the fields that Prometheus takes them from.
fn labels(datacenter: &Value, entry: &Value) -> BTreeMap<String, String> {
    let (node, service) = (&entry["Node"], &entry["Service"]);
    let port = service["Port"].as_u64().unwrap().to_string();
    let host =
        Some(text(&service["Address"])).filter(|own| !own.is_empty()).unwrap_or(text(&node["Address"]));
    let tags: String = strings(&service["Tags"]).map(|tag| format!("{tag},")).collect();
    let mut labels = BTreeMap::from(
        [
            ("__address__", format!("{host}:{port}")),
            ("address", text(&node["Address"])),
            ("dc", text(&datacenter["Config"]["Datacenter"])),
            ("health", worst(&entry["Checks"])),
            ("node", text(&node["Node"])),
            ("service", text(&service["Service"])),
            ("service_address", text(&service["Address"])),
            ("service_id", text(&service["ID"])),
            ("service_port", port),
            ("tags", format!(",{tags}")),
        ]
        .map(|(key, value)| (key.to_string(), value)),
    );
    let maps = [
        ("metadata", &node["Meta"]),
        ("tagged_address", &node["TaggedAddresses"]),
        ("service_metadata", &service["Meta"]),
    ];
    for (prefix, map) in maps {
        let entries = map.as_object().into_iter().flatten();
        labels.extend(entries.map(|(key, value)| (format!("{prefix}_{key}"), text(value))));
    }
    labels
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn worst(checks: &Value) -> String {
    let of = |status: &str| checks.as_array().unwrap().iter().any(|check| check["Status"] == status);
    let worst = ["critical", "warning"].into_iter().find(|status| of(status));
    worst.unwrap_or("passing").to_string()
}

#[test]
fn the_questions_of_consul_sd_have_answers_with_all_that_relabelling_needs() {
    let agent = Agent::start();
    let own = body(agent.get("/v1/agent/self"));
    let meta = json!({"node": "elsewhere", "rack": "r1"});
    let registered = json!({"Node": "elsewhere", "Address": "10.0.0.9", "NodeMeta": meta,
        "TaggedAddresses": {"lan": "10.0.0.9"},
        "Service": {"ID": "db-1", "Service": "db", "Port": 5432, "Tags": ["a", "b"], "Meta": {"path": "/m"}},
        "Check": {"CheckID": "c", "Name": "c", "ServiceID": "db-1", "Status": "warning"}});
    agent.send("PUT", "/v1/catalog/register", &registered.to_string()).ok();
    let services = body(ask(&agent, "/v1/catalog/services", 0, &[]));
    assert_eq!(services["db"], json!(["a", "b"]));

    let found = body(ask(&agent, "/v1/health/service/db", 0, &["a", "b"]));
    let expect = [
        ("__address__", "10.0.0.9:5432"),
        ("address", "10.0.0.9"),
        ("dc", "dc1"),
        ("health", "warning"),
        ("metadata_node", "elsewhere"),
        ("metadata_rack", "r1"),
        ("node", "elsewhere"),
        ("service", "db"),
        ("service_address", ""),
        ("service_id", "db-1"),
        ("service_metadata_path", "/m"),
        ("service_port", "5432"),
        ("tagged_address_lan", "10.0.0.9"),
        ("tags", ",a,b,"),
    ];
    assert_eq!(
        labels(&own, &found[0]),
        expect.map(|(key, value)| (key.to_string(), value.to_string())).into()
    );
    assert_eq!(body(ask(&agent, "/v1/health/service/db", 0, &["a", "c"])), json!([]));
}

#[test]
fn consul_sd_is_told_of_services_and_instances_when_they_come_and_go() {
    let stage = Stage::new();
    let agent = &stage.agent;
    let own = body(agent.get("/v1/agent/self"));
    let begin = ask(agent, "/v1/catalog/services", 0, &[]);
    let told = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| ask(agent, "/v1/catalog/services", index(&begin), &[]));
        stage.create("web", &["--tag", "metrics", "--update-monitor", "0s"]);
        waiting.join().unwrap()
    });
    assert!(index(&told) > index(&begin));
    assert_eq!(body(told)["web"], json!(["metrics"]));

    for count in [3, 1] {
        let path = "/v1/health/service/web";
        let mut answer = ask(agent, path, 0, &["metrics"]);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                while passing(&own, &answer).len() != count {
                    answer = ask(agent, path, index(&answer), &["metrics"]);
                }
                passing(&own, &answer)
            });
            agent.adsum(&["service", "scale", &format!("web={count}")]).ok();
            let found = waiting.join().unwrap();
            let here: BTreeSet<_> = instances(agent, "web").into_iter().map(|[_, id]| id).collect();
            assert_eq!(found, here);
        });
    }
}

/// The ids of those that Prometheus would keep by `__meta_consul_health`.
fn passing(own: &Value, answer: &http::Response) -> BTreeSet<String> {
    let entries: Value = serde_json::from_str(&answer.body).unwrap();
    let labels = entries.as_array().unwrap().iter().map(|entry| labels(own, entry));
    labels.filter(|labels| labels["health"] == "passing").map(|labels| labels["service_id"].clone()).collect()
}
