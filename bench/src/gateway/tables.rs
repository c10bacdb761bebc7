//! The figures as tables: a row for each case, a column for each peer.

use super::Side;
use super::case::Case;
use super::figures::Figures;
use super::peer::Kind;
use crate::table::Table;

pub(super) fn print(cases: &[Case], sides: &[Side]) {
    table("requests/s", cases, sides, Figures::rate);
    ratios(cases, sides);
    table("p50, p99 of the median round", cases, sides, Figures::latency);
    table("CPU µs per request", cases, sides, Figures::cpu);
    table("RSS after it, largest", cases, sides, Figures::rss);
    errors(cases, sides);
}

fn table(what: &str, cases: &[Case], sides: &[Side], show: impl Fn(&Figures) -> String) {
    let names: Vec<String> = sides.iter().map(|side| side.peer.kind().to_string()).collect();
    let heads: Vec<&str> = std::iter::once(what).chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(&heads);
    for (at, case) in cases.iter().enumerate() {
        let cells = sides.iter().map(|side| show(&side.figures[at]));
        table.row(std::iter::once(case.to_string()).chain(cells).collect());
    }
    println!();
    table.print();
}

/// Every peer's rate beside HAProxy's.
fn ratios(cases: &[Case], sides: &[Side]) {
    let Some(peer) = sides.iter().find(|side| side.peer.kind() == Kind::Haproxy) else { return };
    let own: Vec<&Side> = sides.iter().filter(|side| side.peer.kind() != Kind::Haproxy).collect();
    let names: Vec<String> = own.iter().map(|side| side.peer.kind().to_string()).collect();
    let mut heads = vec!["times the requests/s of haproxy"];
    heads.extend(names.iter().map(String::as_str));
    let mut table = Table::new(&heads);
    for (at, case) in cases.iter().enumerate() {
        let cells = own.iter().map(|side| side.figures[at].ratio(&peer.figures[at]));
        table.row(std::iter::once(case.to_string()).chain(cells).collect());
    }
    println!();
    table.print();
}

/// Requests that were not answered as they should: the rate beside them says nothing.
fn errors(cases: &[Case], sides: &[Side]) {
    println!();
    for side in sides {
        for (case, figures) in cases.iter().zip(&side.figures).filter(|(_, figures)| figures.errors > 0.0) {
            println!("{}, {case}: {:.0} errors", side.peer.kind(), figures.errors);
        }
    }
}
