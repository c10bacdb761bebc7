//! The watch that feeds the view, for as long as the engine is open.
//!
//! ```text
//! connect -> view loaded?  no: load at etcd's revision R     yes: is etcd still where it was?
//!              |                                                   |
//!              +---- watch w/ from R + 1: event records -----------+     a question every half second: is it complete?
//!                         | broken: the next endpoint, and on from there
//!                         | compacted, or a new base: load anew
//! ```

use std::convert::Infallible;
use std::time::{Duration, Instant as Moment};

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::error::Broken;
use crate::layout::Layout;
use crate::link::{PATIENCE, range, within};
use crate::load::{base, head, load};
use crate::protocol::watch_client::WatchClient;
use crate::protocol::watch_request::RequestUnion;
use crate::protocol::{RangeRequest, WatchCreateRequest, WatchRequest, WatchResponse};
use crate::record::Record;
use crate::requests::{get, revision, scan};
use crate::shared::Shared;

/// Between two questions to etcd.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(100);
/// A watch that has not brought what etcd has for this long is broken.
const STUCK: Duration = Duration::from_secs(5);

/// Ends never; dropped with the engine.
pub(crate) async fn run(shared: &Shared) {
    let mut complete = false;
    for nth in 0.. {
        let Err(broken) = follow(shared, nth, &mut complete).await;
        if matches!(broken, Broken::Compacted | Broken::NewBase) {
            complete = false;
        }
        tracing::debug!(%broken, "the feed from etcd has ended and begins again");
        shared.link.down(broken.to_string());
        sleep(PAUSE).await;
    }
}

async fn follow(shared: &Shared, nth: usize, complete: &mut bool) -> Result<Infallible, Broken> {
    let channel = shared.link.connect(nth).await?;
    if *complete {
        verify(shared, &channel).await?;
    } else {
        reload(shared, &channel).await?;
        *complete = true;
    }
    let from = shared.view.lock().seen + 1;
    let (_requests, stream) = open(&channel, &shared.layout, from).await?;
    tokio::select! {
        broken = read(shared, stream, &channel) => broken,
        broken = ask(shared, &channel) => broken,
    }
}

/// Reads everything, which must not be older than what was given out.
async fn reload(shared: &Shared, channel: &Channel) -> Result<(), Broken> {
    let loaded = load(channel, &shared.layout, || shared.view.lock().now()).await?;
    let seen = shared.level.borrow().revision;
    if loaded.base.public(loaded.applied) < seen {
        return Err(Broken::WentBack { seen });
    }
    shared.replace(loaded);
    Ok(())
}

/// Whether etcd has the past that the view knows: after a restored snapshot it has not.
async fn verify(shared: &Shared, channel: &Channel) -> Result<(), Broken> {
    let (known, applied, last, seen) = {
        let view = shared.view.lock();
        (view.base, view.applied, view.last, view.revision())
    };
    let now = head(channel, &shared.layout).await?;
    if now.base != known {
        return Err(Broken::NewBase);
    }
    if now.applied() < applied {
        return Err(Broken::WentBack { seen });
    }
    match (applied, last) {
        (0, _) | (_, None) => Ok(()),
        (_, Some(id)) => match event_at(channel, &shared.layout, applied).await? {
            Some(record) if record.id == id => Ok(()),
            Some(_) | None => Err(Broken::WentBack { seen }),
        },
    }
}

/// The event record that a transaction of etcd has put.
async fn event_at(channel: &Channel, layout: &Layout, at: i64) -> Result<Option<Record>, Broken> {
    let request = RangeRequest { revision: at, ..get(layout.event()) };
    match range(channel, request).await {
        Ok(response) => Ok(response.kvs.first().map(|kv| Record::decode(&kv.value)).transpose()?),
        Err(Broken::Status(status)) if status.code() == Code::OutOfRange => Err(Broken::Compacted),
        Err(broken) => Err(broken),
    }
}

/// The sender has to be kept: dropping it ends the watch.
async fn open(
    channel: &Channel,
    layout: &Layout,
    from: i64,
) -> Result<(mpsc::Sender<WatchRequest>, Streaming<WatchResponse>), Broken> {
    let span = layout.watched();
    let create = WatchCreateRequest {
        key: span.from.into(),
        range_end: span.to.into(),
        start_revision: from,
        ..WatchCreateRequest::default()
    };
    let (sender, receiver) = mpsc::channel(1);
    let create = WatchRequest { request_union: Some(RequestUnion::CreateRequest(create)) };
    sender.try_send(create).expect("the channel is new");
    let mut client = WatchClient::new(channel.clone()).max_decoding_message_size(usize::MAX);
    let stream = within(PATIENCE, client.watch(ReceiverStream::new(receiver))).await?;
    Ok((sender, stream))
}

async fn read(
    shared: &Shared,
    mut stream: Streaming<WatchResponse>,
    channel: &Channel,
) -> Result<Infallible, Broken> {
    while let Some(response) = stream.message().await? {
        if response.compact_revision > 0 {
            return Err(Broken::Compacted);
        }
        if response.canceled {
            return Err(Broken::Cancelled(response.cancel_reason));
        }
        for kv in response.events.iter().filter_map(|event| event.kv.as_ref()) {
            if kv.key == shared.layout.base() {
                return Err(Broken::NewBase);
            }
            shared.apply(kv)?;
        }
        if response.created {
            shared.link.up(channel.clone());
        }
    }
    Err(Broken::Cancelled("without a reason".to_string()))
}

/// Asks whether the view is complete, which tells its age, and that etcd is there.
async fn ask(shared: &Shared, channel: &Channel) -> Result<Infallible, Broken> {
    loop {
        let asked = Moment::now();
        let request = RangeRequest { keys_only: true, ..scan(shared.layout.watched()) };
        let response = range(channel, request).await?;
        let find = |key: Vec<u8>| response.kvs.iter().find(|kv| kv.key == key);
        let applied = find(shared.layout.event()).map_or(0, |kv| kv.mod_revision);
        if base(find(shared.layout.base())).put_by != shared.view.lock().base.put_by {
            return Err(Broken::NewBase);
        }
        if !shared.until_applied(applied, Instant::now() + STUCK).await {
            return Err(Broken::Silent(STUCK));
        }
        shared.hear(applied, revision(response.header.as_ref()), asked);
        sleep(HEARTBEAT).await;
    }
}

#[cfg(test)]
mod tests {
    use adsum_model::Revision;

    use super::*;

    #[test]
    fn going_back_says_what_to_do() {
        let message = Broken::WentBack { seen: Revision(7) }.to_string();
        assert!(message.contains("before revision 7") && message.contains("base"), "{message}");
    }
}
