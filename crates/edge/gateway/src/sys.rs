//! The one question to the kernel that neither std nor our crates ask.

use std::ffi::c_int;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes that were written to a TCP connection and that the other side's kernel has not acknowledged. `SIOCOUTQ` of tcp(7),
/// which goes by the name that it has for terminals.
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> Option<u64> {
    let mut bytes: c_int = 0;
    // SAFETY: this request writes one int to where the pointer points, and that is ours.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if done < 0 { None } else { u64::try_from(bytes).ok() }
}
