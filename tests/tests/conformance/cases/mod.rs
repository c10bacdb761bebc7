//! What every engine has to do: one function for each case.

pub(crate) mod events;
pub(crate) mod state;
pub(crate) mod time;
pub(crate) mod transactions;
