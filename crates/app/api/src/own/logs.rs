//! `GET /api/services/NAME/logs`: what the instances of a service have said, in one stream.
//!
//! ```text
//! web.1.abcdefgh | 2026-08-01T09:05:03.007Z listening
//! web.2.ijklmnop | 2026-08-01T09:05:03.011Z listening
//! ```
//!
//! The past is in the order of its time over all instances; what is followed comes as it is read.

use std::path::PathBuf;
use std::sync::Arc;

use adsum_model::{Instance, InstanceId, Name, Revision};
use adsum_runtime::logs::{self, Follow};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{BoxStream, SelectAll, unfold};
use futures_util::{FutureExt, StreamExt};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use tokio::sync::oneshot;

use super::Refusal;
use super::sse::{self, Source};
use crate::closing::Closing;
use crate::query::Query;
use crate::{ApiState, limits};

/// Lines of the past for a question that does not say how many.
const DEFAULT: usize = 100;
/// Letters of an instance's id that tell it from the others of its slot.
const ID_SHOWN: usize = 8;

const KIND: &str = "text/plain; charset=utf-8";

/// `?tail=100&instance=ID`, and `?follow` to go on with what comes, of new instances too.
pub(crate) async fn get(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    query: Query,
    closing: Closing,
) -> Result<Response, Refusal> {
    let name: Name = text.parse().map_err(|_| Refusal::unknown_service(&text))?;
    let count = lines_wanted(&query)?;
    let catalog = state.store.catalog().await?;
    let service = catalog.service(&name).ok_or_else(|| Refusal::unknown_service(&text))?;
    let only = query.text("instance");
    let chosen: Vec<Arc<Instance>> =
        service.instances.iter().filter(|instance| is_chosen(only.as_deref(), instance)).cloned().collect();
    if let (Some(id), true) = (&only, chosen.is_empty()) {
        let text = format!("service '{name}' has no instance '{id}': GET /api/services/{name} lists them");
        return Err(Refusal::new(StatusCode::NOT_FOUND, text));
    }
    let files = files(&state, &chosen);
    if !query.asks("follow") {
        let text = blocking(move || past(&files, count)).await?;
        let headers = [(CONTENT_TYPE, KIND), (CACHE_CONTROL, "no-store")];
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        return Ok((headers, text).into_response());
    }
    let (first, follows) = blocking(move || begin(files, count)).await?;
    let seen = catalog.revision();
    let mut stream = Lines {
        first: Some(first),
        lines: SelectAll::new(),
        followed: Vec::new(),
        state,
        name,
        only,
        seen,
        closing,
    };
    follows.into_iter().for_each(|(file, follow)| stream.add(file, follow));
    Ok(sse::stream_of(KIND, stream))
}

fn lines_wanted(query: &Query) -> Result<usize, Refusal> {
    let Some(text) = query.text("tail") else { return Ok(DEFAULT) };
    let fitting = text.parse().ok().filter(|count| *count <= limits::LOG_LINES);
    let advice = format!("tail '{text}' is not taken: give a number of lines up to {}", limits::LOG_LINES);
    fitting.ok_or_else(|| Refusal::bad(advice))
}

/// By its id, or by the beginning of it that the lines show.
fn is_chosen(only: Option<&str>, instance: &Instance) -> bool {
    only.is_none_or(|id| id.len() >= ID_SHOWN && instance.id.as_str().starts_with(id))
}

/// Reads files where that holds nobody up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let failed = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the logs could not be read: try again");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

/// The log of one instance.
#[derive(Clone)]
struct LogFile {
    id: InstanceId,
    /// What its lines begin with.
    label: String,
    path: PathBuf,
}

fn files(state: &ApiState, instances: &[Arc<Instance>]) -> Vec<LogFile> {
    let of = |instance: &Arc<Instance>| {
        let id = instance.id.clone();
        let label = format!("{}.{}", instance.title(), &id.as_str()[..ID_SHOWN]);
        let paths = state.logs.files(instance).into_iter();
        paths.map(|path| LogFile { id: id.clone(), label: label.clone(), path }).collect::<Vec<_>>()
    };
    instances.iter().flat_map(of).collect()
}

/// The last lines over all files.
fn past(files: &[LogFile], count: usize) -> String {
    let mut newest = Newest::new(count);
    files.iter().for_each(|file| newest.add(&file.label, logs::tail(&file.path, count)));
    newest.text()
}

/// The last lines over all files, and the files to follow from there on.
fn begin(files: Vec<LogFile>, count: usize) -> (String, Vec<(LogFile, Follow)>) {
    let mut newest = Newest::new(count);
    let mut follows = Vec::new();
    for file in files {
        let mut follow = logs::follow(&file.path, count);
        if let Some(Ok(lines)) = follow.next().now_or_never() {
            newest.add(&file.label, lines);
        }
        follows.push((file, follow));
    }
    (newest.text(), follows)
}

/// The newest lines of several logs: never more than twice as many as wanted are held.
struct Newest {
    count: usize,
    /// By time, which each line begins with.
    lines: Vec<(String, String)>,
}

impl Newest {
    fn new(count: usize) -> Newest {
        Newest { count, lines: Vec::new() }
    }

    fn add(&mut self, label: &str, lines: Vec<String>) {
        let timed = lines.into_iter().map(|line| {
            let time = line.split(' ').next().unwrap_or_default().to_string();
            (time, format!("{label} | {line}\n"))
        });
        self.lines.extend(timed);
        self.lines.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.lines.drain(..self.lines.len().saturating_sub(self.count));
    }

    fn text(self) -> String {
        self.lines.into_iter().map(|(_, line)| line).collect()
    }
}

/// Logs that are being followed.
struct Lines {
    first: Option<String>,
    lines: SelectAll<BoxStream<'static, String>>,
    /// Those in `lines`; each stream ends when its place here does.
    followed: Vec<(InstanceId, oneshot::Sender<()>)>,
    state: ApiState,
    name: Name,
    only: Option<String>,
    seen: Revision,
    closing: Closing,
}

impl Source for Lines {
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Some(first);
        }
        loop {
            tokio::select! {
                biased;
                () = self.closing.closed() => return None,
                Some(text) = self.lines.next(), if !self.lines.is_empty() => return Some(text),
                catalog = self.state.store.directory().changed(self.seen) => {
                    let catalog = catalog.ok()?;
                    self.seen = catalog.revision();
                    self.keep_up(&catalog.service(&self.name)?.instances).await?;
                }
            }
        }
    }
}

impl Lines {
    /// Follows the instances that have come, and no longer those that have been forgotten.
    async fn keep_up(&mut self, instances: &[Arc<Instance>]) -> Option<()> {
        self.followed.retain(|(id, _)| instances.iter().any(|instance| instance.id == *id));
        let is_new = |instance: &&Arc<Instance>| {
            is_chosen(self.only.as_deref(), instance)
                && !self.followed.iter().any(|(id, _)| *id == instance.id)
        };
        let new: Vec<Arc<Instance>> = instances.iter().filter(is_new).cloned().collect();
        if new.is_empty() {
            return Some(());
        }
        let files = files(&self.state, &new);
        let follow = |file: LogFile| {
            let follow = logs::follow(&file.path, limits::LOG_LINES);
            (file, follow)
        };
        let follows = blocking(move || files.into_iter().map(follow).collect::<Vec<_>>()).await.ok()?;
        follows.into_iter().for_each(|(file, follow)| self.add(file, follow));
        Some(())
    }

    fn add(&mut self, file: LogFile, follow: Follow) {
        let (end, ended) = oneshot::channel();
        let label = file.label;
        let lines = unfold((follow, ended), move |(mut follow, mut ended)| {
            let label = label.clone();
            async move {
                let lines = tokio::select! {
                    lines = follow.next() => lines.ok()?,
                    _ = &mut ended => return None,
                };
                let text = lines.iter().map(|line| format!("{label} | {line}\n")).collect();
                Some((text, (follow, ended)))
            }
        });
        self.lines.push(lines.boxed());
        self.followed.push((file.id, end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_several_logs_come_in_the_order_of_their_time() {
        let mut newest = Newest::new(3);
        newest.add("a", vec!["01 x".into(), "03 y".into()]);
        newest.add("b", vec!["00 o".into(), "02 p".into(), "03 q".into()]);
        assert_eq!(newest.text(), "b | 02 p\na | 03 y\nb | 03 q\n");
    }
}
