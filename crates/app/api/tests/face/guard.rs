//! Who does not come in, and what every answer carries.

use axum::body::Body;

use crate::face::Face;

#[tokio::test]
async fn a_cross_site_post_is_refused_and_changes_nothing() {
    let face = Face::new().await;
    let foreign = ["origin: http://evil.example", "content-type: application/json"];
    let answer = face.send("PUT /api/services/web", &foreign, r#"{"command": ["evil"]}"#).await;
    assert_eq!(answer.status, 403);
    assert!(answer.errors()[0].contains("http://evil.example"), "{}", answer.text());
    let answer = face.send("PUT /v1/kv/a", &foreign, "x").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (403, Some("text/plain; charset=utf-8"))
    );
    assert_eq!(face.get("/api/services").await.json(), serde_json::json!([]));
    assert_eq!(face.get("/v1/kv/a").await.status, 404);
    let simple = face.send("POST /api/scale", &["content-type: text/plain"], r#"{"services":{}}"#).await;
    assert_eq!(simple.status, 415);
}

#[tokio::test]
async fn a_name_that_somebody_else_points_here_is_refused() {
    let face = Face::with(|about| about.names.push("adsum.example".into())).await;
    for (host, expect) in [("evil.example:8500", 403), ("adsum.example:8500", 200), ("[::1]:8500", 200)] {
        for path in ["/api/status", "/v1/agent/self"] {
            let answer = face.send(&format!("GET {path}"), &[&format!("host: {host}")], Body::empty()).await;
            assert_eq!(answer.status, expect, "{host} {path}");
        }
    }
    let answer = face.send("PUT /v1/kv/a", &["host: evil.example:8500"], "x").await;
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("'evil.example'") && answer.text().contains("DNS rebinding"));
}

#[tokio::test]
async fn every_answer_forbids_what_a_browser_might_make_of_it() {
    let face = Face::new().await;
    for path in ["/api/status", "/v1/agent/self", "/v1/kv/none", "/nowhere", "/api/services/none"] {
        let answer = face.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(
            answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"),
            "{path}"
        );
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[tokio::test]
async fn what_is_not_there_says_so_in_its_own_manner() {
    let face = Face::new().await;
    let own = face.get("/api/nowhere").await;
    assert_eq!((own.status.as_u16(), own.errors().len()), (404, 1));
    let consul = face.get("/v1/nowhere").await;
    assert_eq!(consul.status, 404);
    assert!(consul.text().contains("/v1/nowhere"));
    assert_eq!(face.get("/").await.status, 404);
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let face = Face::new().await;
    let json = "content-type: application/json";
    let own = face.send("POST /api/services/web", &[json], "{}").await;
    assert_eq!((own.status.as_u16(), own.header("allow")), (405, Some("OPTIONS,GET,PUT,PATCH,DELETE")));
    assert!(own.errors()[0].contains("GET, PUT, PATCH, DELETE"));
    let consul = face.send("POST /v1/kv/a", &[], "x").await;
    assert_eq!((consul.status.as_u16(), consul.header("allow")), (405, Some("OPTIONS,GET,PUT,DELETE")));
    assert_eq!(consul.text(), "method POST not allowed");
    let options = face.send("OPTIONS /v1/kv/a", &[], Body::empty()).await;
    assert_eq!((options.status.as_u16(), options.header("allow")), (200, Some("OPTIONS,GET,PUT,DELETE")));
    assert_eq!(options.text(), "");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_the_bound() {
    let face = Face::new().await;
    let large = "x".repeat(1024 * 1024 + 1);
    let own = face.send("PUT /api/services/web", &["content-type: application/json"], large).await;
    assert_eq!((own.status.as_u16(), own.errors()[0].contains("1048576 bytes")), (413, true));
    let value = "x".repeat(512 * 1024 + 1);
    let consul = face.send("PUT /v1/kv/big", &[], value).await;
    assert_eq!(consul.status, 413);
    assert_eq!(consul.text(), "Request body(524289 bytes) too large, max size: 524288 bytes.");
    assert_eq!(face.send("PUT /v1/kv/big", &[], "x".repeat(512 * 1024)).await.text(), "true");
}

#[tokio::test]
async fn a_panic_ends_its_request_and_nothing_else() {
    let face = Face::new().await;
    // A record that this release cannot read must not pass for absent: reading it is a mistake of our own.
    face.store
        .commit(|tx| {
            let value = adsum_keyspace::Value::String("not a request".into());
            tx.put(adsum_keyspace::Database::System, "request/api/t", value, None, &[]);
        })
        .await
        .unwrap();
    let token = ["content-type: application/json", "idempotency-key: t"];
    let answer = face.send("PUT /api/services/web", &token, r#"{"command": ["serve"]}"#).await;
    assert_eq!(answer.status, 500);
    assert!(answer.errors()[0].contains("PUT /api/services/web"), "{}", answer.text());
    assert_eq!(face.get("/api/status").await.status, 200);
}
