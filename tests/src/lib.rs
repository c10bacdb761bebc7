//! The test kit: what every end-to-end test needs to start the real binary, talk to it with real clients, wait
//! for a level, break it, and leave nothing behind. The tests themselves are in `tests/e2e/`.
//!
//! ```text
//! let agent = Agent::start();                          // own directory, own ports, ready
//! agent.adsum(&["service", "ls"]).ok();                // the command line, against this agent
//! agent.redis_cli(&["GET", "a"]).ok();                 // real clients
//! until("a is gone", SECONDS, || gone().then_some(())) // a level, never a sleep
//! ```                                                  // dropped: agent, keeper, instances all end

pub mod agent;
pub mod backend;
pub mod clients;
pub mod component;
pub mod crowd;
pub mod docker;
pub mod etcd;
pub mod http;
pub mod libraries;
pub mod load;
pub mod lock;
pub mod output;
pub mod port;
pub mod processes;
pub mod program;
pub mod redis;
pub mod resp;
pub mod rounds;
pub mod running;
pub mod scratch;
pub mod stage;
pub mod succession;
pub mod traffic;
pub mod wait;
pub mod wire;

pub use agent::Agent;
pub use backend::Backend;
pub use component::{require, unable};
pub use docker::Docker;
pub use etcd::Etcd;
pub use load::Load;
pub use output::Output;
pub use rounds::rounds;
pub use running::Running;
pub use scratch::Scratch;
pub use stage::Stage;
pub use traffic::Traffic;
pub use wait::{until, until_ok, until_through};
