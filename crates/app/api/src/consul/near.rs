//! `?near=`: in which order places are told.
//!
//! Nothing is measured between nodes. A node is nearest to itself, and all others are as far as they were.

use super::question::Question;

/// What stands for the node that is asked.
const OWN: [&str; 2] = ["_agent", "_ip"];

impl Question {
    /// Those on the node that is meant come first; the others keep their order.
    pub(crate) fn sort_near<T>(&self, own: &str, places: &mut [T], node: impl Fn(&T) -> &str) {
        sort(self.query.text("near").as_deref(), own, places, node);
    }
}

/// None of what does not care.
pub(crate) fn sort<T>(near: Option<&str>, own: &str, places: &mut [T], node: impl Fn(&T) -> &str) {
    let Some(near) = near.filter(|near| !near.is_empty()) else { return };
    let near = if OWN.contains(&near) { own } else { near };
    places.sort_by_key(|place| !node(place).eq_ignore_ascii_case(near));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_that_is_meant_comes_first_and_the_others_stay() {
        let sorted = |near: Option<&str>| {
            let mut places = ["a1", "b1", "own", "a2", "b1"];
            sort(near, "own", &mut places, |place| place);
            places.join(" ")
        };
        assert_eq!(sorted(None), "a1 b1 own a2 b1");
        assert_eq!(sorted(Some("")), "a1 b1 own a2 b1");
        assert_eq!(sorted(Some("_agent")), "own a1 b1 a2 b1");
        assert_eq!(sorted(Some("B1")), "b1 b1 a1 own a2");
        assert_eq!(sorted(Some("nobody")), "a1 b1 own a2 b1");
    }
}
