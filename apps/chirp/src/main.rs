//! The demonstration application of the founding talk: every tweeting user has a service.
fn main() {}
