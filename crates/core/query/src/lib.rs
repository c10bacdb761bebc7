//! Prepared queries, as Consul has them: a name stands for a question for a service.
//!
//! [`find`] has the query that a name means: the one with this id, else with this name, else the template whose name is
//! the longest that the asked one begins with; DNS has no capitals, so case does not matter. [`instances`] has those that answer it. [`check`] says what is wrong with
//! one before it is kept.
//!
//! There is one datacenter: lists of others to fail over to are kept and asked of nobody.

mod choice;
mod template;

use std::sync::Arc;

use adsum_catalog::Catalog;
use adsum_model::{PreparedQuery, parse_duration};

pub use choice::{Chosen, instances};
pub use template::PatternError;

/// Queries at most.
pub const QUERIES: usize = 1000;
/// Bytes of a regular expression.
const LONGEST_REGEXP: usize = 1024;

/// What is wrong with a query. In the words of Consul, as far as it has any.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("Must provide a Service name to query")]
    NoService,
    #[error("Must be bound to a session")]
    NoName,
    #[error("Bad DNS TTL '{0}': time: invalid duration {0:?}")]
    Ttl(String),
    #[error("Bad Regexp '{0}': {1}")]
    Regexp(String, String),
    #[error("Bad format '{text}': {error}")]
    Pattern { text: String, error: PatternError },
    #[error("name '{0}' aliases an existing query name")]
    NameTaken(String),
}

/// Looks for what is wrong, among the others that there are.
///
/// # Errors
/// With the first of it.
pub fn check<'a>(
    query: &PreparedQuery,
    mut others: impl Iterator<Item = &'a Arc<PreparedQuery>>,
) -> Result<(), Invalid> {
    if query.service.service.is_empty() {
        return Err(Invalid::NoService);
    }
    if query.name.is_empty() && query.session.is_empty() && query.template.is_none() {
        return Err(Invalid::NoName);
    }
    if !query.ttl.is_empty() && parse_duration(&query.ttl).is_err() {
        return Err(Invalid::Ttl(query.ttl.clone()));
    }
    if let Some(template) = &query.template {
        template::check(&query.service, &template.regexp)?;
    }
    let is_template = query.template.is_some();
    let same = |other: &&Arc<PreparedQuery>| {
        let taken = other.name.eq_ignore_ascii_case(&query.name) && other.template.is_some() == is_template;
        other.id != query.id && taken && (is_template || !query.name.is_empty())
    };
    if others.any(|other| same(&other)) {
        return Err(Invalid::NameTaken(query.name.clone()));
    }
    Ok(())
}

/// The query that a name or an id means, with everything filled in.
pub fn find(catalog: &Catalog, asked: &str) -> Option<PreparedQuery> {
    if let Some(query) = catalog.query(asked) {
        return Some((**query).clone());
    }
    let exact =
        |query: &&Arc<PreparedQuery>| query.template.is_none() && query.name.eq_ignore_ascii_case(asked);
    if let Some(query) = catalog.queries().find(exact).filter(|_| !asked.is_empty()) {
        return Some((**query).clone());
    }
    let templates = catalog.queries().filter(|query| query.template.is_some());
    let longest = templates
        .filter(|query| template::begins_with(asked, &query.name))
        .max_by_key(|query| query.name.len());
    longest.map(|query| template::fill_in(query, asked))
}

#[cfg(test)]
mod tests;
