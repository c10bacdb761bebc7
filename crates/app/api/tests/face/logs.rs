//! What instances have said.

use std::io::Write;

use adsum_model::Instance;
use axum::body::Body;

use crate::face::{Face, instance};

fn say(face: &Face, instance: &Instance, lines: &str) {
    let mut file =
        std::fs::OpenOptions::new().create(true).append(true).open(face.log_file(instance)).unwrap();
    file.write_all(lines.as_bytes()).unwrap();
}

fn label(instance: &Instance) -> String {
    format!("{}.{}", instance.title(), &instance.id.as_str()[..8])
}

#[tokio::test]
async fn lines_of_all_instances_come_in_the_order_of_their_time() {
    let face = Face::new().await;
    let one = face.deploy("web").await;
    let two = face.put(instance(77, "web", 2)).await;
    say(&face, &one, "2026-08-01T09:00:01.000Z a\n2026-08-01T09:00:03.000Z c\n");
    say(&face, &two, "2026-08-01T09:00:02.000Z b\n");
    let (first, second) = (label(&one), label(&two));
    let all = face.get("/api/services/web/logs").await;
    assert_eq!(all.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(
        all.text(),
        format!(
            "{first} | 2026-08-01T09:00:01.000Z a\n{second} | 2026-08-01T09:00:02.000Z b\n\
             {first} | 2026-08-01T09:00:03.000Z c\n"
        )
    );
    let last = face.get("/api/services/web/logs?tail=1").await;
    assert_eq!(last.text(), format!("{first} | 2026-08-01T09:00:03.000Z c\n"));
    let only = face.get(&format!("/api/services/web/logs?instance={}", two.id)).await;
    assert_eq!(only.text(), format!("{second} | 2026-08-01T09:00:02.000Z b\n"));
    assert_eq!(face.get("/api/services/web/logs?instance=aaaaaaaaaaaa").await.status, 404);
    assert_eq!(face.get("/api/services/web/logs?tail=x").await.status, 400);
}

#[tokio::test]
async fn a_followed_log_goes_on_with_new_lines_and_new_instances() {
    let face = Face::new().await;
    let one = face.deploy("web").await;
    say(&face, &one, "2026-08-01T09:00:01.000Z past\n");
    let mut stream = face.open("GET /api/services/web/logs?follow&tail=5", &[], Body::empty()).await;
    stream.until("past\n").await;
    say(&face, &one, "2026-08-01T09:00:02.000Z present\n");
    stream.until("present\n").await;
    let two = instance(78, "web", 2);
    say(&face, &two, "2026-08-01T09:00:03.000Z new\n");
    let two = face.put(two).await;
    assert!(stream.until("new\n").await.contains(&label(&two)));
}
