//! Operations on nodes, services and checks, as they are given.

use adsum_catalog::register::operation::{Operation, Record, Verb};
use adsum_model::registered::{Check, Node, Service};

use crate::consul::answer::Refusal;
use crate::consul::external;
use crate::consul::fields::Fields;
use crate::consul::given::Given;

/// None of what is about something else. What cannot be done is told of the operation.
///
/// # Errors
/// When it has not the form of an operation.
pub(super) fn on_registered(given: &Given) -> Result<Option<Result<Operation, String>>, Refusal> {
    for (kind, record) in [("Node", node as Read), ("Service", service), ("Check", check)] {
        if let Some(given) = given.object(kind)? {
            return Ok(Some(operation(kind, &given, record)?));
        }
    }
    Ok(None)
}

type Read = fn(&Given, &Fields, Wanted) -> Result<Record, Refusal>;

/// How much of a record a verb looks at.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Names,
    All,
}

fn operation(kind: &str, given: &Given, record: Read) -> Result<Result<Operation, String>, Refusal> {
    let fields = Fields::of(given.object(kind)?.unwrap_or_default().into_map());
    let index = fields.index("ModifyIndex")?;
    let word = given.text("Verb")?;
    let (verb, wanted) = match word.as_str() {
        "get" => (Verb::Get, Wanted::Names),
        "set" => (Verb::Set, Wanted::All),
        "cas" => (Verb::Cas(index), Wanted::All),
        "delete" => (Verb::Delete, Wanted::Names),
        "delete-cas" => (Verb::DeleteCas(index), Wanted::Names),
        _ => return Ok(Err(format!("unknown {kind} verb {word:?}"))),
    };
    Ok(record(given, &fields, wanted).map(|record| Operation { verb, record }).map_err(Refusal::into_text))
}

fn node(_: &Given, fields: &Fields, wanted: Wanted) -> Result<Record, Refusal> {
    let name = named(fields.text("Node")?)?;
    if wanted == Wanted::Names {
        return Ok(Record::Node(Node { name, ..Node::default() }));
    }
    external::node(name, "Meta", fields).map(Record::Node)
}

fn service(given: &Given, fields: &Fields, wanted: Wanted) -> Result<Record, Refusal> {
    let node = named(given.text("Node")?)?;
    let missing = || Refusal::failed("Must provide service name with ID");
    if wanted == Wanted::All {
        return Ok(Record::Service(external::service(&node, fields)?.ok_or_else(missing)?));
    }
    let id = fields.text_of(&["ID", "Service"])?;
    if id.is_empty() {
        return Err(missing());
    }
    Ok(Record::Service(Service { node, id, ..Service::default() }))
}

fn check(_: &Given, fields: &Fields, wanted: Wanted) -> Result<Record, Refusal> {
    let node = named(fields.text("Node")?)?;
    if wanted == Wanted::All {
        return external::check(&node, None, fields).map(Record::Check);
    }
    let id = fields.text_of(&["CheckID", "ID", "Name"])?;
    if id.is_empty() {
        return Err(Refusal::failed("Must provide a check ID or name"));
    }
    Ok(Record::Check(Check { node, id, ..Check::default() }))
}

fn named(node: String) -> Result<String, Refusal> {
    if node.is_empty() { Err(Refusal::failed("Must provide node")) } else { Ok(node) }
}
