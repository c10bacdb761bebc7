//! Memory that was just let go of, for what comes next.
//!
//! The history forgets what nobody has looked at for long, so to forget it costs a wait for memory. An allocator would then
//! give what comes next memory that was free even longer: another wait. So what comes next takes the place of what was
//! just forgotten.

use std::sync::Arc;

/// As many as are kept.
const KEPT: usize = 16;

pub(crate) struct Spares<T>(Vec<Arc<T>>);

/// What leaves a place behind. The default is an empty one.
pub(crate) trait Spare: Default {
    /// Frees all that it holds on to, and nothing else.
    fn empty(&mut self);
}

impl<T> Default for Spares<T> {
    fn default() -> Self {
        Spares(Vec::new())
    }
}

impl<T: Spare> Spares<T> {
    /// Keeps the place of what nobody else holds, and frees what was in it.
    pub(crate) fn keep(&mut self, mut place: Arc<T>) {
        if self.0.len() < KEPT
            && let Some(content) = Arc::get_mut(&mut place)
        {
            content.empty();
            self.0.push(place);
        }
    }

    /// `fill` gets an empty place, written in which costs less than moved there.
    pub(crate) fn fill(&mut self, fill: impl FnOnce(&mut T)) -> Arc<T> {
        let mut place = self.0.pop().unwrap_or_default();
        fill(Arc::get_mut(&mut place).expect("nobody else held it, and nobody has got it since"));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Spare for i32 {
        fn empty(&mut self) {
            *self = 0;
        }
    }

    impl Spare for Option<Arc<()>> {
        fn empty(&mut self) {
            *self = None;
        }
    }

    #[test]
    fn what_nobody_holds_any_more_is_filled_again_and_what_somebody_holds_is_not() {
        let mut spares = Spares::default();
        let (one, other) = (Arc::new(1), Arc::new(2));
        let place = Arc::as_ptr(&one);
        spares.keep(one);
        spares.keep(other.clone());
        let filled = spares.fill(|place| *place += 3);
        assert_eq!((Arc::as_ptr(&filled), *filled), (place, 3));
        assert_ne!(Arc::as_ptr(&spares.fill(|place| *place += 4)), Arc::as_ptr(&other));
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
