//! What is written into a group's files to hold those in it to a limit.

use std::fs;
use std::io;
use std::path::Path;

use adsum_model::{Controller, Limits};

use super::mounts::Version;

/// Within which time the share of a processor counts, in microseconds; what Docker takes.
const PERIOD: u64 = 100_000;

/// One file and what goes into it.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    file: &'static str,
    value: String,
    /// Not every kernel has it.
    optional: bool,
}

/// Holds the group to what one controller counts of the limits.
pub(super) fn apply(dir: &Path, version: Version, controller: Controller, limits: &Limits) -> io::Result<()> {
    for Entry { file, value, optional } in entries(version, controller, limits) {
        let written = fs::write(dir.join(file), value);
        if !optional {
            written?;
        }
    }
    Ok(())
}

/// A limit of memory counts swap, too: an instance that is to have no more than that is not to go on in slow motion.
fn entries(version: Version, controller: Controller, limits: &Limits) -> Vec<Entry> {
    let entry = |file, value: u64| Entry { file, value: value.to_string(), optional: false };
    let optional = |file, value: u64| Entry { optional: true, ..entry(file, value) };
    let quota = limits.cpu.map(|thousandths| u64::from(thousandths) * PERIOD / 1000);
    match (version, controller) {
        (Version::V2, Controller::Memory) => limits
            .memory
            .map_or_else(Vec::new, |bytes| vec![entry("memory.max", bytes), optional("memory.swap.max", 0)]),
        (Version::V1, Controller::Memory) => limits.memory.map_or_else(Vec::new, |bytes| {
            vec![entry("memory.limit_in_bytes", bytes), optional("memory.memsw.limit_in_bytes", bytes)]
        }),
        (Version::V2, Controller::Cpu) => quota.map_or_else(Vec::new, |quota| {
            vec![Entry { file: "cpu.max", value: format!("{quota} {PERIOD}"), optional: false }]
        }),
        (Version::V1, Controller::Cpu) => quota.map_or_else(Vec::new, |quota| {
            vec![entry("cpu.cfs_period_us", PERIOD), entry("cpu.cfs_quota_us", quota)]
        }),
        (Version::V1 | Version::V2, Controller::Pids) => {
            limits.pids.map_or_else(Vec::new, |pids| vec![entry("pids.max", pids.into())])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(version: Version, controller: Controller, expect: &[(&str, &str)]) {
        let limits = Limits { memory: Some(256 << 20), cpu: Some(500), pids: Some(100) };
        let entries = entries(version, controller, &limits);
        let written: Vec<(&str, &str)> =
            entries.iter().map(|entry| (entry.file, entry.value.as_str())).collect();
        assert_eq!(written, expect);
    }

    #[test]
    fn each_version_has_its_own_files() {
        let (v1, v2) = (Version::V1, Version::V2);
        check(v2, Controller::Memory, &[("memory.max", "268435456"), ("memory.swap.max", "0")]);
        let both = [("memory.limit_in_bytes", "268435456"), ("memory.memsw.limit_in_bytes", "268435456")];
        check(v1, Controller::Memory, &both);
        check(v2, Controller::Cpu, &[("cpu.max", "50000 100000")]);
        check(v1, Controller::Cpu, &[("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "50000")]);
        check(v1, Controller::Pids, &[("pids.max", "100")]);
        check(v2, Controller::Pids, &[("pids.max", "100")]);
    }

    #[test]
    fn nothing_is_written_for_what_has_no_limit() {
        for controller in Controller::ALL {
            assert_eq!(entries(Version::V2, controller, &Limits::default()), []);
            assert_eq!(entries(Version::V1, controller, &Limits::default()), []);
        }
    }
}
