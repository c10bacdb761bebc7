//! What the table answers: the route that has a request, and what becomes of it.

use std::sync::Arc;

use adsum_model::{Name, Rewrite};

use crate::pool::{Member, Pool};
use crate::route::RouteEntry;

#[derive(Clone, Debug)]
pub struct Found<'t> {
    /// Its label names it in metrics and logs.
    pub route: &'t RouteEntry,
    /// Whose request it is: the route's own service, or the one that a redirect names, if that is known.
    pub service: &'t Name,
    /// That service's; none only when a redirect names a service that is not known.
    pub pool: Option<&'t Arc<Pool>>,
    pub action: Action<'t>,
    /// What becomes of the path when it is forwarded.
    pub rewrite: &'t Rewrite,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'t> {
    /// To a member of the pool, through the gateway.
    Forward,
    /// 302 to an instance's own address.
    Redirect(Redirect<'t>),
    /// The redirect names a service that is not known, or nothing that could be one: 404.
    UnknownService,
    /// The service that the redirect names has nobody who could answer: 503.
    NoInstance,
}

/// Where a client is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect<'t> {
    pub member: &'t Member,
    /// Whether the instance speaks TLS.
    pub tls: bool,
    /// What was left of the path behind the segment that named the service; begins with `/`.
    pub path: String,
}

impl Redirect<'_> {
    /// The value of `Location`; the query goes along.
    pub fn location(&self, query: Option<&str>) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{}{}{query}", self.member.endpoint, self.path)
    }
}
