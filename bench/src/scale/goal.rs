//! Goals beside results.

use crate::table::Table;

/// One row: what was measured of both, what it should be at most, and whether it is.
pub(super) struct Row {
    pub(super) what: String,
    pub(super) adsum: String,
    pub(super) redis: String,
    pub(super) goal: String,
    pub(super) met: Option<bool>,
}

/// A row without a goal.
pub(super) fn row(what: impl Into<String>, [adsum, redis]: [String; 2]) -> Row {
    Row { what: what.into(), adsum, redis, goal: String::new(), met: None }
}

impl Row {
    pub(super) fn goal(mut self, goal: &str, met: bool) -> Row {
        self.goal = goal.to_string();
        self.met = Some(met);
        self
    }
}

/// With what misses its goal first.
pub(super) fn print(subject: &str, mut rows: Vec<Row>) {
    rows.sort_by_key(|row| row.met != Some(false));
    let mut table = Table::new(&[subject, "adsum", "redis-server", "goal", "met"]);
    for Row { what, adsum, redis, goal, met } in rows {
        let met = met.map_or("", |met| if met { "yes" } else { "**no**" });
        table.row(vec![what, adsum, redis, goal, met.to_string()]);
    }
    table.print();
}
