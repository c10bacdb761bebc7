//! `GET /v1/agent/host`: facts of the machine, from `/proc`, in the shape of gopsutil, which Consul uses. What is not
//! known is left out, and what could not be read is named in `Errors`.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::response::Response;
use rustix::fs::statvfs;
use serde_json::{Map, Value, json};

use super::answer;
use crate::query::Query;

/// What Consul tells of.
const DISK: &str = "/";

/// Reading these files takes no waiting: the kernel makes them up.
pub(crate) async fn get(query: Query) -> Response {
    let mut errors = Vec::new();
    let mut read = |path: &str| {
        let text = std::fs::read_to_string(path);
        text.map_err(|error| errors.push(json!(format!("{path}: {error}")))).unwrap_or_default()
    };
    let [memory, processors] = ["/proc/meminfo", "/proc/cpuinfo"].map(&mut read);
    let host = host(&mut read);
    let disk = disk().map_err(|error| errors.push(json!(format!("{DISK}: {error}")))).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let facts = json!({
        "Memory": self::memory(&memory), "CPU": self::processors(&processors), "Host": host, "Disk": disk,
        "CollectionTime": u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
        "Errors": if errors.is_empty() { Value::Null } else { Value::Array(errors) },
    });
    answer::json(query.asks("pretty"), &facts)
}

/// In bytes, of proc_meminfo(5).
fn memory(text: &str) -> Map<String, Value> {
    let bytes = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(key, _)| *key == name)?;
        Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
    };
    let mut memory = Map::new();
    for (key, name) in [
        ("total", "MemTotal"),
        ("available", "MemAvailable"),
        ("free", "MemFree"),
        ("active", "Active"),
        ("inactive", "Inactive"),
        ("buffers", "Buffers"),
        ("writeBack", "Writeback"),
        ("dirty", "Dirty"),
        ("shared", "Shmem"),
        ("slab", "Slab"),
        ("swapTotal", "SwapTotal"),
        ("swapFree", "SwapFree"),
        ("mapped", "Mapped"),
        ("committedAS", "Committed_AS"),
    ] {
        memory.extend(bytes(name).map(|bytes| (key.to_string(), bytes.into())));
    }
    let cached = bytes("Cached").map(|cached| cached + bytes("SReclaimable").unwrap_or(0));
    memory.extend(cached.map(|cached| ("cached".to_string(), cached.into())));
    if let (Some(total), Some(free), Some(buffers), Some(cached)) =
        (bytes("MemTotal"), bytes("MemFree"), bytes("Buffers"), cached)
    {
        let used = total.saturating_sub(free + buffers + cached);
        memory.insert("used".to_string(), used.into());
        memory.insert("usedPercent".to_string(), percent(used, total).into());
    }
    memory
}

/// One for each of proc_cpuinfo(5). Other architectures say less, or the same under other names.
fn processors(text: &str) -> Vec<Value> {
    let blocks = text.split("\n\n").filter(|block| block.starts_with("processor"));
    blocks.map(processor).collect()
}

fn processor(block: &str) -> Value {
    let value = |name: &str| {
        let mut lines = block.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    let number = |name: &str| value(name).and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let mut processor = Map::new();
    for (key, name) in [("cpu", "processor"), ("stepping", "stepping"), ("cacheSize", "cache size")] {
        processor.extend(number(name).map(|number| (key.to_string(), json!(number as i64))));
    }
    for (key, name) in [
        ("vendorId", "vendor_id"),
        ("family", "cpu family"),
        ("model", "model"),
        ("physicalId", "physical id"),
        ("coreId", "core id"),
        ("modelName", "model name"),
        ("microcode", "microcode"),
    ] {
        processor.extend(value(name).map(|text| (key.to_string(), text.into())));
    }
    processor.extend(number("cpu MHz").map(|mhz| ("mhz".to_string(), json!(mhz))));
    let flags = value("flags").or_else(|| value("Features"));
    processor.extend(flags.map(|flags| ("flags".to_string(), json!(flags.split(' ').collect::<Vec<_>>()))));
    // Each processor counts itself.
    processor.insert("cores".to_string(), 1.into());
    processor.into()
}

fn host(read: &mut impl FnMut(&str) -> String) -> Map<String, Value> {
    let mut host = Map::new();
    let mut add = |key: &str, value: Option<Value>| host.extend(value.map(|value| (key.to_string(), value)));
    let [name, kernel] = ["hostname", "osrelease"].map(|file| read(&format!("/proc/sys/kernel/{file}")));
    for (key, text) in [("hostname", &name), ("kernelVersion", &kernel)] {
        add(key, Some(text.trim()).filter(|text| !text.is_empty()).map(Into::into));
    }
    let [uptime, stat] = ["/proc/uptime", "/proc/stat"].map(&mut *read);
    add("uptime", uptime.split('.').next().and_then(|seconds| seconds.parse::<u64>().ok()).map(Into::into));
    let booted = stat.lines().find_map(|line| line.strip_prefix("btime "));
    add("bootTime", booted.and_then(|seconds| seconds.parse::<u64>().ok()).map(Into::into));
    add("procs", processes().map(Into::into));
    add("os", Some(std::env::consts::OS.into()));
    add("kernelArch", Some(std::env::consts::ARCH.into()));
    let release = read("/etc/os-release");
    add("platform", release_field(&release, "ID"));
    add("platformVersion", release_field(&release, "VERSION_ID"));
    add("platformFamily", release_field(&release, "ID_LIKE").or_else(|| release_field(&release, "ID")));
    host
}

/// How many there are.
fn processes() -> Option<usize> {
    let is_process = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    Some(entries.filter(|entry| entry.file_name().to_str().is_some_and(is_process)).count())
}

/// Of os-release(5).
fn release_field(text: &str, name: &str) -> Option<Value> {
    let mut lines = text.lines().filter_map(|line| line.split_once('='));
    lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').into())
}

fn disk() -> Result<Map<String, Value>, rustix::io::Errno> {
    let disk = statvfs(DISK)?;
    let bytes = |blocks: u64| blocks * disk.f_frsize;
    let used = disk.f_blocks.saturating_sub(disk.f_bfree);
    let inodes = disk.f_files.saturating_sub(disk.f_ffree);
    let Value::Object(facts) = json!({
        "path": DISK, "total": bytes(disk.f_blocks), "free": bytes(disk.f_bavail), "used": bytes(used),
        "usedPercent": percent(used, used + disk.f_bavail), "inodesTotal": disk.f_files, "inodesUsed": inodes,
        "inodesFree": disk.f_ffree, "inodesUsedPercent": percent(inodes, disk.f_files),
    }) else {
        unreachable!("it is an object")
    };
    Ok(facts)
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_bytes_and_what_is_not_there_is_left_out() {
        let text =
            "MemTotal:  1000 kB\nMemFree:  300 kB\nBuffers:  50 kB\nCached:  100 kB\nSReclaimable:  50 kB\n";
        let expect = json!({"total": 1_024_000, "free": 307_200, "buffers": 51_200, "cached": 153_600,
            "used": 512_000, "usedPercent": 50.0});
        assert_eq!(Value::Object(memory(text)), expect);
        assert!(memory("").is_empty() && memory("MemTotal: x kB\n").is_empty());
    }

    #[test]
    fn each_processor_is_told_with_what_it_says_of_itself() {
        let text = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Fast\ncpu MHz\t\t: 2500.5\ncache size\t: 36608 KB\n\
            flags\t\t: fpu vme\n\nprocessor\t: 1\n";
        let first = json!({"cpu": 0, "model": "85", "modelName": "Fast", "mhz": 2500.5, "cacheSize": 36608,
            "flags": ["fpu", "vme"], "cores": 1});
        assert_eq!(processors(text), [first, json!({"cpu": 1, "cores": 1})]);
    }

    #[test]
    fn the_system_is_told_by_its_release_file() {
        let text = "PRETTY_NAME=\"Some System\"\nID=some\nVERSION_ID=\"12\"\n";
        assert_eq!(release_field(text, "ID"), Some("some".into()));
        assert_eq!(release_field(text, "VERSION_ID"), Some("12".into()));
        assert_eq!(release_field(text, "ID_LIKE"), None);
    }
}
