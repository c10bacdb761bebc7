//! The event log.

use axum::body::Body;
use serde_json::json;

use crate::face::Face;

#[tokio::test]
async fn the_newest_events_are_listed_and_the_rest_after_an_id() {
    let face = Face::new().await;
    for kind in ["one", "two", "three"] {
        face.log_event(kind).await;
    }
    let newest = face.get("/api/events?limit=2").await.json();
    assert_eq!((&newest[0]["kind"], &newest[1]["kind"]), (&json!("two"), &json!("three")));
    assert_eq!((&newest[0]["message"], &newest[0]["time"]), (&json!("two!"), &json!(5)));
    let after = newest[0]["id"].as_str().unwrap();
    let rest = face.get(&format!("/api/events?after={after}")).await.json();
    assert_eq!((rest.as_array().unwrap().len(), &rest[0]["kind"]), (1, &json!("three")));
    assert_eq!(face.get("/api/events?limit=1001").await.status, 400);
    assert_eq!(face.get("/api/events?after=x").await.status, 400);
}

#[tokio::test]
async fn events_of_a_service_are_told_from_others() {
    let face = Face::new().await;
    face.deploy("web").await;
    face.log_event("other").await;
    let events = face.get("/api/events?service=web").await.json();
    assert_eq!((events.as_array().unwrap().len(), &events[0]["kind"]), (1, &json!("service-created")));
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was_cut() {
    let face = Face::new().await;
    face.log_event("one").await;
    face.log_event("two").await;
    let mut stream = face.open("GET /api/events?follow", &[], Body::empty()).await;
    let past = stream.until("two!").await;
    let id = past.lines().find_map(|line| line.strip_prefix("id: ")).unwrap().to_string();
    face.log_event("three").await;
    assert!(!stream.until("three!").await.contains("two!"));

    let again = [&*format!("last-event-id: {id}"), "accept: text/event-stream"];
    let mut stream = face.open("GET /api/events?limit=1", &again, Body::empty()).await;
    let text = stream.until("three!").await;
    assert!(!text.contains("one!") && text.contains("two!"), "{text}");
}
