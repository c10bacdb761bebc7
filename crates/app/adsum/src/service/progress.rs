//! How far a service is: bars that move on a terminal, a line per change elsewhere. On standard error, since
//! standard output has the command's result.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::Duration;

use adsum_model::Phase;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::view::{Instance, Service};
use crate::screen::Screen;

/// More slots than a screen has room for are shown as their sum only.
const SHOWN_SLOTS: u32 = 20;

pub(super) enum Progress {
    Bars(Bars),
    Lines(Lines),
    /// Nobody waits.
    Silent,
}

impl Progress {
    pub(super) fn silent() -> Progress {
        Progress::Silent
    }

    pub(super) fn new() -> Progress {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        match io::stderr().is_terminal() && !dumb {
            true => Progress::Bars(Bars::new()),
            false => Progress::Lines(Lines::default()),
        }
    }

    pub(super) fn show(&mut self, overall: &str, service: &Service) {
        match self {
            Progress::Bars(bars) => bars.show(overall, service),
            Progress::Lines(lines) => {
                lines.changes(overall, service).iter().for_each(|line| eprintln!("{line}"))
            }
            Progress::Silent => {}
        }
    }

    /// The last word.
    pub(super) fn finish(self, text: &str) {
        self.settle();
        if !text.is_empty() {
            eprintln!("{text}");
        }
    }

    /// Nothing moves any more.
    pub(super) fn settle(&self) {
        match self {
            Progress::Bars(bars) => bars.settle(),
            Progress::Lines(_) | Progress::Silent => {}
        }
    }
}

pub(super) struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    /// What it waits for, the first of it.
    waiting: ProgressBar,
    slots: BTreeMap<u32, ProgressBar>,
    unicode: bool,
}

impl Bars {
    fn new() -> Bars {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new_spinner().with_style(style("{wide_msg} {elapsed}", true)));
        overall.enable_steady_tick(Duration::from_secs(1));
        let waiting = all.add(ProgressBar::new_spinner().with_style(style("{wide_msg}", true)));
        Bars { all, overall, waiting, slots: BTreeMap::new(), unicode: Screen::stdout().unicode }
    }

    fn show(&mut self, overall: &str, service: &Service) {
        self.overall.set_message(overall.to_string());
        let waiting = service.waiting_on.first().filter(|_| !service.converged);
        self.waiting.set_message(waiting.map_or(String::new(), |reason| format!("waiting on: {reason}")));
        let shown = if service.spec.replicas > SHOWN_SLOTS { 0 } else { service.spec.replicas };
        for slot in 1..=shown {
            let bar = self.slots.entry(slot).or_insert_with(|| slot_bar(&self.all, self.unicode));
            bar.set_message(slot_line(service, slot));
            if service.of_slot(slot).is_some_and(|instance| is_there(service, instance)) {
                bar.abandon();
            }
        }
    }

    fn settle(&self) {
        self.slots.values().for_each(ProgressBar::abandon);
        self.waiting.finish_and_clear();
        self.overall.abandon();
    }
}

fn slot_bar(all: &MultiProgress, unicode: bool) -> ProgressBar {
    let bar = all.add(ProgressBar::new_spinner().with_style(style("{spinner} {wide_msg}", unicode)));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn style(template: &str, unicode: bool) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("our own templates are well formed");
    style.tick_chars(if unicode { "⠋⠙⠹⠸⠼⠴⠦⠧✓" } else { "|/-\\*" })
}

/// What was said last of the sum and of each slot.
#[derive(Default)]
pub(super) struct Lines {
    said: BTreeMap<u32, String>,
}

impl Lines {
    /// The lines that are news: those of the slots, then the sum.
    fn changes(&mut self, overall: &str, service: &Service) -> Vec<String> {
        let slots = (1..=service.spec.replicas).map(|slot| (slot, slot_line(service, slot)));
        let lines: Vec<(u32, String)> = slots.chain([(0, overall.to_string())]).collect();
        let news = lines
            .into_iter()
            .filter(|(slot, line)| self.said.insert(*slot, line.clone()).as_ref() != Some(line));
        news.map(|(_, line)| line).collect()
    }
}

/// Docker's words, with our noun.
pub(super) fn toward_replicas(service: &Service) -> String {
    let so_far = format!("overall progress: {} out of {} instances", service.proven(), service.spec.replicas);
    let Some(rollout) = service.rollout.as_ref().filter(|rollout| !rollout.ended) else { return so_far };
    let reason = rollout.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    format!("{so_far} of version {}, {}{reason}", rollout.to, rollout.stage)
}

pub(super) fn toward_nothing(service: &Service) -> String {
    let left = service.instances.iter().filter(|instance| !instance.phase.is_final()).count();
    format!("overall progress: {left} instances still to stop")
}

/// `1/3: passing on 127.0.0.1:20001`.
fn slot_line(service: &Service, slot: u32) -> String {
    let state = service.of_slot(slot).map_or_else(|| "no instance yet".to_string(), |it| state(service, it));
    format!("{slot}/{}: {state}", service.spec.replicas)
}

fn state(service: &Service, instance: &Instance) -> String {
    if instance.version != service.version {
        return format!("version {} is to be replaced", instance.version);
    }
    let because = instance.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    match instance.phase {
        Phase::Running if instance.is_routable() => format!("passing on {}", instance.endpoint()),
        Phase::Running => format!("{}{because}", instance.health),
        Phase::Backoff => format!("waiting for its restart{because}"),
        Phase::Planned | Phase::Stopping | Phase::Stopped | Phase::Complete | Phase::Failed => {
            format!("{}{because}", instance.phase.as_str())
        }
    }
}

fn is_there(service: &Service, instance: &Instance) -> bool {
    instance.version == service.version && instance.is_routable()
}

#[cfg(test)]
mod tests {
    use super::super::rollout::Rollout;
    use super::super::view::tests::{instance, service};
    use super::*;

    #[test]
    fn lines_tell_only_what_is_new() {
        let mut lines = Lines::default();
        let first =
            service(vec![instance(1, 1, "running", "passing"), instance(2, 2, "running", "starting")]);
        assert_eq!(
            lines.changes(&toward_replicas(&first), &first),
            [
                "1/3: version 1 is to be replaced",
                "2/3: starting",
                "3/3: no instance yet",
                "overall progress: 0 out of 3 instances"
            ]
        );
        let second =
            service(vec![instance(1, 1, "running", "passing"), instance(2, 2, "running", "passing")]);
        assert_eq!(
            lines.changes(&toward_replicas(&second), &second),
            ["2/3: passing on 127.0.0.1:20002", "overall progress: 1 out of 3 instances"]
        );
        assert!(lines.changes(&toward_replicas(&second), &second).is_empty());
    }

    #[test]
    fn a_rollout_says_its_version_and_its_stage() {
        let mut service = service(vec![instance(1, 2, "running", "passing")]);
        let rollout =
            Rollout { to: 2, stage: "paused".into(), reason: Some("by hand".into()), ..Rollout::default() };
        service.rollout = Some(rollout);
        let expect = "overall progress: 1 out of 3 instances of version 2, paused: by hand";
        assert_eq!(toward_replicas(&service), expect);
    }

    #[test]
    fn a_slot_in_trouble_says_why() {
        let mut broken = instance(1, 2, "backoff", "critical");
        broken["reason"] = "exited with 1".into();
        assert_eq!(slot_line(&service(vec![broken]), 1), "1/3: waiting for its restart: exited with 1");
    }

    #[test]
    fn a_removal_counts_what_is_left() {
        let service =
            service(vec![instance(1, 2, "stopping", "draining"), instance(2, 2, "stopped", "critical")]);
        assert_eq!(toward_nothing(&service), "overall progress: 1 instances still to stop");
    }
}
