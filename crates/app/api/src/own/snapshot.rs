//! `GET /api/snapshot`: everything as of one revision, as a snapshot file.
//!
//! It is written and read back before the first byte of it is sent, in a file of its own: so it costs disk for a while,
//! and holds nobody up, however slow the client is.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};

use adsum_store::{Export, SaveError};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use hyper::StatusCode;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};

use super::Refusal;
use crate::ApiState;

/// Bytes that are read at a time.
const PIECE: usize = 256 * 1024;

pub(crate) async fn get(State(state): State<ApiState>) -> Result<Response, Refusal> {
    let Export { file, saved } = state.store.export_snapshot().await?;
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"adsum.snap\"")),
        (CONTENT_LENGTH, HeaderValue::from(saved.bytes)),
        (HeaderName::from_static("x-adsum-revision"), HeaderValue::from(saved.revision.0)),
    ];
    Ok((headers, pieces(file)).into_response())
}

/// A file that breaks off breaks the connection off, so that nobody takes it for a whole one.
fn pieces(file: File) -> Body {
    let pieces = stream::try_unfold(file, |file| async {
        let read = tokio::task::spawn_blocking(|| piece(file)).await;
        read.unwrap_or_else(|_| Err(io::Error::other("reading has panicked")))
    });
    Body::from_stream(pieces)
}

/// The next piece with the file behind it, nothing at its end.
fn piece(mut file: File) -> io::Result<Option<(Bytes, File)>> {
    let mut piece = vec![0; PIECE];
    let length = file.read(&mut piece)?;
    piece.truncate(length);
    Ok((length > 0).then(|| (piece.into(), file)))
}

impl From<SaveError> for Refusal {
    fn from(error: SaveError) -> Refusal {
        let status = match error {
            SaveError::Failed(failed) => return failed.into(),
            SaveError::Busy => StatusCode::CONFLICT,
            SaveError::Write(_) | SaveError::Open(_) => StatusCode::INSUFFICIENT_STORAGE,
        };
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        Refusal::new(status, text)
    }
}
