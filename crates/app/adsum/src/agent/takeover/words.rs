//! Messages on a link.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use adsum_listen::handover::Link;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) async fn say(link: &Link, word: &impl Serialize, descriptors: &[OwnedFd]) -> io::Result<()> {
    let text = serde_json::to_vec(word).map_err(io::Error::other)?;
    let descriptors: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
    link.send(&text, &descriptors).await
}

/// None when the other side has gone, or says what nobody understands: that is as good.
pub(super) async fn hear<W: DeserializeOwned>(link: &Link) -> Option<(W, Vec<OwnedFd>)> {
    let message =
        link.receive().await.inspect_err(|error| tracing::warn!(%error, "the other agent")).ok()??;
    match serde_json::from_slice(&message.text) {
        Ok(word) => Some((word, message.descriptors)),
        Err(error) => {
            tracing::warn!(%error, "the other agent says what is not understood here");
            None
        }
    }
}
