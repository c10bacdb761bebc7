//! Room that is set aside while there is some, in a file that holds nothing, and given free when the disk is full: what
//! was appended can then still be written, and so can the deletions that make room.
//!
//! ```text
//!   | segments, snapshots | others' files | free    | reserve |     a write finds no room: the reserve goes
//!   | segments, snapshots | others' files | free              |     is full: some more is written
//!   | segments, snapshots | others' |         free  | reserve |     the reserve is back: no longer full
//! ```
//!
//! Being full and not having the reserve are the same. Not here: who is told (`committer`).

use std::{io, sync::Arc};

use crate::disk::{Disk, File, is_no_room};

/// The file.
pub(crate) const NAME: &str = "reserve";

/// How much is written at once where room cannot be reserved without.
const PIECE: u64 = 256 << 10;

pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    bytes: u64,
    held: bool,
}

impl Reserve {
    /// Not yet held.
    pub(crate) fn new(disk: Arc<dyn Disk>, bytes: u64) -> Reserve {
        Reserve { disk, bytes, held: false }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Sets the room aside. Returns whether there was enough.
    pub(crate) fn take(&mut self) -> io::Result<bool> {
        let taken = if self.bytes == 0 { Ok(()) } else { self.fill() };
        self.held = match taken {
            Ok(()) => true,
            Err(error) => {
                // It may hold a part of the room; the error is what counts.
                let _ = self.disk.remove(NAME);
                return if is_no_room(&error) { Ok(false) } else { Err(error) };
            }
        };
        Ok(true)
    }

    /// Nothing of it is synced: that it is there is no promise to anybody.
    fn fill(&self) -> io::Result<()> {
        let file = self.disk.create(NAME)?;
        match file.preallocate(self.bytes) {
            Err(error) if !is_no_room(&error) => self.write_out(&*file),
            result => result,
        }
    }

    /// Where blocks cannot be reserved they are written. Not zeros: some filesystems would keep none.
    fn write_out(&self, file: &dyn File) -> io::Result<()> {
        let piece = vec![0x5a; PIECE.min(self.bytes) as usize];
        (0..self.bytes).step_by(PIECE as usize).try_for_each(|at| {
            let count = PIECE.min(self.bytes - at) as usize;
            file.write_at(&piece[..count], at)
        })
    }

    /// Gives the room free. Returns whether it was held.
    pub(crate) fn release(&mut self) -> bool {
        if self.held {
            self.held = false;
            // That it cannot be removed would show in the writes that find no room.
            let _ = self.disk.remove(NAME);
            return true;
        }
        false
    }
}
