//! Streams of one handler that counts how often it is asked, and waits as a blocking query does.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http_body_util::BodyExt;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;

use super::*;

const SOON: Duration = Duration::from_secs(60);

/// A question that has an answer at each index, up to the one that there is.
struct World {
    asked: Arc<AtomicUsize>,
    index: watch::Sender<u64>,
    close: watch::Sender<bool>,
    streams: Streams,
    router: Router,
}

impl World {
    /// Whose answers have so many bytes.
    fn new(bytes: usize, streams: Streams) -> World {
        let asked = Arc::<AtomicUsize>::default();
        let (index, close) = (watch::Sender::new(7), watch::Sender::new(false));
        let (count, indexes) = (asked.clone(), index.clone());
        let handler = async move |query: Query, mut closing: Closing| {
            count.fetch_add(1, Ordering::SeqCst);
            let seen: u64 = query.text("index").map_or(0, |text| text.parse().unwrap());
            let mut indexes = indexes.subscribe();
            let newer = indexes.wait_for(|index| *index > seen);
            tokio::select! {
                newer = newer => drop(newer.unwrap()),
                () = closing.closed() => {}
            }
            let now = *indexes.borrow();
            ([("x-consul-index", now.to_string())], format!("{now} {}", "x".repeat(bytes)))
        };
        let router = Router::new().route("/v1/kv/a", get(handler));
        let router = router.layer(from_fn_with_state(streams.clone(), hold));
        let router = router.layer(axum::Extension(Closing::of(close.subscribe())));
        World { asked, index, close, streams, router }
    }

    async fn open(&self, last: Option<&str>) -> Response {
        use hyper::service::Service;
        let mut request = Request::get("/v1/kv/a").header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let service = TowerToHyperService::new(self.router.clone());
        service.call(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn impatient() -> Streams {
    Streams { heartbeat: Duration::from_millis(1), ..Streams::default() }
}

async fn piece(stream: &mut Response) -> Option<Bytes> {
    let frame = tokio::time::timeout(SOON, stream.body_mut().frame()).await.expect("it comes in time")?;
    Some(frame.unwrap().into_data().unwrap())
}

/// The id of the next event.
async fn event(stream: &mut Response) -> String {
    loop {
        let piece = String::from_utf8(piece(stream).await.unwrap().to_vec()).unwrap();
        if let Some(event) = piece.strip_prefix("id: ") {
            return event.lines().next().unwrap().to_string();
        }
    }
}

#[tokio::test]
async fn a_stream_that_has_nothing_to_tell_asks_once_and_gives_signs_of_life() {
    let world = World::new(1, impatient());
    let mut stream = world.open(None).await;
    assert_eq!(event(&mut stream).await, "7");
    for _ in 0..20 {
        assert_eq!(piece(&mut stream).await.unwrap(), HEARTBEAT);
    }
    assert_eq!(world.asked(), 2, "the first answer, and what comes after it");
    world.index.send_replace(8);
    assert_eq!(event(&mut stream).await, "8");
}

#[tokio::test]
async fn a_stream_ends_with_the_face_and_asks_nothing_more() {
    let world = World::new(1, Streams::default());
    let mut streams = Vec::new();
    for _ in 0..100 {
        let mut stream = world.open(None).await;
        event(&mut stream).await;
        streams.push(stream);
    }
    let asked = world.asked();
    // Each has news as well.
    world.index.send_replace(8);
    world.close.send_replace(true);
    for stream in &mut streams {
        assert_eq!(piece(stream).await, None);
    }
    assert_eq!(world.asked(), asked);
}

#[test]
fn an_index_of_a_key_alone_is_news() {
    let body = |index| format!(r#"[{{"ModifyIndex":{index}}}]"#);
    for (path, same) in [("/v1/kv/a", false), ("/v1/session/list", false), ("/v1/health/node/a", true)] {
        let print = |index| unchanged::print_at(path, body(index).as_bytes());
        assert_eq!(print(1) == print(2), same, "{path}");
    }
}

#[tokio::test]
async fn events_have_so_much_room_until_they_are_written() {
    let streams = Streams { room: Arc::new(Semaphore::new(3)), ..impatient() };
    let world = World::new(2 * KIB, streams);
    let mut first = world.open(None).await;
    let unwritten = piece(&mut first).await.unwrap();
    assert!(unwritten.len() > 2 * KIB);
    assert_eq!(world.streams.room.available_permits(), 0);
    let mut second = world.open(None).await;
    for _ in 0..5 {
        assert_eq!(piece(&mut second).await.unwrap(), HEARTBEAT);
    }
    assert_eq!(world.asked(), 2, "nobody asks while there is no room for the answer");
    // What has changed until then is told at once.
    world.index.send_replace(8);
    drop(unwritten);
    assert_eq!(event(&mut second).await, "8");
    assert_eq!(world.streams.room.available_permits(), 3, "it is written");
}

#[tokio::test]
async fn who_goes_on_where_it_was_cut_is_answered_before_the_head_is_sent() {
    let world = World::new(1, impatient());
    let mut known = world.open(Some("7")).await;
    assert_eq!(piece(&mut known).await.unwrap(), HEARTBEAT);
    let mut later = world.open(Some("6")).await;
    assert_eq!(event(&mut later).await, "7");
    assert_eq!(world.asked(), 2, "each has asked once until then");
}
