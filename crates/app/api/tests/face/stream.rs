//! Streams of answers: an event each time the answer is another one.

use adsum_model::Health;
use serde_json::{Value, json};

use crate::face::{Face, Opened, instance, soon, still_waits};

const STREAM: &str = "accept: text/event-stream";

async fn open(face: &Face, path: &str) -> Opened {
    let opened = face.open(&format!("GET {path}"), &[STREAM], "").await;
    assert_eq!(opened.status, 200);
    assert_eq!(opened.headers["content-type"], "text/event-stream");
    opened
}

/// The next event, past signs of life: its id, and its data.
async fn event(stream: &mut Opened) -> (String, Value) {
    loop {
        let piece = stream.piece().await.unwrap();
        if let Some(event) = piece.strip_prefix("id: ") {
            let (id, data) = event.split_once("\ndata: ").unwrap();
            return (id.to_string(), serde_json::from_str(&data.replace("\ndata: ", "\n")).unwrap());
        }
        assert_eq!(piece, ": \n\n");
    }
}

/// That nothing comes, although there was a chance.
async fn check_silent(stream: &mut Opened) {
    assert!(still_waits(&mut Box::pin(event(stream))).await);
}

async fn put(face: &Face, key: &str, value: &'static str) {
    assert_eq!(face.send(&format!("PUT /v1/kv/{key}"), &[], value).await.text(), "true");
}

#[tokio::test]
async fn an_event_is_the_answer_and_comes_when_that_is_another_one() {
    let face = Face::new().await;
    let mut web = face.put(instance(1, "web", 1)).await;
    let path = "/v1/health/service/web?passing";
    let mut stream = open(&face, path).await;
    let answer = face.get(path).await;
    let (id, data) = event(&mut stream).await;
    assert_eq!((id, &data), (answer.index().to_string(), &answer.json()));
    // One that does not pass, and another service, are none of its business.
    let mut ill = instance(2, "web", 2);
    ill.health = Health::Critical;
    face.put(ill).await;
    face.put(instance(3, "db", 1)).await;
    check_silent(&mut stream).await;
    web.health = Health::Critical;
    face.put(web).await;
    let (id, data) = event(&mut stream).await;
    assert_eq!((id, data), (face.get(path).await.index().to_string(), json!([])));
}

#[tokio::test]
async fn a_key_is_null_when_it_is_not_there() {
    let face = Face::new().await;
    let mut stream = open(&face, "/v1/kv/a").await;
    assert_eq!(event(&mut stream).await.1, Value::Null);
    put(&face, "b", "x").await;
    check_silent(&mut stream).await;
    put(&face, "a", "v").await;
    assert_eq!(event(&mut stream).await.1[0]["Value"], "dg==");
    assert_eq!(face.send("DELETE /v1/kv/a", &[], "").await.status, 200);
    assert_eq!(event(&mut stream).await.1, Value::Null);
}

#[tokio::test]
async fn a_stream_that_was_cut_goes_on_after_what_its_client_knows() {
    let face = Face::new().await;
    put(&face, "a", "1").await;
    let mut stream = open(&face, "/v1/kv/?recurse&pretty").await;
    let (id, _) = event(&mut stream).await;
    drop(stream);
    let header = format!("last-event-id: {id}");
    let again = async || face.open("GET /v1/kv/?recurse", &[STREAM, &header], "").await;
    let mut stream = again().await;
    assert_eq!(stream.piece().await.unwrap(), ": \n\n");
    check_silent(&mut stream).await;
    put(&face, "b", "2").await;
    assert_eq!(event(&mut stream).await.1.as_array().unwrap().len(), 2);
    assert_eq!(event(&mut again().await).await.1.as_array().unwrap().len(), 2);
    let odd = face.send("GET /v1/kv/a", &[STREAM, "last-event-id: 7&raw"], "").await;
    assert_eq!(odd.status, 400);
}

#[tokio::test]
async fn a_service_of_the_agent_is_followed_by_its_hash_until_it_goes() {
    let face = Face::new().await;
    let register = |port: u16| json!({"Name": "web", "Port": port}).to_string();
    for port in [80, 81] {
        face.send("PUT /v1/agent/service/register", &[], register(port)).await;
    }
    let mut stream = open(&face, "/v1/agent/service/web").await;
    let (id, data) = event(&mut stream).await;
    assert_eq!((data["ContentHash"].as_str().unwrap(), &data["Port"]), (id.as_str(), &json!(81)));
    face.send("PUT /v1/agent/service/register", &[], register(82)).await;
    assert_eq!(event(&mut stream).await.1["Port"], 82);
    face.send("PUT /v1/agent/service/deregister/web", &[], "").await;
    let mut piece = stream.piece().await.unwrap();
    while piece == ": \n\n" {
        piece = stream.piece().await.unwrap();
    }
    assert_eq!(piece, "event: failed\ndata: {\"status\":404,\"text\":\"unknown service ID: web\"}\n\n");
    assert_eq!(stream.piece().await, None);
}

#[tokio::test]
async fn what_is_refused_and_what_does_not_block_is_answered_as_ever() {
    let face = Face::new().await;
    for (path, status) in [
        ("/v1/health/service/web?filter=(", 400),
        ("/v1/agent/service/none", 404),
        ("/v1/kv/a?raw", 400),
        ("/v1/catalog/datacenters", 200),
    ] {
        let answer = soon(face.send(&format!("GET {path}"), &[STREAM], "")).await;
        assert_eq!(answer.status, status, "{path}");
        assert_ne!(answer.header("content-type"), Some("text/event-stream"));
    }
}

#[tokio::test]
async fn there_is_room_for_so_many_streams() {
    let face = Face::new().await;
    let mut streams = Vec::new();
    for _ in 0..adsum_api::limits::STREAMS {
        streams.push(open(&face, "/v1/kv/a").await);
    }
    let refused = face.send("GET /v1/kv/a", &[STREAM], "").await;
    assert_eq!((refused.status.as_u16(), refused.text()), (503, "there are 1000 streams already: end some"));
    drop(streams.pop());
    open(&face, "/v1/kv/a").await;
}
