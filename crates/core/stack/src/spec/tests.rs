//! Drafts, good and bad.

use std::time::Duration;

use adsum_model::{CheckKind, Order, RestartCondition};
use proptest::prelude::*;

use super::*;
use crate::{CheckDraft, LimitsDraft, PaceDraft, RestartDraft, StopDraft, UpdateDraft};

fn strings(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| text.to_string()).collect())
}

fn text(text: &str) -> Option<String> {
    Some(text.to_string())
}

fn draft() -> Draft {
    Draft { command: strings(&["serve"]), ..Draft::default() }
}

#[track_caller]
fn check(name: &str, draft: Draft, expect: &[&str]) {
    let problems = spec(name, &draft).expect_err("it is wrong");
    let found: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(found, expect);
}

#[test]
fn a_command_is_enough() {
    let expect = Spec::new("web".parse().unwrap(), vec!["serve".into()]);
    assert_eq!(spec("web", &draft()), Ok(expect));
}

#[test]
fn everything_that_was_written_is_in_the_spec() {
    let draft = Draft {
        replicas: Some(3),
        env: Some([("A".to_string(), "1".to_string())].into()),
        workdir: text("/srv"),
        check: CheckDraft { path: text("/healthz"), interval: text("1.5s"), ..CheckDraft::default() },
        restart: RestartDraft {
            condition: text("on-failure"),
            delay: text("1m"),
            max_attempts: Some(5),
            ..RestartDraft::default()
        },
        stop: StopDraft { signal: text("int"), grace: text("0") },
        update: UpdateDraft {
            pace: PaceDraft { parallelism: Some(0), order: text("stop-first"), ..PaceDraft::default() },
            drain_timeout: None,
        },
        exclusive: Some(true),
        tags: strings(&["v1", "traefik.enable=true"]),
        ..draft()
    };
    let spec = spec("web", &draft).unwrap();
    assert_eq!((spec.replicas, spec.exclusive, spec.tags.len()), (3, true, 2));
    assert_eq!(spec.check.kind, CheckKind::Http { path: "/healthz".into() });
    assert_eq!(spec.check.interval, Duration::from_millis(1500));
    assert_eq!(spec.restart.condition, RestartCondition::OnFailure);
    assert_eq!((spec.restart.max_delay, spec.restart.max_attempts), (Duration::from_secs(60), Some(5)));
    assert_eq!((spec.stop.signal.as_str(), spec.stop.grace), ("SIGINT", Duration::ZERO));
    assert_eq!((spec.update.parallelism, spec.update.order), (0, Order::StopFirst));
}

#[test]
fn three_mistakes_are_three_problems() {
    let check_draft = CheckDraft { kind: text("htp"), ..CheckDraft::default() };
    check(
        "We_b",
        Draft { replicas: Some(-1), command: None, check: check_draft, ..Draft::default() },
        &[
            "name: 'We_b' has 'W': use a-z, 0-9 and '-' only",
            "replicas: '-1' is out of range: give 0 to 10000",
            "command: '' names no program: give a program and its arguments as a list",
            "check.kind: 'htp' is unknown: give one of http, tcp, command, process",
        ],
    );
}

#[test]
fn an_environment_has_proper_names_and_none_of_ours() {
    let names = ["", "A=B", "ADSUM_NODE", "PORT", "GOOD"];
    let env = names.iter().map(|name| (name.to_string(), "x\0".to_string())).collect();
    let problems = spec("web", &Draft { env: Some(env), ..draft() }).unwrap_err();
    let of = |field: &str| problems.iter().filter(|problem| problem.field == field).count();
    assert_eq!((of("env"), of("env.GOOD"), problems.len()), (4, 1, 9));
}

#[test]
fn durations_are_readable_and_in_range() {
    let check_draft = CheckDraft {
        interval: text("99ms"),
        timeout: text("11m"),
        start_period: text("5"),
        ..Default::default()
    };
    check(
        "web",
        Draft { check: check_draft, stop: StopDraft { grace: text("2h"), signal: None }, ..draft() },
        &[
            "check.interval: '99ms' is out of range: give 100ms to 1h",
            "check.timeout: '11m' is out of range: give 1ms to 10m",
            "check.start_period: '5' is no duration: write it like 500ms, 30s, 5m or 1h30m",
            "stop.grace: '2h' is out of range: give 0s to 1h",
        ],
    );
}

#[test]
fn a_check_has_what_belongs_to_its_kind_and_nothing_else() {
    let with = |kind: &str, path: Option<&str>, command: Option<Vec<String>>| Draft {
        check: CheckDraft { kind: text(kind), path: path.map(str::to_string), command, ..Default::default() },
        ..draft()
    };
    check(
        "web",
        with("http", None, None),
        &["check.path: '' is no path: begin it with '/', such as /healthz"],
    );
    check(
        "web",
        with("http", Some("/a b"), None),
        &["check.path: '/a b' has ' ': write it as a URL does, such as %20 for a space"],
    );
    check(
        "web",
        with("tcp", Some("/"), strings(&["true"])),
        &[
            "check.path: '/' belongs to an http check: set check.kind to http, or leave it out",
            "check.command: 'true' belongs to a command check: set check.kind to command, or leave it out",
        ],
    );
    check(
        "web",
        with("command", None, strings(&[])),
        &["check.command: '' names no program: give a program and its arguments as a list"],
    );
}

#[test]
fn signals_words_tags_and_paths_are_known() {
    check(
        "-web",
        Draft {
            workdir: text("srv"),
            restart: RestartDraft {
                condition: text("always"),
                delay: text("1m"),
                max_delay: text("30s"),
                max_attempts: Some(-1),
                window: text("25h"),
            },
            user: text("a:b:c"),
            limits: LimitsDraft { memory: text("12"), ..LimitsDraft::default() },
            ulimits: strings(&["nofile=2:1"]),
            stop: StopDraft { signal: text("SIGNORE"), grace: None },
            update: UpdateDraft {
                pace: PaceDraft { order: text("both"), ..PaceDraft::default() },
                drain_timeout: None,
            },
            tags: strings(&["v1", "a\tb", "v1", "", " a", "web.rule=Host(`a.b`)"]),
            ..draft()
        },
        &[
            "name: '-web' begins or ends with '-': leave that off",
            "workdir: 'srv' is no absolute path: begin it with '/'",
            "user: 'a:b:c' is no user: write it like 1000, nobody, 1000:1000 or nobody:nogroup",
            "limits.memory: '12' is out of range: give 1m to 1024t",
            "ulimits[0]: 'nofile=2:1' has a soft limit above the hard one: the first number must not be the larger one",
            "restart.condition: 'always' is unknown: give one of any, on-failure, none",
            "restart.max_delay: '30s' is less than restart.delay: give at least as much",
            "restart.max_attempts: '-1' is out of range: give 0 to 1000000",
            "restart.window: '25h' is out of range: give 0s to 24h",
            "stop.signal: 'SIGNORE' is no signal: give a name such as SIGTERM, or a number from 1 to 31",
            "update.order: 'both' is unknown: give one of start-first, stop-first",
            "tags[1]: 'a\\tb' has '\\t': use what can be seen",
            "tags[2]: 'v1' is there twice: leave one out",
            "tags[3]: '' has no fitting length: give 1 to 255 characters",
            "tags[4]: ' a' begins or ends with a space: leave that out",
        ],
    );
}

/// One of these, mostly one that reads, or nothing.
fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(prop_oneof![9 => proptest::sample::select(texts), 1 => Just("\0")])
        .prop_map(|text| text.map(str::to_string))
}

const ROUTES: &[&str] = &[
    "Host(a, b) && !Path(/x;y)",
    "PathPrefix(/api); strip-prefix=/api/; weight=3",
    "PathPrefix(/`);priority=-1",
    "PathPrefix(/a) || Header(x, `;`); replace-prefix=/a:/ ; redirect-to-instance",
    "PathPrefix(/user); redirect-to-instance = chirp-user-{1}; priority=7",
];

const PORTS: &[&str] = &["8080", "8080:80/tcp", "published=81,target=8", "5432/tcp", "0"];

const LABELS: &[(&str, &str)] = &[
    ("adsum.route.a.rule", "Host(`a`)"),
    ("adsum.route.a.priority", "3"),
    ("adsum.route.a.redirect-to-instance", ""),
    ("adsum.route.b.rule", "Path(/a;b)"),
    ("adsum.route.b.strip-prefix", "/a;b"),
    ("adsum.gateway.balance", "hash:header=X-Cart"),
    ("adsum.gateway.hold", "1500ms"),
    ("adsum.gateway.upstream", "https"),
    ("adsum.gateway.upstream.ca", "/ca.pem"),
    ("owner", "somebody = me"),
];

fn owned(texts: Vec<&str>) -> Vec<String> {
    texts.into_iter().map(str::to_string).collect()
}

#[test]
fn routes_of_flags_and_of_labels_are_the_service_s_and_are_few() {
    let many = |count| Some((0..count).map(|at| format!("Path(/{at})")).collect());
    let labels = [("adsum.route.a.rule".to_string(), "Host(a)".to_string())];
    let labels = Some(labels.into());
    let read = spec("web", &Draft { routes: many(49), labels: labels.clone(), ..draft() }).unwrap();
    assert_eq!(read.routing.routes.len(), 50);
    let draft = Draft { routes: many(50), labels, publish: strings(&["80/udp"]), ..draft() };
    check(
        "web",
        draft,
        &[
            "publish[0]: '80/udp' has the protocol 'udp': give http or tcp",
            "routes: '51' is too many routes, those of labels included: give at most 50",
        ],
    );
}

proptest! {
    #[test]
    fn a_spec_that_was_read_is_written_down_and_read_back(
        path in one_of(&["/", "/x?y=%20"]),
        durations in proptest::array::uniform4(one_of(&["100ms", "1.5s", "10s", "59m59s", "1h"])),
        condition in one_of(&["any", "on-failure", "none"]),
        signal in one_of(&["SIGINT", "term", "9"]),
        order in one_of(&["start-first", "stop-first"]),
        ratio in one_of(&["0", "0.25", "0.3333", "1", "0.123456"]),
        numbers in proptest::array::uniform4(proptest::option::of(0i64..50)),
        command in proptest::collection::vec("[a-z]{1,2}", 0..4),
        routes in proptest::option::of(proptest::collection::vec(proptest::sample::select(ROUTES), 0..4)),
        publish in proptest::option::of(proptest::collection::vec(proptest::sample::select(PORTS), 0..3)),
        labels in proptest::option::of(proptest::collection::vec(proptest::sample::select(LABELS), 0..9)),
    ) {
        let [interval, delay, grace, drain_timeout] = durations;
        let [replicas, retries, max_attempts, parallelism] = numbers;
        let draft = Draft {
            command: Some(command),
            replicas,
            check: CheckDraft { path: path.clone(), interval, retries, ..CheckDraft::default() },
            restart: RestartDraft { condition, delay, max_attempts, window: grace.clone(), max_delay: None },
            user: signal.clone(),
            limits: LimitsDraft { memory: path.as_ref().map(|_| "1.5g".into()), cpu: None, pids: replicas },
            ulimits: order.as_ref().map(|_| owned(vec!["nofile=1:-1", "core=0"])),
            stop: StopDraft { signal, grace },
            rollback: PaceDraft { delay: drain_timeout.clone(), ..PaceDraft::default() },
            update: UpdateDraft {
                pace: PaceDraft {
                    parallelism, order, monitor: drain_timeout.clone(), max_failure_ratio: ratio, ..PaceDraft::default()
                },
                drain_timeout,
            },
            routes: routes.map(owned),
            publish: publish.map(owned),
            labels: labels.map(|labels| labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()),
            ..Draft::default()
        };
        if let Ok(read) = spec("web", &draft) {
            prop_assert_eq!(spec("web", &Draft::of(&read)), Ok(read));
        }
    }
}
