//! What systemd gives to a service, and what the service says of itself: sd_listen_fds(3), sd_notify(3),
//! sd_watchdog_enabled(3). Without systemd there is nothing, and nothing is said.

mod notifier;
mod sockets;

pub use notifier::Notifier;
pub use sockets::{GivenError, Socket, given};
