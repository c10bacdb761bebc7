//! `cargo xtask test`: everything that has to hold before a commit, step by step, as an ordinary user.
//!
//! A step that fails does not hide the next one; only the tests wait for a build that succeeded.

use std::path::PathBuf;

use anyhow::Context;

use crate::cargo::{cargo, succeeds, target};
use crate::component::{self, Component};
use crate::report::Report;
use crate::tidy;

/// With `strict` a missing component is a failure; `filter` chooses tests as `cargo test` does.
pub(crate) fn run(strict: bool, filter: Option<&str>) -> anyhow::Result<bool> {
    let mut report = Report::default();
    report.step("format", || succeeds(&mut cargo(&["fmt", "--all", "--check"])));
    report.step("clippy", clippy);
    report.step("tidy", tidy::run);
    components(&mut report, strict);
    if report.step("build", || succeeds(&mut cargo(&["build", "--workspace"]))) {
        report.step("tests", || tests(strict, filter));
        skips()?.into_iter().for_each(|skip| report.skip(skip));
    }
    report.print();
    Ok(report.passed())
}

fn clippy() -> anyhow::Result<bool> {
    succeeds(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn components(report: &mut Report, strict: bool) {
    report.step("components", || {
        provide().unwrap_or_else(|error| eprintln!("{error:#}"));
        Ok(!strict || component::missing().is_empty())
    });
    for component in component::missing() {
        report.skip(component.to_string());
    }
}

/// Installs what is missing where that is possible; what stays missing is no error here.
fn provide() -> anyhow::Result<()> {
    let missing = component::missing();
    if missing.is_empty() {
        println!("every external program is here");
    } else if component::can_install() {
        println!("installing for {}", names(&missing));
        component::install(&missing)?;
    } else {
        println!("missing: {} (installed automatically only as root on Debian)", names(&missing));
    }
    Ok(())
}

fn names(components: &[Component]) -> String {
    components.iter().map(|component| component.program).collect::<Vec<_>>().join(", ")
}

fn tests(strict: bool, filter: Option<&str>) -> anyhow::Result<bool> {
    forget_skips()?;
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(filter);
    match strict {
        true => command.env("ADSUM_TEST_STRICT", "1"),
        false => command.env_remove("ADSUM_TEST_STRICT"),
    };
    succeeds(&mut command)
}

/// Where the test kit writes one line per test that it skipped.
fn skip_folder() -> anyhow::Result<PathBuf> {
    Ok(target()?.join("test-skips"))
}

fn forget_skips() -> anyhow::Result<()> {
    let folder = skip_folder()?;
    match folder.exists() {
        true => {
            std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
        }
        false => Ok(()),
    }
}

fn skips() -> anyhow::Result<Vec<String>> {
    let folder = skip_folder()?;
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut skips = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let text = std::fs::read_to_string(entry?.path())?;
        skips.extend(text.lines().map(str::to_string));
    }
    skips.sort();
    Ok(skips)
}
