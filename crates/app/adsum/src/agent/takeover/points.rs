//! Named places of a takeover at which a test ends the new process, as a kill would (`ADSUM_TAKEOVER_FAILPOINT=NAME`), or
//! stops it until it is told to go on by SIGCONT (`ADSUM_TAKEOVER_STOPPOINT=NAME`). Only builds with debug assertions
//! listen.

/// Whether this build listens.
pub(super) const ARMED: bool = cfg!(debug_assertions);

/// The process has come to a point.
pub(super) fn reach(point: &str) {
    if ARMED && std::env::var("ADSUM_TAKEOVER_STOPPOINT").is_ok_and(|named| named == point) {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP);
    }
    if ARMED && std::env::var("ADSUM_TAKEOVER_FAILPOINT").is_ok_and(|named| named == point) {
        // Nothing is to happen after this, not even on this thread.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        loop {
            std::thread::park();
        }
    }
}
