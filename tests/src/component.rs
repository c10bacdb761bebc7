//! External programs that a test needs. A test whose program is missing says so and returns; `cargo xtask test`
//! lists it at the end, and `--strict` makes it a failure.

use std::io::Write;
use std::panic::Location;
use std::path::Path;

const TABLE: &str = include_str!("../components.txt");

/// Whether `program` is here. When it is not, the skip is recorded and the test has to return:
///
/// ```text
/// if !kit::require("dig") { return; }
/// ```
///
/// Panics instead when `ADSUM_TEST_STRICT` is set.
#[track_caller]
#[must_use = "a test whose component is missing returns"]
pub fn require(program: &str) -> bool {
    let packages = packages(program);
    if present(program) {
        return true;
    }
    let skip = format!("SKIPPED {}: needs {program} (apt-get install {packages})", test(Location::caller()));
    assert!(std::env::var_os("ADSUM_TEST_STRICT").is_none(), "{skip}");
    record(&crate::program::target().join("test-skips"), &skip);
    false
}

/// Records that a test is skipped since something could not be installed that is no program; panics instead when
/// `ADSUM_TEST_STRICT` is set.
#[track_caller]
pub fn absent(what: &str) {
    let skip = format!("SKIPPED {}: needs {what}", test(Location::caller()));
    assert!(std::env::var_os("ADSUM_TEST_STRICT").is_none(), "{skip}");
    record(&crate::program::target().join("test-skips"), &skip);
}

/// Records that a test is skipped since this machine does not allow what it does. No failure in strict mode either:
/// what is not allowed cannot be installed.
#[track_caller]
pub fn unable(reason: &str) {
    let skip = format!("SKIPPED {}: {reason}", test(Location::caller()));
    record(&crate::program::target().join("test-skips"), &skip);
}

fn present(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn packages(program: &str) -> &'static str {
    let mut fields = TABLE.lines().map(|line| line.split('|').map(str::trim));
    let found = fields.find_map(|mut fields| (fields.next() == Some(program)).then(|| fields.next())?);
    found.unwrap_or_else(|| panic!("{program} is not in tests/components.txt: add it with its package"))
}

/// The test's name; the place of the call when the tests run on the main thread.
fn test(caller: &Location<'_>) -> String {
    match std::thread::current().name() {
        Some("main") | None => format!("{}:{}", caller.file(), caller.line()),
        Some(name) => name.to_string(),
    }
}

/// One write per line, in append mode: test binaries and threads may record at the same time.
fn record(folder: &Path, skip: &str) {
    println!("{skip}");
    std::fs::create_dir_all(folder).expect("the target directory can be written");
    let file = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("skipped.txt"));
    let written = file.and_then(|mut file| file.write_all(format!("{skip}\n").as_bytes()));
    written.expect("the target directory can be written");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn what_is_on_the_path_is_present() {
        assert!(present("sh"));
        assert!(!present("no-such-program-anywhere"));
    }

    #[test]
    fn a_component_has_its_packages_in_the_table() {
        assert_eq!(packages("dig"), "bind9-dnsutils");
        assert_eq!(packages("cc"), "gcc libc6-dev");
    }

    #[test]
    fn a_program_outside_of_the_table_is_a_mistake_of_the_test() {
        let panic = std::panic::catch_unwind(|| packages("telnet")).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert_eq!(message, "telnet is not in tests/components.txt: add it with its package");
    }

    #[test]
    fn skips_are_recorded_line_by_line() {
        let scratch = Scratch::new();
        record(&scratch.path().join("skips"), "SKIPPED a: needs dig");
        record(&scratch.path().join("skips"), "SKIPPED b: needs curl");
        let text = std::fs::read_to_string(scratch.path().join("skips/skipped.txt")).unwrap();
        assert_eq!(text, "SKIPPED a: needs dig\nSKIPPED b: needs curl\n");
    }
}
