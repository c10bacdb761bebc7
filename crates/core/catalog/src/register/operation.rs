//! The verbs of Consul's transactions on nodes, services and checks, each a part of one transaction of ours.
//!
//! What a verb takes out, it takes out at once: of what has more than a piece of services or checks nothing goes here. A node
//! with an agent is as its agent says.

use std::fmt;

use adsum_keyspace::{Database, Transaction};
use adsum_model::Revision;
use adsum_model::registered::{Check, Node, Service};
use serde::de::DeserializeOwned;

use super::{
    PIECE, Refusal, Told, check_key, deregister_check, deregister_node, deregister_service, expect_node,
    node_key, service, service_key, tell,
};
use crate::Dated;
use crate::catalog::dated;
use crate::records;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Set,
    /// When it is at this index; 0 is for what is not there.
    Cas(u64),
    Delete,
    DeleteCas(u64),
}

/// What a verb is about. Only those that write look at more than its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    Node(Node),
    Service(Service),
    Check(Check),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub verb: Verb,
    pub record: Record,
}

/// What is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A node with an agent.
    Agent(adsum_model::Node),
    Node(Dated<Node>),
    Service(Dated<Service>),
    /// With the service that it is about.
    Check(Dated<Check>, Option<Service>),
}

/// The index that is told of a node with an agent.
const AGENT: u64 = 1;

impl Operation {
    /// What it has read or written, and how many bytes that takes; none of what it has taken out.
    ///
    /// # Errors
    /// With why not, in the words of Consul.
    pub fn run(&self, tx: &mut Transaction<'_>) -> Result<Option<(Found, usize)>, String> {
        let there = self.record.found(tx);
        let index = there.as_ref().map(|(found, _)| found.index());
        let stale = |what| Err(format!("failed to {what} {}, index is stale", self.record));
        match self.verb {
            Verb::Get => return there.map(Some).ok_or_else(|| format!("{} doesn't exist", self.record)),
            Verb::Cas(asked) if index.unwrap_or(0) != asked => return stale("set"),
            Verb::DeleteCas(asked) if index != Some(asked) => return stale("delete"),
            Verb::Set | Verb::Cas(_) => self.record.set(tx).map_err(|refusal| refusal.to_string())?,
            Verb::Delete | Verb::DeleteCas(_) => return self.record.take_out(tx).map(|()| None),
        }
        Ok(self.record.found(tx))
    }
}

impl Record {
    fn found(&self, tx: &mut Transaction<'_>) -> Option<(Found, usize)> {
        match self {
            Record::Node(node) => {
                let agent = node.name.parse().ok().and_then(|name| records::node(tx, &name));
                let agent = agent.map(|agent| (Found::Agent(agent), 0));
                agent.or_else(|| {
                    read(tx, &node_key(&node.name)).map(|(node, bytes)| (Found::Node(node), bytes))
                })
            }
            Record::Service(service) => {
                let (service, bytes) = read(tx, &service_key(&service.node, &service.id))?;
                Some((Found::Service(service), bytes))
            }
            Record::Check(check) => {
                let (check, bytes) = read::<Check>(tx, &check_key(&check.node, &check.id))?;
                let service = service(tx, &check.node, &check.service);
                Some((Found::Check(check, service), bytes))
            }
        }
    }

    fn set(&self, tx: &mut Transaction<'_>) -> Result<(), Refusal> {
        let told = match self {
            Record::Node(node) => {
                let has_agent = node.name.parse().is_ok_and(|name| records::node(tx, &name).is_some());
                Told { node: (!has_agent).then(|| node.clone()), ..Told::default() }
            }
            Record::Service(service) => {
                expect_node(tx, &service.node)?;
                Told { service: Some(service.clone()), ..Told::default() }
            }
            Record::Check(check) => {
                expect_node(tx, &check.node)?;
                Told { checks: vec![check.clone()], ..Told::default() }
            }
        };
        tell(tx, told)
    }

    /// That it is not there is fine.
    fn take_out(&self, tx: &mut Transaction<'_>) -> Result<(), String> {
        let more = match self {
            Record::Node(node) => deregister_node(tx, &node.name),
            Record::Service(service) => deregister_service(tx, &service.node, &service.id).more,
            Record::Check(check) => {
                deregister_check(tx, &check.node, &check.id);
                false
            }
        };
        if more {
            let what = "more than a transaction takes out: use /v1/catalog/deregister";
            return Err(format!("{self} has more than {PIECE} services or checks, {what}"));
        }
        Ok(())
    }
}

impl Found {
    fn index(&self) -> u64 {
        match self {
            Found::Agent(_) => AGENT,
            Found::Node(Dated { modified: Revision(index), .. })
            | Found::Service(Dated { modified: Revision(index), .. })
            | Found::Check(Dated { modified: Revision(index), .. }, _) => *index,
        }
    }
}

/// As Consul names it in what has failed.
impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Node(node) => write!(f, "node {:?}", node.name),
            Record::Service(service) => write!(f, "service {:?} on node {:?}", service.id, service.node),
            Record::Check(check) => write!(f, "check {:?} on node {:?}", check.id, check.node),
        }
    }
}

fn read<T: DeserializeOwned>(tx: &mut Transaction<'_>, key: &str) -> Option<(Dated<T>, usize)> {
    let entry = tx.get(Database::System, key.as_bytes())?;
    Some((dated(entry), entry.value.weight()))
}

#[cfg(test)]
mod tests {
    use adsum_keyspace::{Keyspace, Now};

    use super::*;

    fn of_node(verb: Verb, address: &str) -> Operation {
        let node = Node { name: "ext".into(), address: address.into(), ..Node::default() };
        Operation { verb, record: Record::Node(node) }
    }

    fn of_service(verb: Verb, port: u16) -> Operation {
        let service = Service {
            node: "ext".into(),
            id: "pay".into(),
            service: "pay".into(),
            port,
            ..Service::default()
        };
        Operation { verb, record: Record::Service(service) }
    }

    fn of_check(verb: Verb) -> Operation {
        let (node, id, service) = ("ext".into(), "alive".into(), "pay".into());
        Operation { verb, record: Record::Check(Check { node, id, service, ..Check::default() }) }
    }

    /// The index that is told, 0 of what was taken out.
    fn run(keyspace: &mut Keyspace, operation: &Operation) -> Result<u64, String> {
        let found = keyspace.transact(Now::default(), |tx| operation.run(tx)).unwrap().reply?;
        Ok(found.map_or(0, |(found, _)| found.index()))
    }

    #[test]
    fn what_is_set_is_at_the_index_of_its_commit_and_is_set_again_at_that_index_alone() {
        let mut keyspace = Keyspace::default();
        assert_eq!(run(&mut keyspace, &of_service(Verb::Set, 1)), Err("Missing node registration".into()));
        assert_eq!(run(&mut keyspace, &of_node(Verb::Set, "10.0.0.1")), Ok(1));
        assert_eq!(run(&mut keyspace, &of_check(Verb::Set)), Err("Missing service registration".into()));
        assert_eq!(run(&mut keyspace, &of_service(Verb::Cas(0), 1)), Ok(2));
        assert_eq!(run(&mut keyspace, &of_check(Verb::Set)), Ok(3));
        let stale = "failed to set service \"pay\" on node \"ext\", index is stale";
        assert_eq!(run(&mut keyspace, &of_service(Verb::Cas(1), 2)), Err(stale.into()));
        assert_eq!(run(&mut keyspace, &of_service(Verb::Cas(0), 2)), Err(stale.into()));
        assert_eq!(run(&mut keyspace, &of_service(Verb::Cas(2), 2)), Ok(4));
        assert_eq!(run(&mut keyspace, &of_service(Verb::Get, 0)), Ok(4));
    }

    #[test]
    fn what_is_taken_out_goes_with_all_that_is_its_own_and_was_not_there_is_fine() {
        let mut keyspace = Keyspace::default();
        for operation in [of_node(Verb::Set, "10.0.0.1"), of_service(Verb::Set, 1), of_check(Verb::Set)] {
            run(&mut keyspace, &operation).unwrap();
        }
        let stale = "failed to delete check \"alive\" on node \"ext\", index is stale";
        assert_eq!(run(&mut keyspace, &of_check(Verb::DeleteCas(9))), Err(stale.into()));
        assert_eq!(run(&mut keyspace, &of_node(Verb::DeleteCas(1), "")), Ok(0));
        let gone = "check \"alive\" on node \"ext\" doesn't exist";
        assert_eq!(run(&mut keyspace, &of_check(Verb::Get)), Err(gone.into()));
        assert_eq!(run(&mut keyspace, &of_service(Verb::Delete, 0)), Ok(0));
    }

    #[test]
    fn a_node_with_an_agent_is_as_its_agent_says() {
        let mut keyspace = Keyspace::default();
        let agent = adsum_model::Node::new("ext".parse().unwrap(), "10.0.0.9".parse().unwrap());
        keyspace.transact(Now::default(), |tx| records::put_node(tx, &agent)).unwrap();
        for verb in [Verb::Set, Verb::Cas(1), Verb::Get] {
            let found = keyspace.transact(Now::default(), |tx| of_node(verb, "10.0.0.1").run(tx)).unwrap();
            assert_eq!(found.reply, Ok(Some((Found::Agent(agent.clone()), 0))));
        }
        assert!(run(&mut keyspace, &of_node(Verb::Cas(2), "")).is_err());
    }

    #[test]
    fn what_is_too_much_for_one_transaction_stays() {
        let mut keyspace = Keyspace::default();
        run(&mut keyspace, &of_node(Verb::Set, "10.0.0.1")).unwrap();
        run(&mut keyspace, &of_service(Verb::Set, 1)).unwrap();
        let Record::Check(check) = of_check(Verb::Set).record else { panic!("it is a check") };
        let checks = (0..=PIECE).map(|number| Check { id: number.to_string(), ..check.clone() }).collect();
        let told = Told { checks, ..Told::default() };
        keyspace.transact(Now::default(), |tx| tell(tx, told)).unwrap().reply.unwrap();
        let refused = run(&mut keyspace, &of_service(Verb::Delete, 0)).unwrap_err();
        assert!(refused.starts_with("service \"pay\" on node \"ext\" has more than 1000"), "{refused}");
    }
}
