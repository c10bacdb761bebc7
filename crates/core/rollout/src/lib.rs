//! Desired and observed make a plan.
