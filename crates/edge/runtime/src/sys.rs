//! The few system calls that neither std nor nix offers in a form we can use.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::ExitStatus;

/// A descriptor that stands for the process which has this pid now, and for no later one.
/// `pidfd_open(2)`, Linux 5.3.
pub(crate) fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Signals exactly the process that `pidfd` stands for.
pub(crate) fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let no_info: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: a null siginfo is allowed and means what kill(2) would send.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, no_info, 0) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Marks every descriptor but the standard three close-on-exec. Best effort: ours are already, and this is for those
/// that somebody has passed down to us. `close_range(2)`, Linux 5.11.
pub(crate) fn hide_descriptors() {
    // SAFETY: only sets a flag on descriptors; none is closed here.
    unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// Gives every signal back its default action, the ignored ones too, which `execve` would keep ignored. By the bare
/// system call, since the C library keeps 32 and 33 to itself. rt_sigaction(2).
pub(crate) fn default_signals() {
    const LAST: i32 = 64;
    const MASK_BYTES: usize = 8;
    // The kernel's struct: handler (0 is SIG_DFL), flags, restorer, mask.
    let default = [0u64; 4];
    for signal in 1..=LAST {
        let none: *const u64 = std::ptr::null();
        // SAFETY: `default` is as long as the kernel's struct on 64-bit machines and longer than on others, and
        // SIG_DFL installs no code of ours. SIGKILL and SIGSTOP answer an error, which is right.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, MASK_BYTES) };
    }
}

/// A child that has ended, without reaping it: its pid stays taken until [`reap`].
pub(crate) fn ended_child() -> Option<(u32, ExitStatus)> {
    // SAFETY: all-zero bytes are a valid siginfo_t, and say "no child" when waitid does not fill them in.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: `info` is a valid place for one siginfo_t.
    if unsafe { libc::waitid(libc::P_ALL, 0, &mut info, flags) } != 0 {
        return None;
    }
    // SAFETY: waitid fills in the SIGCHLD fields, or leaves the zeroes.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let status =
        if info.si_code == libc::CLD_EXITED { ExitStatus::Code(status) } else { ExitStatus::Signal(status) };
    (pid != 0).then_some((pid as u32, status))
}

/// Waits for the end of our child `pid`, and lets its pid go.
pub(crate) fn reap(pid: u32) {
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(pid as libc::pid_t, std::ptr::null_mut(), 0) } < 0
        && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
    {}
}

/// Ends this process at once: no destructor, no buffer, no handler runs.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: never returns.
    unsafe { libc::_exit(code) }
}

/// Two processes from here on, `Some(pid)` in the parent.
///
/// # Safety
/// With other threads about, the child may do only what is async-signal-safe.
pub(crate) unsafe fn fork() -> io::Result<Option<u32>> {
    // SAFETY: the caller keeps the promise above.
    match unsafe { libc::fork() } {
        0 => Ok(None),
        pid if pid > 0 => Ok(Some(pid as u32)),
        _ => Err(io::Error::last_os_error()),
    }
}
