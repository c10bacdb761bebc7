//! Where requests go: the route table, made whole from the catalog, and the barrier that all who route pass.

mod table;

pub use table::{Member, Pool, Standing, Table};
