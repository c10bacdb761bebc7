//! As whom an instance runs, and what it may take of its machine: read, and written down again.

use adsum_model::{Limits, Ulimit, Ulimits, parse_size, print_size};

use crate::bound;
use crate::draft::LimitsDraft;
use crate::problem::Problems;

impl LimitsDraft {
    pub(crate) fn of(limits: &Limits) -> LimitsDraft {
        LimitsDraft {
            memory: limits.memory.map(print_size),
            cpu: limits.cpu.map(print_cpu),
            pids: limits.pids.map(i64::from),
        }
    }
}

/// Docker's 0 is as good as nothing: no limit.
pub(crate) fn limits(draft: &LimitsDraft, problems: &mut Problems) -> Limits {
    let pids = draft.pids.filter(|pids| *pids != 0);
    Limits {
        memory: draft.memory.as_deref().and_then(|text| memory(text, problems)),
        cpu: draft.cpu.as_deref().and_then(|text| cpu(text, problems)),
        pids: pids.map(|pids| problems.count("limits.pids", Some(pids), 0, &bound::PIDS)),
    }
}

fn memory(text: &str, problems: &mut Problems) -> Option<u64> {
    match parse_size(text) {
        Ok(0) => None,
        Ok(bytes) if bound::MEMORY.contains(&bytes) => Some(bytes),
        Ok(_) => {
            let (least, most) = (print_size(*bound::MEMORY.start()), print_size(*bound::MEMORY.end()));
            problems.add("limits.memory", text, format!("is out of range: give {least} to {most}"));
            None
        }
        Err(_) => {
            problems.add("limits.memory", text, "is no amount of memory: write it like 512k, 256m or 1.5g");
            None
        }
    }
}

/// Processors, with at most three places behind the point.
fn cpu(text: &str, problems: &mut Problems) -> Option<u32> {
    let Some(thousandths) = thousandths(text) else {
        problems.add("limits.cpu", text, "is no number of processors: write it like 0.5 or 2");
        return None;
    };
    if thousandths == 0 {
        return None;
    }
    if !bound::CPU.contains(&thousandths) {
        let (least, most) = (print_cpu(*bound::CPU.start()), print_cpu(*bound::CPU.end()));
        problems.add("limits.cpu", text, format!("is out of range: give {least} to {most}"));
        return None;
    }
    Some(thousandths)
}

fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && part.is_empty() || part.len() > 3 || !digits(whole) || !digits(part) {
        return None;
    }
    let whole: u32 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    whole.checked_mul(1000)?.checked_add(part)
}

pub(crate) fn print_cpu(thousandths: u32) -> String {
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

pub(crate) fn ulimits(texts: Option<&[String]>, problems: &mut Problems) -> Ulimits {
    let mut ulimits = Ulimits::new();
    for (at, text) in texts.unwrap_or_default().iter().enumerate() {
        match Ulimit::parse(text) {
            Ok((resource, ulimit)) => {
                if ulimits.insert(resource, ulimit).is_some() {
                    problems.add(
                        format!("ulimits[{at}]"),
                        text,
                        "limits again what one before it limits: keep one",
                    );
                }
            }
            Err(wrong) => problems.add(format!("ulimits[{at}]"), text, wrong.to_string()),
        }
    }
    ulimits
}

pub(crate) fn written(ulimits: &Ulimits) -> Vec<String> {
    ulimits.iter().map(|(resource, ulimit)| format!("{resource}={ulimit}")).collect()
}

/// Whether `text` names the limit that is written as `there`: by its resource, or by all of it.
pub fn names_ulimit(text: &str, there: &str) -> bool {
    text == there || there.split_once('=').is_some_and(|(resource, _)| resource == text)
}

/// `UID|NAME[:GID|GROUP]`. Whether there is such a user is known where it is started.
pub(crate) fn user(text: Option<&str>, problems: &mut Problems) -> Option<String> {
    let text = text?;
    let parts: Vec<&str> = text.split(':').collect();
    let odd = |part: &&str| part.is_empty() || part.contains(|c: char| c.is_whitespace() || c.is_control());
    if parts.len() > 2 || parts.iter().any(odd) {
        problems.add("user", text, "is no user: write it like 1000, nobody, 1000:1000 or nobody:nogroup");
    } else if text.len() > bound::TAG {
        problems.add("user", text, format!("is too long: give at most {} bytes", bound::TAG));
    }
    Some(text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(draft: LimitsDraft, expect: Limits) {
        let mut problems = Problems::default();
        assert_eq!(limits(&draft, &mut problems), expect);
        assert_eq!(problems.0, []);
    }

    fn draft(memory: &str, cpu: &str, pids: i64) -> LimitsDraft {
        LimitsDraft { memory: Some(memory.into()), cpu: Some(cpu.into()), pids: Some(pids) }
    }

    #[test]
    fn limits_read_as_docker_reads_them() {
        check(draft("256m", "0.5", 100), Limits { memory: Some(256 << 20), cpu: Some(500), pids: Some(100) });
        check(draft("1g", "2", 1), Limits { memory: Some(1 << 30), cpu: Some(2000), pids: Some(1) });
        check(draft("0", "0", 0), Limits::default());
        check(draft("4m", ".25", 7), Limits { memory: Some(4 << 20), cpu: Some(250), pids: Some(7) });
    }

    #[test]
    fn limits_that_were_written_down_read_back() {
        for cpu in [10, 250, 500, 1000, 1001, 12_340] {
            let limits = Limits { memory: Some(3 << 29), cpu: Some(cpu), pids: Some(9) };
            check(LimitsDraft::of(&limits), limits);
        }
    }

    #[test]
    fn each_limit_that_is_wrong_is_named() {
        let mut problems = Problems::default();
        limits(&draft("1k", "0.001", -1), &mut problems);
        limits(&draft("much", "half", 1), &mut problems);
        limits(&draft("1m", "0.1234", 1), &mut problems);
        ulimits(Some(&["nofile=1:2", "nofile=3", "files=1", "nproc"].map(String::from)), &mut problems);
        let fields: Vec<&str> = problems.0.iter().map(|problem| problem.field.as_str()).collect();
        let (memory, cpu, pids) = ("limits.memory", "limits.cpu", "limits.pids");
        assert_eq!(fields, [memory, cpu, pids, memory, cpu, cpu, "ulimits[1]", "ulimits[2]", "ulimits[3]"]);
    }

    #[test]
    fn a_user_is_a_name_or_a_number_and_perhaps_a_group() {
        #[track_caller]
        fn check(text: &str, fine: bool) {
            let mut problems = Problems::default();
            user(Some(text), &mut problems);
            assert_eq!(problems.0.is_empty(), fine, "{text}");
        }
        for text in ["1000", "nobody", "1000:1000", "nobody:nogroup", "_apt"] {
            check(text, true);
        }
        for text in ["", ":", "a:", ":b", "a:b:c", "a b", "a\0"] {
            check(text, false);
        }
    }

    #[test]
    fn a_ulimit_is_named_by_its_resource_or_whole() {
        assert!(names_ulimit("nofile", "nofile=1:2"));
        assert!(names_ulimit("nofile=1:2", "nofile=1:2"));
        assert!(!names_ulimit("nofile=1", "nofile=1:2"));
        assert!(!names_ulimit("no", "nofile=1"));
    }
}
