//! The whole wish, read.

use adsum_model::{Name, NameError, Routing, Spec};

use crate::bound;
use crate::draft::Draft;
use crate::problem::{Problem, Problems};
use crate::{check, label, lifecycle, publish, route, tag, task, update};

/// Makes a spec of a draft.
///
/// # Errors
/// All that is wrong, in the order of the fields.
pub fn spec(name: &str, draft: &Draft) -> Result<Spec, Vec<Problem>> {
    let mut problems = Problems::default();
    // Only a placeholder when there is a problem, and then no spec is given.
    let name =
        read_name(name, &mut problems).unwrap_or_else(|| "unnamed".parse().expect("it is a DNS label"));
    let spec = Spec {
        name: name.clone(),
        replicas: problems.count("replicas", draft.replicas, 1, &bound::REPLICAS),
        task: task::task(draft, &mut problems),
        check: check::check(&draft.check, &mut problems),
        restart: lifecycle::restart(&draft.restart, &mut problems),
        stop: lifecycle::stop(&draft.stop, &mut problems),
        update: update::update(&draft.update, &mut problems),
        rollback: update::rollback(&draft.rollback, &mut problems),
        exclusive: draft.exclusive.unwrap_or(false),
        tags: tag::tags(draft.tags.as_deref(), &mut problems),
        routing: routing(&name, draft, &mut problems),
        labels: draft.labels.clone().unwrap_or_default(),
    };
    if problems.0.is_empty() { Ok(spec) } else { Err(problems.0) }
}

fn routing(service: &Name, draft: &Draft, problems: &mut Problems) -> Routing {
    let mut routes = route::routes(service, draft.routes.as_deref(), problems);
    let publish = publish::ports(draft.publish.as_deref(), problems);
    let (named, policy) = label::labels(service, draft.labels.as_ref(), problems);
    routes.extend(named);
    if routes.len() > bound::ROUTES {
        let advice = format!("is too many routes, those of labels included: give at most {}", bound::ROUTES);
        problems.add("routes", routes.len(), advice);
    }
    Routing { routes, publish, policy }
}

fn read_name(text: &str, problems: &mut Problems) -> Option<Name> {
    let wrong = match text.parse() {
        Ok(name) => return Some(name),
        Err(NameError::Empty) => "is empty: give 1 to 63 of a-z, 0-9 and '-'".to_string(),
        Err(NameError::TooLong(_)) => "is longer than 63 characters: shorten it".to_string(),
        Err(NameError::Character { found, .. }) => format!("has {found:?}: use a-z, 0-9 and '-' only"),
        Err(NameError::Hyphen(_)) => "begins or ends with '-': leave that off".to_string(),
    };
    problems.add("name", text, wrong);
    None
}

#[cfg(test)]
mod tests;
