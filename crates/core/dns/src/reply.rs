//! What is said to a question about a name in one of our zones.

use std::collections::BTreeSet;
use std::net::IpAddr;

use adsum_catalog::Catalog;
use adsum_model::{Name, Priority};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, HINFO, NS, PTR, SOA, SRV};
use hickory_proto::rr::{Name as DomainName, RData, RecordType};

use crate::place::{Address, Place};
use crate::subject::{Found, Subject};
use crate::{Config, Zone};

/// The content of an answer; how much of it fits into a message is decided later.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) code: ResponseCode,
    pub(crate) authoritative: bool,
    pub(crate) answers: Vec<Record>,
    pub(crate) authorities: Vec<Record>,
    /// Spares the client a second question; not missed when it does not fit.
    pub(crate) additionals: Vec<Record>,
    /// Why there is no answer, for clients with EDNS (RFC 8914).
    pub(crate) reason: Option<&'static str>,
    /// The service of which instances are given away here.
    pub(crate) given: Option<Name>,
    /// In so many ways the answers may be ordered: each of them is the first in one. 0 of what is refused.
    pub(crate) turns: usize,
    /// It is of a kind that there is no end of: that there is nothing, or an address by its digits.
    pub(crate) endless: bool,
    /// It is about nothing of ours.
    pub(crate) foreign: bool,
    /// There is more to say, and not here.
    pub(crate) is_cut: bool,
}

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) owner: Owner,
    pub(crate) ttl: u32,
    pub(crate) data: RData,
}

#[derive(Debug)]
pub(crate) enum Owner {
    /// The name that was asked for, in the case in which it was asked.
    Question,
    Name(DomainName),
}

/// What is asked of a subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) record_type: RecordType,
    /// No more records are made; that many do not fit into the message.
    pub(crate) most: usize,
}

impl Reply {
    /// Neither yes nor no.
    pub(crate) fn failure(code: ResponseCode) -> Reply {
        Reply {
            code,
            authoritative: false,
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
            reason: None,
            given: None,
            turns: 0,
            endless: false,
            foreign: false,
            is_cut: false,
        }
    }

    /// The names of an address in a zone that is not ours: of those that we do not know, nothing is said.
    pub(crate) fn pointers(names: Vec<DomainName>, ttl: u32) -> Reply {
        if names.is_empty() {
            return Reply { foreign: true, ..Reply::failure(ResponseCode::Refused) };
        }
        let record = |name| Record { owner: Owner::Question, ttl, data: RData::PTR(PTR(name)) };
        let answers: Vec<Record> = names.into_iter().map(record).collect();
        let turns = answers.len();
        Reply { authoritative: true, answers, turns, ..Reply::failure(ResponseCode::NoError) }
    }
}

/// The one who knows a zone.
#[derive(Clone, Copy)]
pub(crate) struct Authority<'a> {
    pub(crate) zone: &'a Zone,
    pub(crate) catalog: &'a Catalog,
    pub(crate) config: &'a Config,
}

impl Authority<'_> {
    pub(crate) fn reply(&self, subject: Subject<'_>, wish: Wish) -> Reply {
        let is_spelled = matches!(subject, Subject::Address(_));
        let reply = self.of(subject, wish);
        let (turns, endless) = (reply.answers.len().max(1), is_spelled || reply.answers.is_empty());
        Reply { turns, endless, ..reply }
    }

    fn of(&self, subject: Subject<'_>, wish: Wish) -> Reply {
        use RecordType::{A, AAAA, ANY, NS, SOA};
        match (subject, wish.record_type) {
            (Subject::Unknown, _) => self.no(ResponseCode::NXDomain),
            (_, ANY) => self.minimal(),
            (Subject::Apex, SOA) => self.yes(vec![self.soa(Owner::Question)]),
            (Subject::Apex, NS) => self.name_server(),
            (Subject::Instances(found), _) => self.instances(found, wish),
            (Subject::Node(node), A | AAAA) => self.address(&Address::Ip(node.address), wish),
            (Subject::ExternalNode(node), A | AAAA) => match Address::of(&node.address) {
                Some(address) => self.address(&address, wish),
                None => self.no(ResponseCode::NoError),
            },
            (Subject::Address(address), A | AAAA) => self.address(&Address::Ip(address), wish),
            (
                Subject::Apex
                | Subject::Inner
                | Subject::Node(_)
                | Subject::ExternalNode(_)
                | Subject::Address(_),
                _,
            ) => self.no(ResponseCode::NoError),
        }
    }

    fn instances(&self, found: Found<'_>, wish: Wish) -> Reply {
        if found.places.is_empty() {
            return Reply { reason: Some("no healthy instance"), ..self.no(ResponseCode::NoError) };
        }
        let reply = match wish.record_type {
            RecordType::A | RecordType::AAAA => self.addresses(&found.places, wish),
            RecordType::SRV => self.services(&found.places, wish),
            _ => Reply::failure(ResponseCode::NoError),
        };
        if reply.answers.is_empty() {
            return self.no(ResponseCode::NoError);
        }
        Reply { given: found.service, ..reply }
    }

    /// Each address once (RFC 2181 5), however many places share it. A name has one alias and nothing beside it (RFC 1034
    /// 3.6.2), so one of somebody else's is told only where there is no address.
    fn addresses(&self, places: &[Place<'_>], wish: Wish) -> Reply {
        let mut seen = BTreeSet::new();
        let addresses = places.iter().filter_map(|place| match place.address() {
            Address::Ip(address) => Some((address, data_of(address, wish.record_type)?)),
            Address::Name(_) => None,
        });
        let fresh = addresses.filter(|(address, _)| seen.insert(*address)).take(wish.most);
        let answers: Vec<Record> = fresh.map(|(_, data)| self.record(Owner::Question, data)).collect();
        let is_address = |place: &Place<'_>| matches!(place.address(), Address::Ip(_));
        if answers.is_empty() && !places.iter().any(is_address) {
            return self.address(&places[0].address(), wish);
        }
        self.yes(answers)
    }

    /// RFC 2782: priority and weight of the place, and the addresses of the targets besides.
    fn services(&self, places: &[Place<'_>], wish: Wish) -> Reply {
        let mut reply = self.yes(Vec::new());
        let (mut seen, shared) = (BTreeSet::new(), self.shared_ids(places));
        for place in places.iter().take(wish.most) {
            let target = self.zone.target(place, &shared, &self.config.datacenter);
            if let Address::Ip(address) = place.address()
                && seen.insert(target.clone())
            {
                let address = self.record(Owner::Name(target.clone()), any_data_of(address));
                reply.additionals.push(address);
            }
            let Priority(priority) = place.priority();
            let data = RData::SRV(SRV::new(priority, place.weight(), place.port(), target));
            reply.answers.push(self.record(Owner::Question, data));
        }
        reply
    }

    /// Ids that several places of one service have, each on a node of its own: no name says which of them is meant. Only
    /// where ids make names.
    fn shared_ids(&self, places: &[Place<'_>]) -> BTreeSet<String> {
        let registered = |place: &Place<'_>| match place {
            Place::Run(..) => None,
            Place::Registered { service, .. } => Some(service.key()),
        };
        let name = places.iter().find_map(registered).filter(|_| self.zone.is_flat());
        let Some(name) = name else { return BTreeSet::new() };
        let mut seen = BTreeSet::new();
        let ids = self.catalog.registry().named(&name).map(|service| service.id.to_ascii_lowercase());
        ids.filter(|id| !seen.insert(id.clone())).collect()
    }

    fn address(&self, address: &Address, wish: Wish) -> Reply {
        let data = match address {
            Address::Ip(address) => data_of(*address, wish.record_type),
            Address::Name(name) => Some(RData::CNAME(CNAME(name.clone()))),
        };
        match data {
            Some(data) => self.yes(vec![self.record(Owner::Question, data)]),
            None => self.no(ResponseCode::NoError),
        }
    }

    fn name_server(&self) -> Reply {
        let name = self.zone.node(&self.config.node, &self.config.datacenter);
        let reply = self.yes(vec![self.record(Owner::Question, RData::NS(NS(name.clone())))]);
        let node = self.catalog.node(&self.config.node);
        let glue = node.map(|node| self.record(Owner::Name(name), any_data_of(node.address)));
        Reply { additionals: glue.into_iter().collect(), ..reply }
    }

    /// The answer to ANY (RFC 8482 4.2): one small record, so that nobody amplifies with it.
    fn minimal(&self) -> Reply {
        let data = RData::HINFO(HINFO::new("RFC8482".to_string(), String::new()));
        self.yes(vec![self.record(Owner::Question, data)])
    }

    fn yes(&self, answers: Vec<Record>) -> Reply {
        Reply { authoritative: true, answers, ..Reply::failure(ResponseCode::NoError) }
    }

    /// No such name, or no such record of it, for as long as the SOA record says (RFC 2308 2).
    fn no(&self, code: ResponseCode) -> Reply {
        let soa = self.soa(Owner::Name(self.zone.origin().clone()));
        Reply { authoritative: true, authorities: vec![soa], ..Reply::failure(code) }
    }

    /// Its own TTL is the one of a "no": the smaller of the two is what counts.
    fn soa(&self, owner: Owner) -> Record {
        let serial = self.catalog.revision().0 as u32;
        let negative = self.config.negative_ttl;
        let soa = SOA::new(self.zone.primary(), self.zone.mailbox(), serial, 3600, 600, 86400, negative);
        Record { owner, ttl: negative, data: RData::SOA(soa) }
    }

    fn record(&self, owner: Owner, data: RData) -> Record {
        Record { owner, ttl: self.config.ttl, data }
    }
}

/// The address as a record of this type, when it is of its family.
fn data_of(address: IpAddr, record_type: RecordType) -> Option<RData> {
    match (address, record_type) {
        (IpAddr::V4(_), RecordType::A) | (IpAddr::V6(_), RecordType::AAAA) => Some(any_data_of(address)),
        _ => None,
    }
}

fn any_data_of(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(A(address)),
        IpAddr::V6(address) => RData::AAAA(AAAA(address)),
    }
}
