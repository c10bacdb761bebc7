//! What the DNS face is told once.

use adsum_model::Name;

use crate::Zone;

/// Everything an answer depends on besides question and catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The label that may stand before the zone: `web.service.dc1.consul.`.
    pub datacenter: Name,
    /// The name server of the zones: the node that this process is.
    pub node: Name,
    /// What is answered for; every other name is refused. Of two that hold a name, the longer one answers.
    pub zones: Vec<Zone>,
    /// How long an answer may be kept, in seconds. 0: for the one use at hand (RFC 1035 3.2.1), so that nobody calls
    /// an instance that has gone.
    pub ttl: u32,
    /// How long it may be kept that there is no answer, in seconds (RFC 2308 5). At 0 a client that always asks for
    /// AAAA as well asks for it each time.
    pub negative_ttl: u32,
}

impl Config {
    /// The zones `adsum.` and `consul.`, TTL 0, one second for a "no".
    pub fn new(datacenter: Name, node: Name) -> Config {
        Config { datacenter, node, zones: vec![Zone::adsum(), Zone::consul()], ttl: 0, negative_ttl: 1 }
    }

    /// The zone that a name of these labels is in.
    pub(crate) fn zone_of(&self, labels: &[&[u8]]) -> Option<&Zone> {
        let ours = self.zones.iter().filter(|zone| zone.holds(labels));
        ours.max_by_key(|zone| zone.depth())
    }
}
