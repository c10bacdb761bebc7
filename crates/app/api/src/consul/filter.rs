//! `?filter=`: which entries of an answer are wanted, and what each kind of entry can be asked for.

use adsum_filter::{Filter, Shape};
use serde::Serialize;

use super::answer::Refusal;
use crate::query::Query;

type Fields = &'static [(&'static str, Shape)];

const NODE_FIELDS: Fields = &[
    ("ID", Shape::Text),
    ("Node", Shape::Text),
    ("Address", Shape::Text),
    ("Datacenter", Shape::Text),
    ("TaggedAddresses", Shape::Map(&Shape::Text)),
    ("Meta", Shape::Map(&Shape::Text)),
];

const ADDRESS_FIELDS: Fields = &[("Address", Shape::Text), ("Port", Shape::Whole)];

const WEIGHTS_FIELDS: Fields = &[("Passing", Shape::Whole), ("Warning", Shape::Whole)];

const SERVICE_FIELDS: Fields = &[
    ("ID", Shape::Text),
    ("Service", Shape::Text),
    ("Tags", Shape::List(&Shape::Text)),
    ("Address", Shape::Text),
    ("TaggedAddresses", Shape::Map(&Shape::Object(ADDRESS_FIELDS))),
    ("Meta", Shape::Map(&Shape::Text)),
    ("Port", Shape::Whole),
    ("Weights", Shape::Object(WEIGHTS_FIELDS)),
    ("EnableTagOverride", Shape::Flag),
];

const CHECK_FIELDS: Fields = &[
    ("Node", Shape::Text),
    ("CheckID", Shape::Text),
    ("Name", Shape::Text),
    ("Status", Shape::Text),
    ("Notes", Shape::Text),
    ("Output", Shape::Text),
    ("ServiceID", Shape::Text),
    ("ServiceName", Shape::Text),
    ("ServiceTags", Shape::List(&Shape::Text)),
    ("Type", Shape::Text),
    ("Interval", Shape::Text),
    ("Timeout", Shape::Text),
    ("ExposedPort", Shape::Whole),
];

/// Of `/v1/catalog/nodes`.
pub(super) static NODE: Shape = Shape::Object(NODE_FIELDS);

/// Of `/v1/agent/services`, and of those of a node.
pub(super) static SERVICE: Shape = Shape::Object(SERVICE_FIELDS);

/// Of all that lists checks.
pub(super) static CHECK: Shape = Shape::Object(CHECK_FIELDS);

/// Of `/v1/catalog/services`.
pub(super) static NAME: Shape =
    Shape::Object(&[("ServiceName", Shape::Text), ("ServiceTags", Shape::List(&Shape::Text))]);

/// Of `/v1/catalog/service/NAME`.
pub(super) static REGISTERED: Shape = Shape::Object(&[
    ("ID", Shape::Text),
    ("Node", Shape::Text),
    ("Address", Shape::Text),
    ("Datacenter", Shape::Text),
    ("TaggedAddresses", Shape::Map(&Shape::Text)),
    ("NodeMeta", Shape::Map(&Shape::Text)),
    ("ServiceKind", Shape::Text),
    ("ServiceID", Shape::Text),
    ("ServiceName", Shape::Text),
    ("ServiceTags", Shape::List(&Shape::Text)),
    ("ServiceAddress", Shape::Text),
    ("ServiceTaggedAddresses", Shape::Map(&Shape::Object(ADDRESS_FIELDS))),
    ("ServiceWeights", Shape::Object(WEIGHTS_FIELDS)),
    ("ServiceMeta", Shape::Map(&Shape::Text)),
    ("ServicePort", Shape::Whole),
    ("ServiceEnableTagOverride", Shape::Flag),
]);

/// Of `/v1/health/service/NAME`.
pub(super) static ENTRY: Shape = Shape::Object(&[
    ("Node", Shape::Object(NODE_FIELDS)),
    ("Service", Shape::Object(SERVICE_FIELDS)),
    ("Checks", Shape::List(&Shape::Object(CHECK_FIELDS))),
]);

/// All entries, where nothing is asked.
pub(super) struct Choice(Option<Filter>);

impl Choice {
    pub(super) fn of(query: &Query, shape: &'static Shape) -> Result<Choice, Refusal> {
        let filter = query.text("filter").filter(|text| !text.is_empty());
        let parsed = filter.map(|text| Filter::parse(&text, shape)).transpose();
        // Consul answers 500 before 1.11, and 400 since.
        parsed
            .map(Choice)
            .map_err(|error| Refusal::bad(format!("Failed to create boolean expression evaluator: {error}")))
    }

    /// Whether an entry, as it goes out, is wanted.
    pub(super) fn takes(&self, entry: &impl Serialize) -> bool {
        self.0.as_ref().is_none_or(|filter| {
            let value = serde_json::to_value(entry).expect("our own shapes have a JSON form");
            filter.takes(&value)
        })
    }
}
