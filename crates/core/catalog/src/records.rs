//! Records of the system space, by key.
//!
//! ```text
//! node/NAME               Node
//! service/NAME            Service
//! version/NAME/0000000001 Version
//! rollout/NAME/0000000001 Rollout
//! instance/ID             Instance
//! port/NODE/20001         the instance that has it; nobody, until a deadline, while it rests
//! query/ID                PreparedQuery
//! event/REVISION-N        Event, until a deadline
//! request/SCOPE           the answer to a write with a client token, until a deadline
//! external/NODE           registered::Node       these three: see `register`
//! registered/NODE/ID      registered::Service
//! check/NODE/ID           registered::Check
//! ```

use std::time::Duration;

use adsum_keyspace::{Blob, Database, Deadline, Entry, Notice, Transaction, Value};
use adsum_model::{Event, Instance, InstanceId, Name, Node, PreparedQuery, Rollout, Service, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::register;
use crate::registry::Key;

/// How long an event stays in the log.
pub const EVENT_KEPT: Duration = Duration::from_secs(24 * 3600);
/// Events in the log at most; a further one takes the place of the oldest.
pub const EVENTS: usize = 10_000;
/// How long a released port stays unused, so that no client of the old owner reaches a new one.
pub const PORT_REST: Duration = Duration::from_secs(60);
/// Answers to writes with a client token that are kept at most.
pub const REQUESTS: usize = 20_000;
/// How long the answer to a write with a client token is kept.
pub const REQUEST_KEPT: Duration = Duration::from_secs(24 * 3600);

/// What a key of the system space is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Node(Name),
    Service(Name),
    Version(Name, u32),
    Rollout(Name, u32),
    Instance(InstanceId),
    Event(String),
    /// Of clients; node and id.
    ExternalNode(String),
    Registered(Key),
    Check(Key),
    Query(String),
    /// Of no interest to the catalog: ports, requests.
    Other,
}

impl Subject {
    pub fn of(key: &[u8]) -> Subject {
        let Ok(key) = str::from_utf8(key) else { return Subject::Other };
        let subject = match key.split_once('/') {
            Some(("node", name)) => name.parse().ok().map(Subject::Node),
            Some(("service", name)) => name.parse().ok().map(Subject::Service),
            Some(("version", rest)) => numbered(rest).map(|(name, number)| Subject::Version(name, number)),
            Some(("rollout", rest)) => numbered(rest).map(|(name, number)| Subject::Rollout(name, number)),
            Some(("instance", id)) => id.parse().ok().map(Subject::Instance),
            Some(("event", id)) => Some(Subject::Event(id.to_string())),
            Some(("external", name)) => Some(Subject::ExternalNode(register::unescape(name))),
            Some(("registered", rest)) => register::parts(rest).map(Subject::Registered),
            Some(("check", rest)) => register::parts(rest).map(Subject::Check),
            Some(("query", id)) => Some(Subject::Query(id.to_string())),
            _ => None,
        };
        subject.unwrap_or(Subject::Other)
    }
}

fn numbered(rest: &str) -> Option<(Name, u32)> {
    let (name, number) = rest.split_once('/')?;
    Some((name.parse().ok()?, number.parse().ok()?))
}

/// Reads the JSON of a record. A record that cannot be read was written by a newer release or is damaged; either way
/// it must not pass for absent.
pub fn decode<T: DeserializeOwned>(entry: &Entry) -> T {
    let Value::String(bytes) = &entry.value else { panic!("a record of the system space is a string") };
    serde_json::from_slice(bytes).expect("a record of the system space has the form of its type")
}

pub fn service(tx: &mut Transaction<'_>, name: &Name) -> Option<Service> {
    read(tx, &service_key(name))
}

pub fn put_service(tx: &mut Transaction<'_>, service: &Service) {
    write(tx, service_key(&service.spec.name), service);
}

pub fn delete_service(tx: &mut Transaction<'_>, name: &Name) {
    delete(tx, &service_key(name));
}

pub fn version(tx: &mut Transaction<'_>, service: &Name, number: u32) -> Option<Version> {
    read(tx, &version_key(service, number))
}

pub fn put_version(tx: &mut Transaction<'_>, version: &Version) {
    write(tx, version_key(&version.service, version.number), version);
}

pub fn delete_version(tx: &mut Transaction<'_>, service: &Name, number: u32) {
    delete(tx, &version_key(service, number));
}

/// The numbers of the versions that are on record, oldest first.
pub fn versions(tx: &mut Transaction<'_>, service: &Name) -> Vec<u32> {
    numbers(tx, "version", service)
}

pub fn rollout(tx: &mut Transaction<'_>, service: &Name, number: u32) -> Option<Rollout> {
    read(tx, &rollout_key(service, number))
}

/// All of a service, oldest first.
pub fn rollouts(tx: &mut Transaction<'_>, service: &Name) -> Vec<Rollout> {
    let numbers = numbers(tx, "rollout", service);
    numbers.into_iter().filter_map(|number| rollout(tx, service, number)).collect()
}

pub fn put_rollout(tx: &mut Transaction<'_>, rollout: &Rollout) {
    write(tx, rollout_key(&rollout.service, rollout.number), rollout);
}

pub fn delete_rollout(tx: &mut Transaction<'_>, service: &Name, number: u32) {
    delete(tx, &rollout_key(service, number));
}

pub fn instance(tx: &mut Transaction<'_>, id: &InstanceId) -> Option<Instance> {
    read(tx, &instance_key(id))
}

/// Writes the record, with the moment if its phase or health has changed.
pub fn put_instance(tx: &mut Transaction<'_>, record: &mut Instance) {
    let before = instance(tx, &record.id).map(|before| (before.phase, before.health));
    if before != Some((record.phase, record.health)) {
        record.changed = tx.now().wall;
        record.since = tx.now().tick;
    }
    write(tx, instance_key(&record.id), record);
}

pub fn delete_instance(tx: &mut Transaction<'_>, id: &InstanceId) {
    delete(tx, &instance_key(id));
}

pub fn node(tx: &mut Transaction<'_>, name: &Name) -> Option<Node> {
    read(tx, &node_key(name))
}

/// All that are on record, by name.
pub fn nodes(tx: &mut Transaction<'_>) -> Vec<Node> {
    under(tx, "node/", decode)
}

/// All services, by name.
pub fn services(tx: &mut Transaction<'_>) -> Vec<Service> {
    under(tx, "service/", decode)
}

/// All instances, of all services.
pub fn instances(tx: &mut Transaction<'_>) -> Vec<Instance> {
    under(tx, "instance/", decode)
}

pub fn put_node(tx: &mut Transaction<'_>, node: &Node) {
    write(tx, node_key(&node.name), node);
}

pub fn put_query(tx: &mut Transaction<'_>, query: &PreparedQuery) {
    write(tx, query_key(&query.id), query);
}

pub fn delete_query(tx: &mut Transaction<'_>, id: &str) {
    delete(tx, &query_key(id));
}

/// Whether somebody has the port or it rests.
pub fn port_is_taken(tx: &mut Transaction<'_>, node: &Name, port: u16) -> bool {
    tx.get(Database::System, port_key(node, port).as_bytes()).is_some()
}

/// Gives a port to an instance.
pub fn take_port(tx: &mut Transaction<'_>, node: &Name, port: u16, owner: &InstanceId) {
    let value = Value::String(owner.as_str().into());
    tx.put(Database::System, port_key(node, port), value, None, &[Notice::Set]);
}

/// Takes the port from its owner; nobody gets it for [`PORT_REST`].
pub fn release_port(tx: &mut Transaction<'_>, node: &Name, port: u16) {
    let deadline = Deadline::after(PORT_REST.as_millis() as u64, tx.now());
    let value = Value::String("".into());
    tx.put(Database::System, port_key(node, port), value, Some(deadline), &[Notice::Set, Notice::Expire]);
}

/// Adds to the event log. Several in one transaction keep their order.
pub fn log(tx: &mut Transaction<'_>, event: &Event) {
    let revision = tx.revision().0;
    let key = event_key(revision, last_event(tx, revision) + 1);
    drop_oldest_event(tx);
    write_until(tx, key, event, EVENT_KEPT);
}

/// The number of the last event of a revision; 0 while it has none.
fn last_event(tx: &mut Transaction<'_>, revision: u64) -> u32 {
    let prefix = format!("event/{revision:020}-");
    let keys = tx.keys_under(Database::System, prefix.as_bytes());
    // `.` follows `-`.
    let end = keys.rank(format!("event/{revision:020}.").as_bytes());
    let last = end.checked_sub(1).and_then(|rank| keys.nth(rank));
    let number = |key: &Blob| str::from_utf8(key).ok()?.strip_prefix(&prefix)?.parse().ok();
    last.and_then(|(key, _)| number(key)).unwrap_or(0)
}

fn drop_oldest_event(tx: &mut Transaction<'_>) {
    if count(tx, "event") < EVENTS {
        return;
    }
    let first: &[u8] = b"event/";
    let oldest = tx.keys(Database::System).iter_from(first).next().map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        tx.delete(Database::System, &oldest, Notice::Del);
    }
}

/// How many records of a kind there are. The tree knows ranks, so this walks over none of them.
pub(crate) fn count(tx: &mut Transaction<'_>, kind: &str) -> usize {
    let keys = tx.keys(Database::System);
    // `0` follows `/`.
    keys.rank(format!("{kind}0").as_bytes()) - keys.rank(format!("{kind}/").as_bytes())
}

/// Whether a further answer can be kept.
pub fn has_room_for_request(tx: &mut Transaction<'_>) -> bool {
    count(tx, "request") < REQUESTS
}

/// The recorded answer to a write that carried a client token.
pub fn request<T: DeserializeOwned>(tx: &mut Transaction<'_>, scope: &str) -> Option<T> {
    read(tx, &format!("request/{scope}"))
}

pub fn put_request<T: Serialize>(tx: &mut Transaction<'_>, scope: &str, answer: &T) {
    write_until(tx, format!("request/{scope}"), answer, REQUEST_KEPT);
}

fn node_key(name: &Name) -> String {
    format!("node/{name}")
}

fn service_key(name: &Name) -> String {
    format!("service/{name}")
}

fn version_key(service: &Name, number: u32) -> String {
    format!("version/{service}/{number:010}")
}

fn rollout_key(service: &Name, number: u32) -> String {
    format!("rollout/{service}/{number:010}")
}

fn instance_key(id: &InstanceId) -> String {
    format!("instance/{id}")
}

fn query_key(id: &str) -> String {
    format!("query/{id}")
}

fn port_key(node: &Name, port: u16) -> String {
    format!("port/{node}/{port}")
}

fn event_key(revision: u64, number: u32) -> String {
    format!("event/{revision:020}-{number:04}")
}

/// What stands under a prefix, in the order of the keys.
pub(crate) fn under<T>(tx: &mut Transaction<'_>, prefix: &str, each: impl Fn(&Entry) -> T) -> Vec<T> {
    let keys = tx.keys_under(Database::System, prefix.as_bytes());
    let found = keys.iter_from(prefix.as_bytes()).take_while(|(key, _)| key.starts_with(prefix.as_bytes()));
    found.map(|(_, entry)| each(entry)).collect()
}

/// The numbers of a service's records of one kind.
fn numbers(tx: &mut Transaction<'_>, kind: &str, service: &Name) -> Vec<u32> {
    let prefix = format!("{kind}/{service}/");
    let keys = tx.keys_under(Database::System, prefix.as_bytes());
    let found = keys.iter_from(prefix.as_bytes()).take_while(|(key, _)| key.starts_with(prefix.as_bytes()));
    let number = |key: &Blob| str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok();
    found.filter_map(|(key, _)| number(key)).collect()
}

pub(crate) fn read<T: DeserializeOwned>(tx: &mut Transaction<'_>, key: &str) -> Option<T> {
    tx.get(Database::System, key.as_bytes()).map(decode)
}

fn json<T: Serialize>(record: &T) -> Value {
    Value::String(Blob::from(serde_json::to_vec(record).expect("a record has a JSON form")))
}

pub(crate) fn write<T: Serialize>(tx: &mut Transaction<'_>, key: String, record: &T) {
    tx.put(Database::System, key, json(record), None, &[Notice::Set]);
}

pub(crate) fn write_until<T: Serialize>(tx: &mut Transaction<'_>, key: String, record: &T, kept: Duration) {
    let deadline = Deadline::after(kept.as_millis() as u64, tx.now());
    tx.put(Database::System, key, json(record), Some(deadline), &[Notice::Set, Notice::Expire]);
}

pub(crate) fn delete(tx: &mut Transaction<'_>, key: &str) {
    tx.delete(Database::System, key.as_bytes(), Notice::Del);
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Keyspace, Now};

    use super::*;

    #[test]
    fn a_key_names_its_subject() {
        let name: Name = "web".parse().unwrap();
        let id = InstanceId::from_seed(7);
        assert_eq!(Subject::of(service_key(&name).as_bytes()), Subject::Service(name.clone()));
        assert_eq!(Subject::of(version_key(&name, 12).as_bytes()), Subject::Version(name.clone(), 12));
        assert_eq!(Subject::of(rollout_key(&name, 3).as_bytes()), Subject::Rollout(name.clone(), 3));
        assert_eq!(Subject::of(instance_key(&id).as_bytes()), Subject::Instance(id));
        assert_eq!(Subject::of(port_key(&name, 20000).as_bytes()), Subject::Other);
        assert_eq!(Subject::of(b"\xff"), Subject::Other);
    }

    #[test]
    fn a_released_port_rests_before_it_is_free() {
        let mut keyspace = Keyspace::default();
        let node: Name = "n1".parse().unwrap();
        let taken = |keyspace: &mut Keyspace, tick| {
            keyspace.transact(Now { tick, wall: 0 }, |tx| port_is_taken(tx, &node, 20000)).unwrap().reply
        };
        keyspace
            .transact(Now::default(), |tx| take_port(tx, &node, 20000, &InstanceId::from_seed(1)))
            .unwrap();
        assert!(taken(&mut keyspace, 1_000_000));
        keyspace.transact(Now { tick: 1_000_000, wall: 0 }, |tx| release_port(tx, &node, 20000)).unwrap();
        assert!(taken(&mut keyspace, 1_060_000));
        assert!(!taken(&mut keyspace, 1_060_001));
    }

    #[test]
    fn the_event_log_drops_its_oldest_when_it_is_full() {
        let mut keyspace = Keyspace::default();
        let event = |n: usize| Event {
            time: n as u64,
            kind: "k".into(),
            service: None,
            instance: None,
            message: String::new(),
        };
        for n in 0..EVENTS + 5 {
            keyspace.transact(Now::default(), |tx| log(tx, &event(n))).unwrap();
        }
        let keys = keyspace.keys(Database::System);
        let first: Event = keys.first().map(|(_, entry)| decode(entry)).unwrap();
        assert_eq!((keys.len(), first.time), (EVENTS, 5));
    }

    #[test]
    fn events_of_one_transaction_keep_their_order() {
        let mut keyspace = Keyspace::default();
        let event = |kind: &str| Event {
            time: 0,
            kind: kind.into(),
            service: None,
            instance: None,
            message: String::new(),
        };
        keyspace
            .transact(Now::default(), |tx| {
                log(tx, &event("first"));
                log(tx, &event("second"));
            })
            .unwrap();
        let kinds: Vec<String> =
            keyspace.keys(Database::System).iter().map(|(_, entry)| decode::<Event>(entry).kind).collect();
        assert_eq!(kinds, ["first", "second"]);
    }
}
