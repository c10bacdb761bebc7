//! The limits that the system counts for each process by itself: setrlimit(2).

use std::io;

use adsum_model::{Resource as Named, Ulimit, Ulimits};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};

/// What a child sets before it runs its program: what it was given, and over the keeper's own limits no core files and
/// as many open files as the keeper itself was started with.
pub(crate) struct ProcessLimits {
    open_files: rlim_t,
    given: Ulimits,
}

impl ProcessLimits {
    pub(crate) fn new(open_files: rlim_t, given: &Ulimits) -> ProcessLimits {
        ProcessLimits { open_files, given: given.clone() }
    }

    /// To be called in the child while it may still raise a limit. The one that cannot be set comes with the error.
    pub(crate) fn set(&self) -> Result<(), (String, io::Error)> {
        let of_ours = |error: nix::Error| (String::new(), error.into());
        if !self.given.contains_key(&Named::Core) {
            setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(of_ours)?;
        }
        if !self.given.contains_key(&Named::Nofile) {
            let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(of_ours)?;
            setrlimit(Resource::RLIMIT_NOFILE, self.open_files.min(hard), hard).map_err(of_ours)?;
        }
        for (named, Ulimit { soft, hard }) in &self.given {
            let ulimit = || format!("{named}={}", Ulimit { soft: *soft, hard: *hard });
            setrlimit(of(*named), *soft, *hard).map_err(|error| (ulimit(), error.into()))?;
        }
        Ok(())
    }
}

fn of(named: Named) -> Resource {
    match named {
        Named::Core => Resource::RLIMIT_CORE,
        Named::Cpu => Resource::RLIMIT_CPU,
        Named::Data => Resource::RLIMIT_DATA,
        Named::Fsize => Resource::RLIMIT_FSIZE,
        Named::Locks => Resource::RLIMIT_LOCKS,
        Named::Memlock => Resource::RLIMIT_MEMLOCK,
        Named::Msgqueue => Resource::RLIMIT_MSGQUEUE,
        Named::Nice => Resource::RLIMIT_NICE,
        Named::Nofile => Resource::RLIMIT_NOFILE,
        Named::Nproc => Resource::RLIMIT_NPROC,
        Named::Rss => Resource::RLIMIT_RSS,
        Named::Rtprio => Resource::RLIMIT_RTPRIO,
        Named::Rttime => Resource::RLIMIT_RTTIME,
        Named::Sigpending => Resource::RLIMIT_SIGPENDING,
        Named::Stack => Resource::RLIMIT_STACK,
    }
}
