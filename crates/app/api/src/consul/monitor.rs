//! `GET /v1/agent/monitor`: what the agent logs, from now on.

use axum::extract::State;
use axum::response::Response;
use hyper::StatusCode;
use tracing::Level;

use super::answer::Refusal;
use crate::closing::Closing;
use crate::monitor::{Form, Listening};
use crate::own::sse::{self, Source};
use crate::query::Query;
use crate::{ApiState, limits};

/// `?loglevel=debug`, info unless it is said; `?logjson`.
pub(crate) async fn get(
    State(state): State<ApiState>,
    query: Query,
    closing: Closing,
) -> Result<Response, Refusal> {
    let word = query.text("loglevel").unwrap_or_else(|| "INFO".to_string());
    let level = level(&word).ok_or_else(|| Refusal::bad(format!("Unknown log level: {word}")))?;
    let form = if query.asks("logjson") { Form::Json } else { Form::Text };
    let listening = state.monitor.listen(level, form).ok_or_else(|| {
        let text = format!("{} clients listen to the log already: end one of them", limits::MONITORS);
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    Ok(sse::stream_of("text/plain; charset=utf-8", Lines { listening, closing }))
}

fn level(word: &str) -> Option<Level> {
    Some(match word.to_lowercase().as_str() {
        "trace" => Level::TRACE,
        "debug" => Level::DEBUG,
        "info" => Level::INFO,
        "warn" => Level::WARN,
        "err" | "error" => Level::ERROR,
        _ => return None,
    })
}

struct Lines {
    listening: Listening,
    closing: Closing,
}

impl Source for Lines {
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            () = self.closing.closed() => None,
            lines = self.listening.next() => Some(lines),
        }
    }
}
