//! Dead man's switches: what is on record of them.

use serde_json::json;

use crate::face::Face;

#[tokio::test]
async fn a_switch_is_put_read_listed_and_deleted() {
    let face = Face::new().await;
    let path = "/api/switches/%2Falive%2Fweb%ff";
    let put = face.write(&format!("PUT {path}?db=3"), &json!({"webhook": "http://h:1/x"})).await;
    let expect = json!({"db": 3, "key_base64": "L2FsaXZlL3dlYv8=", "webhook": "http://h:1/x"});
    assert_eq!((put.status.as_u16(), put.json()), (201, expect.clone()));
    let again = face.write("PUT /api/switches/a", &json!({"event": "x y"})).await;
    assert_eq!(again.status, 201);
    assert_eq!(face.write("PUT /api/switches/a", &json!({"restart": "web"})).await.status, 200);
    assert_eq!(face.get(&format!("{path}?db=3")).await.json(), expect);
    assert_eq!(face.get(path).await.status, 404);
    assert_eq!(
        face.get("/api/switches").await.json(),
        json!([{"db": 0, "key": "a", "restart": "web"}, expect])
    );
    assert_eq!(face.get("/api/switches?db=3").await.json(), json!([expect]));
    assert_eq!(face.send("DELETE /api/switches/a", &[], "").await.status, 200);
    assert_eq!(face.send("DELETE /api/switches/a", &[], "").await.status, 404);
}

#[tokio::test]
async fn what_is_no_action_is_refused_with_its_value() {
    let face = Face::new().await;
    let long = "x".repeat(5000);
    let wrong = [
        json!({}),
        json!({"event": "x", "restart": "web"}),
        json!({"event": 7}),
        json!({"webhook": "ftp://x"}),
        json!({"webhook": "http:///x"}),
        json!({"restart": "No Name"}),
        json!({"event": long}),
    ];
    for body in wrong {
        let answer = face.write("PUT /api/switches/a", &body).await;
        assert_eq!((answer.status.as_u16(), answer.errors().len()), (422, 1), "{body}");
    }
    assert_eq!(face.get("/api/switches").await.json(), json!([]));
    assert_eq!(face.write("PUT /api/switches/a?db=16", &json!({"event": "x"})).await.status, 400);
    let page = face.send("PUT /api/switches/a", &["content-type: text/plain"], r#"{"event":"x"}"#).await;
    assert!(page.status.is_client_error());
}
