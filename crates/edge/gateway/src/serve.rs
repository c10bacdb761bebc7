//! A request, from its head to the head of its answer.

use std::rc::Rc;
use std::sync::Arc;

use adsum_forward::{GatewayError, Told};
use adsum_routing::{Action, Asked, path};
use http::request::Parts;
use http::{HeaderValue, Request, Response, header};

use crate::answer::Answer;
use crate::client::{Body, Client, Refused, Way};
use crate::head;
use crate::journey::{Journey, Ways};
use crate::metrics::RouteSeries;
use crate::refuse::{Refusal, refuse};
use crate::station::Station;
use crate::visit::Visit;
use crate::worker::moment;

/// Where a request is to go.
pub(crate) struct Errand {
    pub(crate) station: Rc<Station>,
    pub(crate) series: Arc<RouteSeries>,
    /// What its instance is told beside the headers.
    pub(crate) told: Told,
}

/// A request that goes on its way.
struct Ride {
    journey: Journey,
    visit: Visit,
}

/// A request of which all has been decided that can be decided at once. Small, since what awaits it is moved about.
pub(crate) struct Begun(Result<Box<Ride>, Box<Response<Answer>>>);

impl Begun {
    /// Answers the request, whatever comes of it.
    pub(crate) async fn answer(self) -> Response<Answer> {
        let mut ride = match self.0 {
            Ok(ride) => ride,
            Err(refused) => return *refused,
        };
        match ride.journey.run(&mut ride.visit).await {
            Ok(reply) => reply.into_response(&ride.journey, ride.visit),
            Err(refusal) => refuse(&refusal, ride.visit, &ride.journey.parts.headers),
        }
    }
}

/// Takes a request up.
pub(crate) fn begin(client: &Rc<Client>, request: Request<Body>, way: Way) -> Begun {
    Begun(set_out(client, request, way))
}

/// Answers what is no request. What is remembered of it is a stand-in.
pub(crate) fn rejected(client: &Rc<Client>, refused: Refused) -> Response<Answer> {
    client.gate.begin();
    let mut request = Request::new(());
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("refused"));
    let visit = Visit::new(client, &request, moment());
    refuse(&Refusal::Client(refused), visit, request.headers())
}

/// All that is decided at once.
fn set_out(
    client: &Rc<Client>,
    request: Request<Body>,
    way: Way,
) -> Result<Box<Ride>, Box<Response<Answer>>> {
    let moment = moment();
    client.gate.begin();
    let mut visit = Visit::new(client, &request, moment);
    let (upgrade, said) = match way {
        Way::Http1(upgrade) => (upgrade, None),
        Way::Http2(said) => (None, Some(said)),
    };
    let (mut parts, body) = request.into_parts();
    if said.is_some()
        && let Some(offence) = client.worker.settings.limits.framing().excess(&parts.uri, &parts.headers)
    {
        // Over HTTP/1 it would not have come this far.
        let refusal = Refusal::Client(Refused::Offence(offence));
        return Err(Box::new(refuse(&refusal, visit, &parts.headers)));
    }
    let errand = match find(client, &mut parts, &mut visit) {
        Ok(errand) => errand,
        Err(refusal) => return Err(Box::new(refuse(&refusal, visit, &parts.headers))),
    };
    // Kept where it may go on, and taken out everywhere else: an offer of HTTP/2, for one.
    let upgrade = upgrade.filter(|_| parts.headers.contains_key(header::UPGRADE));
    let journey = Journey::new(client.clone(), errand, parts, body, Ways { upgrade, said }, moment);
    Ok(Box::new(Ride { journey, visit }))
}

/// Asks the table, and makes the head what an instance is to see.
fn find(client: &Client, parts: &mut Parts, visit: &mut Visit) -> Result<Errand, Refusal> {
    let worker = &client.worker;
    if parts.method == http::Method::CONNECT {
        // Who does not wait for the answer sends somebody else's bytes behind it.
        return Err(Refusal::Last(GatewayError::BadRequest, "CONNECT is not for a gateway"));
    }
    let path = path::normalise(parts.uri.path())
        .map_err(|error| Refusal::because(GatewayError::BadRequest, error))?
        .into_owned();
    let host = head::host(client, parts)?;
    let table = worker.table();
    let asked = Asked { host: host.name(), path: &path, method: &parts.method, headers: &parts.headers };
    let Some(found) = table.find(client.door.entrance, &asked, worker.lot()) else {
        worker.ledger.unrouted.add(1);
        return Err(GatewayError::NoRoute.into());
    };
    let station = found.pool.and_then(|pool| worker.station(pool)).ok_or(GatewayError::NoRoute)?;
    let series = station.route(&found.route.label, worker);
    visit.route(series.clone());
    match found.action {
        Action::Forward => {}
        Action::Redirect(redirect) => {
            worker.control.asked(found.service);
            return Err(Refusal::redirect(&redirect, parts.uri.query()));
        }
        Action::UnknownService => return Err(GatewayError::NoRoute.into()),
        Action::NoInstance => return Err(GatewayError::NoInstance.into()),
    }
    let told = head::to_instance(client, parts, &host, &path, found.rewrite, visit)?;
    Ok(Errand { station, series, told })
}
