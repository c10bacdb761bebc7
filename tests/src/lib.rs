//! End-to-end tests against the real binary, and the test kit they share.
