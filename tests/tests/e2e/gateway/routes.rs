//! Which service a request comes to.

use adsum_tests::{Agent, http, until_ok};

use super::{SOON, create, get, until_served};
use crate::web;

/// Who has answered.
fn backend(response: &http::Response) -> String {
    response.header("x-backend").unwrap_or_default().to_string()
}

fn instance(agent: &Agent, service: &str) -> String {
    web::service(agent, service)["instances"][0]["id"].as_str().unwrap().to_string()
}

#[test]
fn a_request_goes_by_its_host_and_path() {
    let agent = Agent::start();
    create(&agent, "shop", &["--route", "Host(shop.local)"]);
    create(&agent, "api", &["--route", "Host(shop.local) && PathPrefix(/v1); strip-prefix=/v1"]);
    let (shop, api) = (instance(&agent, "shop"), instance(&agent, "api"));
    until_ok("both are routed", SOON, || {
        let answers = [get(&agent, "shop.local", "/"), get(&agent, "shop.local", "/v1/")];
        let who =
            answers.map(|answer| answer.map_or_else(|error| error.to_string(), |answer| backend(&answer)));
        if who == [shop.clone(), api.clone()] { Ok(()) } else { Err(format!("{who:?}")) }
    });
    // What is matched is what is forwarded, whatever it was written as.
    let dotted = get(&agent, "SHOP.local:80", "/x/../v1/bytes/3").unwrap();
    assert_eq!((backend(&dotted), dotted.body.as_str()), (api, "abc"));
    let url = format!("http://{}/bytes/3", agent.gateway());
    let answer = agent.curl(&["-w", " %{http_code}", "-H", "Host: shop.local", &url]);
    assert_eq!(answer.ok(), "abc 200");
}

#[test]
fn a_service_that_has_converged_is_served_at_once() {
    let agent = Agent::start();
    for round in 0..5 {
        let host = format!("shop{round}.local");
        create(&agent, &format!("shop{round}"), &["--route", &format!("Host({host})")]);
        assert_eq!(get(&agent, &host, "/").unwrap().status, 200);
    }
}

#[test]
fn what_cannot_be_answered_says_why() {
    let agent = Agent::start();
    let nobody = get(&agent, "nobody.local", "/").unwrap();
    assert_eq!((nobody.status, nobody.header("x-gateway-error")), (404, Some("no-route")));
    assert_eq!(nobody.header("cache-control"), Some("no-store"));
    create(&agent, "shop", &["--route", "Host(shop.local)", "--replicas", "0"]);
    let empty = until_ok("the route is known", SOON, || {
        let answer = get(&agent, "shop.local", "/").unwrap();
        if answer.status == 404 { Err("404") } else { Ok(answer) }
    });
    assert_eq!((empty.status, empty.header("x-gateway-error")), (503, Some("no-instance")));
    assert_eq!(empty.header("retry-after"), Some("1"));
    let headers = [("Host", "shop.local"), ("Accept", "application/json")];
    let json = http::request(agent.gateway(), "GET", "/", &headers, "").unwrap();
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert!(json.is_object(), "{json}");
}

#[test]
fn a_published_port_is_open_for_its_service_alone_and_closes_with_it() {
    let agent = Agent::start();
    let (first, second) = (agent.spare(0), agent.spare(1));
    create(&agent, "shop", &["--publish", &first.port().to_string()]);
    let served =
        |address| http::get(address, "/bytes/3").map(|answer| answer.body).map_err(|error| error.to_string());
    assert_eq!(until_ok("the port is open", SOON, || served(first)), "abc");
    let before = instance(&agent, "shop");
    let (add, remove) = (second.port().to_string(), first.port().to_string());
    agent.adsum(&["service", "update", "shop", "--publish-add", &add, "--publish-rm", &remove]).ok();
    assert_eq!(until_ok("the other port is open", SOON, || served(second)), "abc");
    until_ok("the first port is closed", SOON, || match served(first) {
        Ok(answer) => Err(answer),
        Err(_) => Ok(()),
    });
    assert_eq!(instance(&agent, "shop"), before, "a change of ports replaces nobody");
    let listed = agent.adsum(&["service", "ls"]).ok();
    assert!(listed.contains("PORTS") && listed.contains(&add), "{listed}");
}

#[test]
fn a_redirection_leads_to_the_instance_that_the_path_names() {
    let agent = Agent::start();
    create(&agent, "user-ann-lee", &[]);
    create(&agent, "proxy", &["--route", "PathPrefix(/user); redirect-to-instance=user-{1}"]);
    let address = web::address(&web::service(&agent, "user-ann-lee")["instances"][0]);
    let redirected = until_ok("the route is known", SOON, || {
        let answer = get(&agent, "any", "/user/Ann_Lee/v1/tweet?x=1").unwrap();
        if answer.status == 302 { Ok(answer) } else { Err(format!("{answer:?}")) }
    });
    assert_eq!(redirected.header("location"), Some(&*format!("http://{address}/v1/tweet?x=1")));
    assert_eq!(get(&agent, "any", "/user/nobody/").unwrap().status, 404);
    let stays = until_served_at(&agent, "/user/ann-lee/bytes/3");
    assert_eq!(stays, "abc");
}

/// What a client that follows redirections gets.
fn until_served_at(agent: &Agent, path: &str) -> String {
    agent.curl(&["-L", &format!("http://{}{path}", agent.gateway())]).ok()
}

#[test]
fn labels_are_routes_and_settings_too_and_mistakes_are_told_together() {
    let agent = Agent::start();
    let flags = ["--label", "adsum.route.www.rule=Host(www.local)", "--label", "adsum.gateway.retries=0"];
    create(&agent, "shop", &[&flags[..], &["--label", "owner=me"]].concat());
    until_served(&agent, "www.local");
    let spec = web::service(&agent, "shop")["spec"].clone();
    assert_eq!(spec["labels"]["owner"], "me");
    let words = ["service", "update", "shop", "--label", "adsum.gateway.retries=many", "--route", "Hots(x)"];
    let error = agent.adsum(&[&words[..], &["--publish", "0"]].concat()).fails(4);
    for expect in ["adsum.gateway.retries", "unknown matcher 'Hots'", "publish[0]"] {
        assert!(error.contains(expect), "{error}");
    }
    agent.adsum(&["service", "update", "shop", "--label-rm", "adsum.route.www.rule"]).ok();
    until_ok("the route has gone", SOON, || match get(&agent, "www.local", "/").unwrap().status {
        404 => Ok(()),
        other => Err(other),
    });
}
