//! What the agent logs, for those who listen to it over the network.
//!
//! ```text
//! tracing -> Monitor (a layer) -> the lines of each listener -> its stream
//! ```
//!
//! Invariants:
//! - While nobody listens, no event reaches this.
//! - What others' code logs is told from warnings on: what it traces is of no use to who asks the agent, and much.
//! - Logging never waits for a listener: one that is slow loses lines, and is told how many.
//! - There are [`limits::MONITORS`] listeners at most, each with [`limits::MONITOR_LINES`] lines of
//!   [`limits::MONITOR_LINE`] bytes.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use adsum_runtime::rfc3339;
use serde_json::{Map, Value};
use tokio::sync::Notify;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::limits;

/// What the targets of our own events begin with.
const OWN: &str = "adsum";

/// Clones are the same.
#[derive(Clone, Default)]
pub struct Monitor(Arc<Inner>);

#[derive(Default)]
struct Inner {
    listeners: Mutex<Vec<Arc<Listener>>>,
    /// Whoever lets events through to this: up to which level they are wanted.
    governed: OnceLock<Box<dyn Fn(LevelFilter) + Send + Sync>>,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    Json,
}

#[derive(Debug)]
struct Listener {
    level: Level,
    form: Form,
    lines: Mutex<Lines>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Lines {
    waiting: VecDeque<String>,
    lost: u64,
}

/// One that listens, until it is dropped.
pub(crate) struct Listening {
    monitor: Monitor,
    listener: Arc<Listener>,
}

impl Monitor {
    /// Has `set` told up to which level somebody listens, whenever that changes.
    pub fn govern(&self, set: impl Fn(LevelFilter) + Send + Sync + 'static) {
        // Who comes second governs nothing.
        drop(self.0.governed.set(Box::new(set)));
    }

    /// None when there are too many already.
    pub(crate) fn listen(&self, level: Level, form: Form) -> Option<Listening> {
        let listener = Listener { level, form, lines: Mutex::default(), news: Notify::new() };
        let listener = Arc::new(listener);
        {
            let mut listeners = locked(&self.0.listeners);
            if listeners.len() >= limits::MONITORS {
                return None;
            }
            listeners.push(listener.clone());
        }
        self.tell_level();
        Some(Listening { monitor: self.clone(), listener })
    }

    /// Without the lock: what it leads to may log.
    fn tell_level(&self) {
        let most = locked(&self.0.listeners).iter().map(|listener| listener.level).max();
        let level = most.map_or(LevelFilter::OFF, LevelFilter::from_level);
        if let Some(set) = self.0.governed.get() {
            set(level);
        }
    }
}

impl<S: Subscriber> Layer<S> for Monitor {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN && !event.metadata().target().starts_with(OWN) {
            return;
        }
        let listeners = locked(&self.0.listeners).clone();
        for listener in listeners.iter().filter(|listener| level <= listener.level) {
            listener.take(line(event, listener.form));
        }
    }
}

impl Listener {
    fn take(&self, line: String) {
        let mut lines = locked(&self.lines);
        if lines.waiting.len() >= limits::MONITOR_LINES {
            lines.lost += 1;
        } else {
            lines.waiting.push_back(line);
        }
        drop(lines);
        self.news.notify_one();
    }
}

impl Listening {
    /// What was logged since the last time, once there is something.
    pub(crate) async fn next(&self) -> String {
        loop {
            let Lines { waiting, lost } = std::mem::take(&mut *locked(&self.listener.lines));
            let mut text: String = waiting.into_iter().collect();
            if lost > 0 {
                text += &self.loss(lost);
            }
            if !text.is_empty() {
                return text;
            }
            self.listener.news.notified().await;
        }
    }

    fn loss(&self, lost: u64) -> String {
        let message = format!("{lost} lines are left out: they were not read in time");
        Told { message, fields: Map::new() }.print(Level::WARN, module_path!(), self.listener.form)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let own = &self.listener;
        locked(&self.monitor.0.listeners).retain(|listener| !Arc::ptr_eq(listener, own));
        self.monitor.tell_level();
    }
}

/// What an event says.
#[derive(Default)]
struct Told {
    message: String,
    fields: Map<String, Value>,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => drop(self.fields.insert(name.to_string(), text.into())),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_string(),
            name => drop(self.fields.insert(name.to_string(), value.into())),
        }
    }
}

impl Told {
    /// As Consul's logs are: `TIME [LEVEL]  module: message: key=value`, or JSON with `@` before what is no field.
    fn print(self, level: Level, module: &str, form: Form) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = rfc3339(u64::try_from(now.as_millis()).unwrap_or(u64::MAX));
        let mut line = match form {
            Form::Text => self.text(&time, level, module),
            Form::Json => self.json(&time, level, module),
        };
        // Cut JSON is none: of a line that is too long its message alone is told.
        if line.len() > limits::MONITOR_LINE {
            let mut message = self.message;
            message.truncate(message.floor_char_boundary(limits::MONITOR_LINE / 8));
            return Told { message, fields: Map::new() }.print(level, module, form);
        }
        line.push('\n');
        line
    }

    fn text(&self, time: &str, level: Level, module: &str) -> String {
        let level = format!("[{level}]");
        let mut line = format!("{time} {level:7} {module}: {}", self.message);
        for (number, (key, value)) in self.fields.iter().enumerate() {
            let _ = write!(line, "{} {key}={value}", if number == 0 { ":" } else { "" });
        }
        line
    }

    fn json(&self, time: &str, level: Level, module: &str) -> String {
        let mut object = self.fields.clone();
        let level = level.as_str().to_lowercase();
        let own =
            [("@timestamp", time), ("@level", &level), ("@module", module), ("@message", &self.message)];
        own.into_iter().for_each(|(key, text)| drop(object.insert(key.to_string(), text.into())));
        Value::Object(object).to_string()
    }
}

fn line(event: &Event<'_>, form: Form) -> String {
    let mut told = Told::default();
    event.record(&mut told);
    told.print(*event.metadata().level(), event.metadata().target(), form)
}

/// Nothing here leaves anything half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn logged(monitor: &Monitor, log: impl FnOnce()) {
        let subscriber = tracing_subscriber::registry().with(monitor.clone());
        tracing::subscriber::with_default(subscriber, log);
    }

    #[tokio::test]
    async fn who_listens_reads_what_is_logged_from_his_level_on() {
        let monitor = Monitor::default();
        let text = monitor.listen(Level::INFO, Form::Text).unwrap();
        let json = monitor.listen(Level::DEBUG, Form::Json).unwrap();
        logged(&monitor, || {
            tracing::debug!("quiet");
            tracing::warn!(port = 80, name = "web", "a port is taken");
        });
        let read = text.next().await;
        assert!(
            read.contains(" [WARN]  ") && read.ends_with(": a port is taken: name=\"web\" port=\"80\"\n"),
            "{read}"
        );
        let lines: Vec<Value> =
            json.next().await.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&lines[0]["@message"], &lines[1]["@level"]), (&"quiet".into(), &"warn".into()));
        assert_eq!(lines[1]["name"], "web");
    }

    #[tokio::test]
    async fn who_is_slow_loses_lines_and_is_told_how_many() {
        let monitor = Monitor::default();
        let slow = monitor.listen(Level::INFO, Form::Text).unwrap();
        logged(&monitor, || {
            (0..limits::MONITOR_LINES + 7).for_each(|number| tracing::info!("line {number}"))
        });
        let read = slow.next().await;
        assert_eq!(read.lines().count(), limits::MONITOR_LINES + 1);
        assert!(read.ends_with("7 lines are left out: they were not read in time\n"), "{read}");
        logged(&monitor, || tracing::info!("{}", "x".repeat(10 * limits::MONITOR_LINE)));
        assert!(slow.next().await.len() <= limits::MONITOR_LINE);
    }

    #[tokio::test]
    async fn of_what_others_code_logs_warnings_alone_are_told() {
        let monitor = Monitor::default();
        let listening = monitor.listen(Level::TRACE, Form::Text).unwrap();
        logged(&monitor, || {
            tracing::trace!(target: "h2::codec", "a frame");
            tracing::info!(target: "hyper", "a connection");
            tracing::warn!(target: "h2::codec", "a warning");
            tracing::trace!(target: "adsum_gateway::route", "our own");
        });
        let read = listening.next().await;
        let messages: Vec<&str> = read.lines().map(|line| line.rsplit(": ").next().unwrap()).collect();
        assert_eq!(messages, ["a warning", "our own"]);
    }

    #[test]
    fn nothing_is_wanted_while_nobody_listens_and_there_is_room_for_some() {
        let monitor = Monitor::default();
        let level = Arc::new(Mutex::new(LevelFilter::OFF));
        let (told, calls) = (level.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = calls.clone();
        monitor.govern(move |wanted| {
            *locked(&told) = wanted;
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let listening: Vec<Listening> =
            (0..limits::MONITORS).map(|_| monitor.listen(Level::DEBUG, Form::Text).unwrap()).collect();
        assert!(monitor.listen(Level::TRACE, Form::Text).is_none());
        assert_eq!(*locked(&level), LevelFilter::DEBUG);
        drop(listening);
        assert_eq!(*locked(&level), LevelFilter::OFF);
        assert_eq!(calls.load(Ordering::Relaxed), 2 * limits::MONITORS);
    }
}
