//! What becomes of a request that has come to a service: which instance has it, and whether it is tried again.
