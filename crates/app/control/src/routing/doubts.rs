//! Instances that are on record as running while their processes have gone. Whoever wrote the record has been away since,
//! and anybody may have their ports by now: nothing is sent there.
//!
//! ```text
//! start         members of the last known table     those that the machine does not have are left out
//! first view    instances on record as running      the same, ...
//! first look    ... of the node controller          ... until what the keeper says is on record
//! ```
//!
//! The machine itself is asked, by pid, start time and boot, which is what a keeper goes by as well. So whatever outlives
//! the agent, or the agent and its keeper, has requests without a pause.

use std::collections::BTreeSet;

use adsum_model::{InstanceId, Name, Revision};
use adsum_routing::{Member, Table};
use adsum_runtime::Boot;

pub(super) struct Doubts {
    node: Name,
    /// Nothing before there is a view.
    gone: Option<BTreeSet<InstanceId>>,
    /// As of which what the keeper has said is on record.
    looked: Option<Revision>,
}

impl Doubts {
    pub(super) fn new(node: Name) -> Doubts {
        Doubts { node, gone: None, looked: None }
    }

    /// A table that nobody has compared with anything yet, without whoever has gone.
    pub(super) fn of_last_known(&self, table: &Table) -> Table {
        let gone = self.gone(table);
        table.without(|member| gone.contains(&member.instance))
    }

    /// The node controller has looked, and what it saw is on record as of `revision`.
    pub(super) fn looked(&mut self, revision: Revision) {
        self.looked.get_or_insert(revision);
    }

    /// Whether there is somebody in doubt whom a view of this revision tells the truth about.
    pub(super) fn are_over(&self, revision: Revision) -> bool {
        let in_doubt = self.gone.as_ref().is_some_and(|gone| !gone.is_empty());
        in_doubt && self.is_true(revision)
    }

    /// A table that was made from a view of this revision, without whoever has gone.
    pub(super) fn of_view(&mut self, table: Table, revision: Revision) -> Table {
        if self.is_true(revision) {
            self.gone = Some(BTreeSet::new());
            return table;
        }
        if self.gone.is_none() {
            let gone = self.gone(&table);
            if !gone.is_empty() {
                tracing::info!(instances = gone.len(), "on record as running, and without a process");
            }
            self.gone = Some(gone);
        }
        match &self.gone {
            Some(gone) if !gone.is_empty() => table.without(|member| gone.contains(&member.instance)),
            Some(_) | None => table,
        }
    }

    fn is_true(&self, revision: Revision) -> bool {
        self.looked.is_some_and(|looked| looked <= revision)
    }

    /// Without `/proc` nobody is there: the keeper's word will do.
    fn gone(&self, table: &Table) -> BTreeSet<InstanceId> {
        let boot = Boot::now().ok();
        let is_gone = |member: &&Member| {
            let process = member.process.as_ref().filter(|_| member.node == self.node);
            process.is_some_and(|process| !boot.as_ref().is_some_and(|boot| boot.has(process)))
        };
        let members = table.pools.values().flat_map(|pool| &pool.members);
        members.filter(is_gone).map(|member| member.instance.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use adsum_catalog::{Catalog, records};
    use adsum_keyspace::{Database, Keyspace, Now};
    use adsum_model::{Berth, Health, Instance, Phase, Process};

    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn instance(seed: u64, node: &str, process: Process) -> Instance {
        let berth = Berth {
            id: InstanceId::from_seed(seed),
            node: name(node),
            endpoint: "127.0.0.1:20000".parse().unwrap(),
        };
        Instance {
            phase: Phase::Running,
            health: Health::Passing,
            proven: true,
            process: Some(process),
            created: seed,
            ..Instance::planned(name("web"), berth)
        }
    }

    /// This process.
    fn own() -> Process {
        let pid = std::process::id();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        let start_time = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(19).unwrap();
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        Process { pid, start_time: start_time.parse().unwrap(), boot_id: boot_id.trim().to_string() }
    }

    /// 1 lives, 2 has another start time, 3 is of another boot, 4 of another node.
    fn table() -> Table {
        let younger = Process { start_time: own().start_time + 1, ..own() };
        let earlier = Process { boot_id: "the one before".to_string(), ..own() };
        let mut instances = [
            instance(1, "n1", own()),
            instance(2, "n1", younger),
            instance(3, "n1", earlier.clone()),
            instance(4, "n2", earlier),
        ];
        let mut keyspace = Keyspace::default();
        let put = |tx: &mut adsum_keyspace::Transaction<'_>| {
            instances.iter_mut().for_each(|instance| records::put_instance(tx, instance));
        };
        keyspace.transact(Now::default(), put).unwrap();
        Table::build(&Catalog::load(keyspace.keys(Database::System), keyspace.revision()), None)
    }

    fn members(table: &Table) -> Vec<u64> {
        let has = |seed: &u64| {
            let members = &table.pools["web"].members;
            members.iter().any(|member| member.instance == InstanceId::from_seed(*seed))
        };
        (1..5).filter(has).collect()
    }

    #[test]
    fn whoever_has_no_process_on_this_machine_any_more_gets_nothing() {
        let doubts = Doubts::new(name("n1"));
        assert_eq!(members(&table()), [1, 2, 3, 4]);
        assert_eq!(members(&doubts.of_last_known(&table())), [1, 4]);
    }

    #[test]
    fn doubts_last_until_the_keepers_word_is_in_the_view() {
        let mut doubts = Doubts::new(name("n1"));
        assert_eq!(members(&doubts.of_view(table(), Revision(7))), [1, 4]);
        doubts.looked(Revision(9));
        assert!(!doubts.are_over(Revision(8)));
        assert_eq!(members(&doubts.of_view(table(), Revision(8))), [1, 4]);
        assert!(doubts.are_over(Revision(9)));
        assert_eq!(members(&doubts.of_view(table(), Revision(9))), [1, 2, 3, 4]);
        assert!(!doubts.are_over(Revision(10)));
    }

    #[test]
    fn after_the_keepers_word_there_are_no_doubts() {
        let mut doubts = Doubts::new(name("n1"));
        doubts.looked(Revision::ZERO);
        assert_eq!(members(&doubts.of_view(table(), Revision(1))), [1, 2, 3, 4]);
    }
}
