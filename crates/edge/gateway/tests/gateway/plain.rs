//! Requests that go well, and answers of the gateway itself.

use adsum_model::{Health, Policy};

use crate::kit::{Backend, House};

#[tokio::test]
async fn request_goes_to_the_instance_and_its_answer_comes_back() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    let answer = wire.get("/a?b=c").await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    assert_eq!(answer.header("x-attempts"), Some("1"));
    assert_eq!(answer.header("x-served-by").unwrap().len(), 12);
    assert!(answer.header("x-request-id").is_some());
    let request = &backend.seen.requests()[0];
    assert_eq!(request.line(), "GET /a?b=c HTTP/1.1");
    assert_eq!(request.header("host"), Some("web.test"));
    assert_eq!(request.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.header("x-forwarded-proto"), Some("http"));
    assert_eq!(request.header("x-forwarded-port"), Some(house.addr().port().to_string().as_str()));
    assert_eq!(request.header("via"), Some("1.1 adsum"));
    assert_eq!(request.header("x-request-id"), answer.header("x-request-id"));
}

#[tokio::test]
async fn connections_are_used_again_on_both_sides() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    for _ in 0..20 {
        assert_eq!(wire.get("/").await.status, 200);
    }
    assert_eq!(backend.seen.connections(), 1);
    assert_eq!(backend.seen.count(), 20);
    assert_eq!(house.metric("adsum_gateway_connections_accepted_total", ""), 1.0);
    house.metric_becomes("adsum_gateway_requests_total", "status=\"2xx\"", 20.0).await;
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let backend = Backend::new(|mut peer| async move {
        loop {
            let request = peer.request().await?;
            peer.say(request.line()).await?;
        }
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    let all: String = (0..30).map(|n| format!("GET /{n} HTTP/1.1\r\nhost: web.test\r\n\r\n")).collect();
    wire.send(all).await;
    for n in 0..30 {
        assert_eq!(wire.answer().await.unwrap().text(), format!("GET /{n} HTTP/1.1"));
    }
}

#[tokio::test]
async fn body_goes_on_as_it_came_with_a_length_or_in_chunks() {
    let backend = Backend::new(|mut peer| async move {
        loop {
            let request = peer.request().await?;
            peer.say(&String::from_utf8(request.body).unwrap()).await?;
        }
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    assert_eq!(wire.ask("POST", "/", "with a length").await.text(), "with a length");
    wire.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nin \r\n6\r\nchunks\r\n0\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().text(), "in chunks");
    let requests = backend.seen.requests();
    assert_eq!(requests[0].header("content-length"), Some("13"));
    assert_eq!(requests[1].header("transfer-encoding"), Some("chunked"));
    house.metric_becomes("adsum_gateway_received_bytes_total", "", 22.0).await;
}

#[tokio::test]
async fn answers_to_head_have_no_body_and_keep_their_length() {
    let backend = Backend::new(|mut peer| async move {
        loop {
            peer.request().await?;
            peer.write("HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n").await?;
        }
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    for _ in 0..2 {
        let answer = wire.ask("HEAD", "/", "").await;
        assert_eq!(answer.header("content-length"), Some("12345"));
    }
    assert_eq!(backend.seen.connections(), 1);
}

#[tokio::test]
async fn answers_without_a_body_are_whole() {
    let backend = Backend::new(|mut peer| async move {
        loop {
            let request = peer.request().await?;
            let status = request.line().split(['/', ' ']).nth(2).unwrap().to_owned();
            peer.write(format!("HTTP/1.1 {status} Some\r\n\r\n")).await?;
        }
    })
    .await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    for status in [204, 304, 204] {
        assert_eq!(wire.get(&format!("/{status}")).await.status, status);
    }
    assert_eq!(backend.seen.connections(), 1);
}

#[tokio::test]
async fn what_has_no_route_or_no_instance_is_told_so() {
    let mut house = House::new();
    house.put("web", Policy::default(), &["Host(web.test) && PathPrefix(/there)"], &[]);
    house.apply();
    let mut wire = house.connect().await;
    let answer = wire.get("/elsewhere").await;
    assert_eq!((answer.status, answer.header("x-gateway-error")), (404, Some("no-route")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let answer = wire.get("/there").await;
    assert_eq!((answer.status, answer.header("x-gateway-error")), (503, Some("no-instance")));
    assert_eq!(answer.header("retry-after"), Some("1"));
    wire.send("GET / HTTP/1.1\r\nhost: web.test\r\naccept: application/json\r\n\r\n").await;
    assert!(wire.answer().await.unwrap().text().starts_with("{\"error\":\"no-route\""));
    house.metric_becomes("adsum_gateway_errors_total", "code=\"no-instance\"", 1.0).await;
    assert_eq!(house.metric("adsum_gateway_unrouted_total", ""), 2.0);
}

#[tokio::test]
async fn instance_that_starts_gets_nothing() {
    let backend = Backend::saying("hello").await;
    let mut house = House::new();
    house.put("web", Policy::default(), &["PathPrefix(/)"], &[]);
    house.instance("web", 1, backend.addr, Health::Starting);
    house.apply();
    let mut wire = house.connect().await;
    assert_eq!(wire.get("/").await.status, 503);
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    assert_eq!(wire.get("/").await.status, 200);
}

#[tokio::test]
async fn request_that_is_no_http_is_refused_behind_those_that_are() {
    let backend = Backend::saying("hello").await;
    let house = House::serving(&[&backend]);
    let mut wire = house.connect().await;
    wire.send("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n").await;
    assert_eq!(wire.answer().await.unwrap().status, 200);
    let refused = wire.answer().await.unwrap();
    assert_eq!((refused.status, refused.header("x-gateway-error")), (400, Some("bad-request")));
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(wire.rest().await.unwrap(), b"");
    assert_eq!(backend.seen.count(), 1);
    assert_eq!(house.metric("adsum_gateway_rejected_total", ""), 1.0);
}

#[tokio::test]
async fn client_is_sent_to_an_instance_of_its_own_when_a_route_says_so() {
    let backend = Backend::saying("hello").await;
    let mut house = House::new();
    let mut spec = adsum_model::Spec::new("proxy".parse().unwrap(), vec!["true".into()]);
    let target = adsum_model::Target::RedirectToInstance { service: "user-{1}".to_owned() };
    spec.routing.routes = vec![adsum_model::Route { target, ..crate::kit::route("PathPrefix(/user)") }];
    house.put_spec(spec);
    house.put("user-ann", Policy::default(), &[], &[]);
    house.instance("user-ann", 1, backend.addr, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    let answer = wire.get("/user/Ann/posts?page=2").await;
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), Some(format!("http://{}/posts?page=2", backend.addr).as_str()));
    assert_eq!(house.control.asked(), ["user-ann".parse().unwrap()]);
    assert_eq!(wire.get("/user/bob").await.status, 404);
    assert_eq!(backend.seen.count(), 0);
}

#[tokio::test]
async fn sticky_client_stays_with_its_instance() {
    let backends =
        [Backend::saying("one").await, Backend::saying("two").await, Backend::saying("three").await];
    let mut house = House::new();
    let policy = Policy { sticky: Some("stay".to_owned()), ..Policy::default() };
    house.serve("web", policy, &[&backends[0], &backends[1], &backends[2]]);
    let mut wire = house.connect().await;
    let first = wire.get("/").await;
    let cookie = first.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    for _ in 0..20 {
        wire.send(format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n")).await;
        let answer = wire.answer().await.unwrap();
        assert_eq!((answer.text(), answer.header("set-cookie")), (first.text(), None));
    }
}

#[tokio::test]
async fn path_is_matched_and_sent_on_as_one_and_the_same() {
    let backend = Backend::saying("hello").await;
    let mut house = House::new();
    let mut spec = adsum_model::Spec::new("web".parse().unwrap(), vec!["true".into()]);
    let rewrite = adsum_model::Rewrite::StripPrefix("/api".to_owned());
    spec.routing.routes = vec![adsum_model::Route { rewrite, ..crate::kit::route("PathPrefix(/api)") }];
    house.put_spec(spec);
    house.instance("web", 1, backend.addr, Health::Passing);
    house.apply();
    let mut wire = house.connect().await;
    for path in ["/api/%61/../b?q=/../x", "/%61pi/./b?q=/../x", "http://web.test/api/b?q=/../x"] {
        assert_eq!(wire.get(path).await.status, 200, "{path}");
    }
    assert_eq!(wire.get("/api/../secret").await.status, 404);
    assert_eq!(wire.get("/api/..%2fsecret").await.status, 400);
    for request in backend.seen.requests() {
        assert_eq!(request.line(), "GET /b?q=/../x HTTP/1.1");
        assert_eq!(request.header("x-forwarded-prefix"), Some("/api"));
    }
}

#[tokio::test]
async fn instances_and_routes_that_have_gone_are_counted_no_more() {
    let backends = [Backend::saying("one").await, Backend::saying("two").await];
    let mut house = House::serving(&[&backends[0]]);
    let mut wire = house.connect().await;
    wire.get("/").await;
    house.metric_becomes("adsum_gateway_requests_total", "route=\"web/1\"", 1.0).await;
    let gone = adsum_model::InstanceId::from_seed(1);
    assert!(house.gateway.metrics().contains(gone.as_str()));
    house.remove(1);
    house.instance("web", 2, backends[1].addr, Health::Passing);
    let named =
        adsum_model::Route { name: Some("main".parse().unwrap()), ..crate::kit::route("PathPrefix(/)") };
    let mut spec = adsum_model::Spec::new("web".parse().unwrap(), vec!["true".into()]);
    spec.routing.routes = vec![named];
    house.put_spec(spec);
    house.apply();
    assert_eq!(wire.get("/").await.text(), "two");
    house.metric_becomes("adsum_gateway_requests_total", "route=\"web/main\"", 1.0).await;
    let text = house.gateway.metrics();
    assert!(!text.contains(gone.as_str()) && !text.contains("route=\"web/1\""), "{text}");
}

#[tokio::test]
async fn several_workers_share_an_address_and_each_tells_of_itself() {
    let backend = Backend::saying("hello").await;
    let mut house = House::with(|settings| settings.workers = 3);
    house.serve("web", Policy::default(), &[&backend]);
    for _ in 0..30 {
        assert_eq!(house.connect().await.get("/").await.text(), "hello");
    }
    house.metric_becomes("adsum_gateway_requests_total", "", 30.0).await;
    let applied: Vec<_> = house.gateway.status().iter().map(|status| status.applied).collect();
    assert_eq!(applied, [applied[0]; 3]);
}
