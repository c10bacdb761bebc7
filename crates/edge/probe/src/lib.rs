//! Runs health checks.
