//! How large what clients register may be. It is written and deleted by whole pieces in one commit, and named in the
//! event log, so that nothing in it may grow at will.

use std::collections::BTreeMap;

use adsum_model::registered::{Check, Definition, Node, Service};

use crate::consul::answer::Refusal;

/// Bytes of a name or an id.
const NAME: usize = 512;
/// Bytes of the notes of a check.
const NOTES: usize = 4 * 1024;
/// Bytes of an address, of a tag, of a key and of a value of the metadata.
const TEXT: usize = 1024;
/// Tags, entries of the metadata, and addresses with a name, each.
const ENTRIES: usize = 255;
/// Bytes of how a check is made.
const DEFINITION: usize = 64 * 1024;
/// Checks in one registration.
const CHECKS: usize = 1000;

pub(crate) fn service(service: &Service) -> Result<(), Refusal> {
    text("service ID", &service.id, NAME)?;
    text("service name", &service.service, NAME)?;
    text("service address", &service.address, TEXT)?;
    entries("service tags", service.tags.len(), ENTRIES)?;
    service.tags.iter().try_for_each(|tag| text("service tag", tag, TEXT))?;
    map("service metadata", &service.meta)?;
    let places = service.tagged_addresses.iter().map(|(name, place)| (name, &place.address));
    pairs("tagged addresses of a service", places)
}

pub(crate) fn node(node: &Node) -> Result<(), Refusal> {
    text("node name", &node.name, NAME)?;
    text("node ID", &node.id, NAME)?;
    text("node address", &node.address, TEXT)?;
    map("node metadata", &node.meta)?;
    map("tagged addresses of a node", &node.tagged_addresses)
}

/// Of a check as it is given, before names are made up for it.
pub(crate) fn check(check: &Check) -> Result<(), Refusal> {
    text("node name", &check.node, NAME)?;
    text("check ID", &check.id, NAME)?;
    text("check name", &check.name, NAME)?;
    text("check notes", &check.notes, NOTES)?;
    text("service ID", &check.service, NAME)?;
    text("check definition", &check.recipe, DEFINITION)?;
    definition(&check.definition)
}

fn definition(definition: &Definition) -> Result<(), Refusal> {
    let bytes = serde_json::to_vec(definition).expect("a definition has a JSON form").len();
    within("check definition", bytes, "bytes", DEFINITION)
}

/// Of one registration.
pub(crate) fn checks(count: usize) -> Result<(), Refusal> {
    entries("checks of one registration", count, CHECKS)
}

fn map(what: &str, map: &BTreeMap<String, String>) -> Result<(), Refusal> {
    pairs(what, map.iter())
}

fn pairs<'a>(
    what: &str,
    mut pairs: impl ExactSizeIterator<Item = (&'a String, &'a String)>,
) -> Result<(), Refusal> {
    entries(what, pairs.len(), ENTRIES)?;
    pairs.try_for_each(|(key, value)| {
        text(&format!("key in the {what}"), key, TEXT)?;
        text(&format!("value in the {what}"), value, TEXT)
    })
}

fn text(what: &str, text: &str, most: usize) -> Result<(), Refusal> {
    within(what, text.len(), "bytes", most)
}

fn entries(what: &str, count: usize, most: usize) -> Result<(), Refusal> {
    within(what, count, "entries", most)
}

fn within(what: &str, size: usize, unit: &str, most: usize) -> Result<(), Refusal> {
    if size <= most {
        return Ok(());
    }
    Err(Refusal::bad(format!("Invalid {what}: {size} {unit} are more than the {most} that are taken")))
}
