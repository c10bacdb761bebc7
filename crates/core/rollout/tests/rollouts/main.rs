//! Whole rollouts, on a keyspace of their own: scripts with what each line leads to (`scenarios/*.txt`), and courses by
//! chance. No process runs here: the scripts say what instances do.
#![allow(clippy::unwrap_used)]

mod courses;
mod instances;
mod script;
mod world;
