//! The end of the face, as those see it who wait for something.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tokio::sync::watch;

/// A blocking query is answered and a stream ends when the face closes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Closing(Option<watch::Receiver<bool>>);

impl Closing {
    pub(crate) fn of(closing: watch::Receiver<bool>) -> Closing {
        Closing(Some(closing))
    }

    /// For a stream that has told its last.
    pub(crate) fn over() -> Closing {
        Closing(Some(watch::channel(true).1))
    }

    /// Returns when the face closes; never for a face without sockets.
    pub(crate) async fn closed(&mut self) {
        match &mut self.0 {
            // An error means that the server has gone, which is the end as well.
            Some(closing) => drop(closing.wait_for(|closing| *closing).await),
            None => std::future::pending().await,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Closing {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Closing, Infallible> {
        Ok(parts.extensions.get::<Closing>().cloned().unwrap_or_default())
    }
}
