//! Memory that was just let go of, for what comes next.
//!
//! The history forgets what nobody has looked at for long, so to forget it costs a wait for memory. An allocator would then
//! give what comes next memory that was free even longer: another wait. So what comes next takes the place of what was
//! just forgotten.

use std::sync::Arc;

/// As many as are kept.
const KEPT: usize = 16;

pub(crate) struct Spares<T>(Vec<Arc<T>>);

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Spares(Vec::new())
    }
}

impl<T: Default> Spares<T> {
    /// Keeps the place of what nobody else holds, and frees what was in it.
    pub(crate) fn keep(&mut self, mut place: Arc<T>) {
        if self.0.len() < KEPT
            && let Some(content) = Arc::get_mut(&mut place)
        {
            *content = T::default();
            self.0.push(place);
        }
    }

    pub(crate) fn fill(&mut self, content: T) -> Arc<T> {
        let Some(mut place) = self.0.pop() else { return Arc::new(content) };
        match Arc::get_mut(&mut place) {
            Some(empty) => *empty = content,
            None => return Arc::new(content),
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_any_more_is_filled_again_and_what_somebody_holds_is_not() {
        let mut spares = Spares::default();
        let (one, other) = (Arc::new(1), Arc::new(2));
        let place = Arc::as_ptr(&one);
        spares.keep(one);
        spares.keep(other.clone());
        let filled = spares.fill(3);
        assert_eq!((Arc::as_ptr(&filled), *filled), (place, 3));
        assert_ne!(Arc::as_ptr(&spares.fill(4)), Arc::as_ptr(&other));
        assert_eq!(*other, 2);
    }

    #[test]
    fn a_place_holds_on_to_nothing_and_there_are_few() {
        let mut spares = Spares::default();
        let held = Arc::new(());
        (0..100).for_each(|_| spares.keep(Arc::new(Some(held.clone()))));
        assert_eq!((Arc::strong_count(&held), spares.0.len()), (1, KEPT));
    }
}
