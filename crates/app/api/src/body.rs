//! Reading a body within its bounds.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::limits;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// With the bytes that came, or a part of them.
    TooLarge(u64),
    TooSlow,
    Broken,
}

/// Reads to the end. Of what is too large a good piece more is read and thrown away, since a client that is still
/// sending when its connection ends never sees why.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let reading = tokio::time::timeout(limits::BODY_TIME, read_to_end(body, limit));
    reading.await.unwrap_or(Err(BodyError::TooSlow))
}

async fn read_to_end(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut bytes = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        length += data.len();
        if length <= limit {
            bytes.extend_from_slice(&data);
        } else if length > limit + limits::DRAINED {
            break;
        }
    }
    if length <= limit { Ok(bytes.freeze()) } else { Err(BodyError::TooLarge(length as u64)) }
}
