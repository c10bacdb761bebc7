//! How long the checks take: `cargo run --release -p adsum-history --example speed`.

use std::time::Instant;

use adsum_history::sample::Sample;
use adsum_history::{register, revision};

fn main() {
    for (operations, clients) in [(100_000, 20), (100_000, 8)] {
        let history = Sample { seed: 1, clients, operations }.history();
        let begin = Instant::now();
        let outcome = revision::check(&history);
        println!("revision, {operations} operations, {clients} clients: {:?}, {outcome:?}", begin.elapsed());
    }
    for (operations, clients) in [(3_000, 5), (3_000, 8), (10_000, 8), (3_000, 12)] {
        let history = Sample { seed: 1, clients, operations }.history();
        let begin = Instant::now();
        let outcome = register::check(&history, 50_000_000);
        println!("search, {operations} operations, {clients} clients: {:?}, {outcome:?}", begin.elapsed());
    }
}
