//! Scripts: a line that begins with `>` is what somebody does, the lines below it are what comes of it.
//!
//! `ADSUM_BLESS=1 cargo test -p adsum-rollout` writes the files anew; read what has changed before you commit it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use adsum_model::{FailureAction, Health, InstanceId, Order, Phase, Spec, parse_duration, rollout::Cause};
use adsum_rollout::desire;
use adsum_rollout::service::{Advance, Counted, Step, Tally};

use crate::world::World;

#[test]
fn every_line_of_a_script_leads_to_what_is_written_below_it() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    files.sort();
    assert!(files.len() >= 10, "the scripts are not where they are looked for: {}", dir.display());
    let bless = std::env::var_os("ADSUM_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for file in files {
        let script = std::fs::read_to_string(&file).unwrap();
        let played = play(&script);
        if bless {
            std::fs::write(&file, played).unwrap();
        } else if let Some((at, line)) = first_difference(&script, &played) {
            wrong.push(format!("{}:{at}: comes out as\n  {line}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nADSUM_BLESS=1 writes them anew", wrong.join("\n"));
}

fn first_difference(script: &str, played: &str) -> Option<(usize, String)> {
    let count = script.lines().count().max(played.lines().count());
    let line = |text: &str, at: usize| text.lines().nth(at).unwrap_or("(nothing)").to_string();
    (0..count).find(|at| line(script, *at) != line(played, *at)).map(|at| (at + 1, line(played, at)))
}

/// The script with what comes of each of its lines.
fn play(script: &str) -> String {
    let mut world = World::new();
    let mut played = String::new();
    for line in script.lines() {
        if line.starts_with('#') || (line.is_empty() && played.is_empty()) {
            played.push_str(line);
            played.push('\n');
        } else if let Some(command) = line.strip_prefix("> ") {
            writeln!(played, "{line}").unwrap();
            world.pass_time(Duration::from_millis(1));
            if let Err(refusal) = obey(&mut world, command) {
                writeln!(played, "  refused: {}", world.readable(&refusal)).unwrap();
            }
            for step in world.settle() {
                writeln!(played, "  {}", describe(&world, &step)).unwrap();
            }
            played.push_str(&standing(&world));
        }
    }
    played
}

/// Where the rollout stands, and what is waited for.
fn standing(world: &World) -> String {
    let mut text = String::new();
    if let Some(rollout) = world.rollout() {
        let way = match (rollout.from, &rollout.cause) {
            (Some(from), Cause::RolledBack { .. }) => format!("{from} -> {} back", rollout.to),
            (Some(from), _) => format!("{from} -> {}", rollout.to),
            (None, _) => format!("-> {}", rollout.to),
        };
        let because = rollout.reason.map_or(String::new(), |reason| format!(": {reason}"));
        let stage = rollout.stage.as_str();
        let line = format!("  = rollout {} ({way}) {stage}{because}", rollout.number);
        writeln!(text, "{}", world.readable(&line)).unwrap();
    }
    for waiting in world.plan().waiting_on {
        writeln!(text, "  . {}", world.readable(&waiting.to_string())).unwrap();
    }
    text
}

fn describe(world: &World, step: &Step) -> String {
    let called = |id: &InstanceId| {
        let state = world.state();
        let instance = state.instances.iter().find(|instance| instance.id == *id);
        let what = instance.map_or(String::new(), |i| format!(" ({} v{})", i.title(), i.version));
        format!("#{}{what}", world.number(id))
    };
    let text = match step {
        Step::Create { slot, version } => format!("create slot {slot} v{version}"),
        Step::Drain(id) => format!("drain {}", called(id)),
        Step::Stop(id) => format!("stop {}", called(id)),
        Step::Forget(id) => format!("forget {}", called(id)),
        Step::ForgetVersion(number) => format!("forget v{number}"),
        Step::RemoveService => "remove the service".to_string(),
        Step::Advance(Advance::Note { instance, step, .. }) => {
            format!("note {} {step:?}", called(instance)).to_lowercase()
        }
        Step::Advance(Advance::Failed { instance, reason, .. }) => {
            format!("failed {}: {reason}", called(instance))
        }
        Step::Advance(Advance::Proven) => "proven".to_string(),
        Step::Advance(Advance::Stage { stage, .. }) => format!("stage {}", stage.as_str()),
        Step::Advance(Advance::RollBack { .. }) => "roll back".to_string(),
    };
    world.readable(&text)
}

/// Does what a line says; the refusal, if it is one.
fn obey(world: &mut World, command: &str) -> Result<(), String> {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let name = world.name.clone();
    match (verb, words.as_slice()) {
        ("create", settings) => {
            let mut spec = Spec::new(name, vec!["serve".into()]);
            set_all(&mut spec, settings);
            taken(world.run(|tx| desire::create(tx, spec)))
        }
        ("update", settings) => {
            let mut spec = world.service().expect("a service to update").spec;
            set_all(&mut spec, settings);
            taken(world.run(|tx| desire::update(tx, spec)))
        }
        ("restart", _) => taken(world.run(|tx| desire::restart(tx, &name, "asked"))),
        ("remove", _) => taken(world.run(|tx| desire::remove(tx, &name))),
        ("rollback", _) => taken(world.run(|tx| desire::rollback(tx, &name))),
        ("abort", _) => taken(world.run(|tx| desire::abort(tx, &name))),
        ("pause", _) => taken(world.run(|tx| desire::pause(tx, &name))),
        ("resume", _) => taken(world.run(|tx| desire::resume(tx, &name))),
        ("maint", [switch, which @ ..]) => maintain(world, switch, which),
        ("node", [verb, which @ ..]) => node(world, verb, which),
        ("tick", [time]) => {
            world.pass_time(parse_duration(time).expect("a duration"));
            Ok(())
        }
        ("clock", ["back", time]) => {
            world.set_clock_back(parse_duration(time).expect("a duration"));
            Ok(())
        }
        ("count", [new, old, before @ ..]) => {
            let before = before.first().map(|before| tally(before)).unwrap_or_default();
            world.count(Some(Counted { new: tally(new), old: tally(old), before }));
            Ok(())
        }
        ("show", _) => Ok(()),
        (_, [which, reason @ ..]) => {
            let reason = reason.join(" ");
            instances(world, which).iter().for_each(|id| happen(world, verb, id, &reason));
            Ok(())
        }
        (_, []) => panic!("'{command}' is no line that is known"),
    }
}

/// What an instance does.
fn happen(world: &mut World, verb: &str, id: &InstanceId, reason: &str) {
    match verb {
        "start" => world.start(id),
        "pass" => world.pass(id),
        "critical" => world.turn_critical(id, reason),
        "crash" => world.crash(id, reason, Phase::Backoff),
        "missing" => world.fail_to_start(id, reason),
        "give-up" => world.crash(id, reason, Phase::Failed),
        "finish" => world.crash(id, reason, Phase::Complete),
        "end" => world.end(id),
        "hold" => drop(world.held.insert(id.clone())),
        "release" => drop(world.held.remove(id)),
        "say" => drop(world.last_words.insert(id.clone(), reason.to_string())),
        other => panic!("'{other}' is nothing that an instance does"),
    }
}

/// `#3`, or `all` that are not over and that nobody takes away, or all that are `leaving`.
fn instances(world: &World, which: &str) -> Vec<InstanceId> {
    let live = world.live();
    let is_leaving = |instance: &adsum_model::Instance| {
        instance.phase == Phase::Stopping || instance.health == Health::Draining
    };
    match which {
        "all" => live.into_iter().filter(|one| !is_leaving(one)).map(|one| one.id).collect(),
        "leaving" => live.into_iter().filter(is_leaving).map(|one| one.id).collect(),
        number => {
            let at: usize = number.strip_prefix('#').and_then(|n| n.parse().ok()).expect("#NUMBER");
            vec![world.ids[at - 1].clone()]
        }
    }
}

fn maintain(world: &mut World, switch: &str, which: &[&str]) -> Result<(), String> {
    let reason = (switch == "on").then(|| which.get(1..).unwrap_or_default().join(" "));
    if which[0] == "web" {
        let name = world.name.clone();
        return taken(world.run(|tx| desire::maintain_service(tx, &name, reason)));
    }
    let id = instances(world, which[0]).remove(0);
    taken(world.run(|tx| desire::maintain_instance(tx, &id, reason)))
}

fn node(world: &mut World, verb: &str, which: &[&str]) -> Result<(), String> {
    let name = which[0].parse().unwrap();
    match verb {
        "drain" => taken(world.run(|tx| desire::drain_node(tx, &name, which.contains(&"force")))),
        "activate" => taken(world.run(|tx| desire::activate_node(tx, &name))),
        other => panic!("'{other}' is nothing that is done with a node"),
    }
}

fn taken<T>(taken: Result<T, desire::Refusal>) -> Result<(), String> {
    taken.map(drop).map_err(|refusal| refusal.to_string())
}

fn tally(text: &str) -> Tally {
    let (failed, requests) = text.split_once('/').expect("FAILED/REQUESTS");
    Tally { requests: requests.parse().unwrap(), failed: failed.parse().unwrap() }
}

fn set_all(spec: &mut Spec, settings: &[&str]) {
    for setting in settings {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        set(spec, key, value);
    }
}

fn set(spec: &mut Spec, key: &str, value: &str) {
    let duration = |value: &str| -> Duration { parse_duration(value).expect("a duration") };
    let number = |value: &str| -> u32 { value.parse().expect("a number") };
    let order = |value: &str| match value {
        "stop-first" => Order::StopFirst,
        "start-first" => Order::StartFirst,
        other => panic!("'{other}' is no order"),
    };
    match key {
        "replicas" => spec.replicas = number(value),
        "env" => drop(spec.task.env.insert("A".into(), value.into())),
        "exclusive" => spec.exclusive = true,
        "parallelism" => spec.update.parallelism = number(value),
        "delay" => spec.update.delay = duration(value),
        "monitor" => spec.update.monitor = duration(value),
        "ratio" => spec.update.max_failure_ratio = number(value),
        "order" => spec.update.order = order(value),
        "action" => spec.update.failure_action = action(value),
        "rollback-parallelism" => spec.rollback.parallelism = number(value),
        "rollback-monitor" => spec.rollback.monitor = duration(value),
        other => panic!("'{other}' is no setting that is known here"),
    }
}

fn action(value: &str) -> FailureAction {
    match value {
        "pause" => FailureAction::Pause,
        "continue" => FailureAction::Continue,
        "rollback" => FailureAction::Rollback,
        other => panic!("'{other}' is no failure action"),
    }
}
