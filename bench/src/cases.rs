//! A benchmark of several cases: all of them, or the one that is named.

use anyhow::Context as _;

use crate::machine::{load_average, raise_open_files};

pub(crate) type Case = (&'static str, fn() -> anyhow::Result<()>);

pub(crate) fn run(benchmark: &str, cases: &[Case], words: &[&str]) -> anyhow::Result<()> {
    raise_open_files()?;
    match words {
        [] => cases.iter().try_for_each(measure),
        [name] => measure(cases.iter().find(|(case, _)| case == name).with_context(|| {
            let known: Vec<_> = cases.iter().map(|(case, _)| *case).collect();
            format!("no case {name}: take one of {}", known.join(", "))
        })?),
        _ => anyhow::bail!("{benchmark} takes one case"),
    }
}

fn measure((name, case): &Case) -> anyhow::Result<()> {
    eprintln!("{name}");
    println!("\n{name}; load average {} before\n", load_average());
    case().with_context(|| format!("{name} was not measured"))?;
    println!("\nload average {} after", load_average());
    Ok(())
}
