//! Ports that nobody else has.
//!
//! An agent keeps its addresses over kill and restart, so a test needs ports that stay its own in between. A block
//! lies below the ephemeral ports, where no outgoing connection and no `:0` can land, and is held by a listener on
//! its first port: other tests, in this process and in others, find that one taken and go on.
//!
//! ```text
//! 10000        10001  10002  ...  10399 | 10400 ...
//! held marker  face   face        instances
//! ```

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::until;

const FIRST: u16 = 10_000;
const BLOCKS: u16 = 25;
const LENGTH: u16 = 400;

/// A block of 399 ports on 127.0.0.1, ours until dropped.
#[derive(Debug)]
pub struct Block {
    marker: TcpListener,
}

impl Block {
    /// The first free block; waits while all are in use.
    pub fn reserve() -> Block {
        until("a block of ports is free", Duration::from_secs(120), || {
            // Where to begin differs per process, so that test binaries do not probe each other's blocks.
            let begin = u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("it is below BLOCKS");
            (0..BLOCKS).find_map(|number| Block::take((begin + number) % BLOCKS))
        })
    }

    fn take(number: u16) -> Option<Block> {
        let first = FIRST + number * LENGTH;
        let marker = listen(first)?;
        // Foreign servers may sit in the middle. They are looked for by connecting: a listener of ours would be
        // inherited for a moment by whatever another thread starts just then, and be in the agent's way.
        (first + 1..first + LENGTH).all(nobody_listens).then_some(Block { marker })
    }

    /// The port at this position, from 0.
    pub fn port(&self, position: u16) -> u16 {
        assert!(position < LENGTH - 1, "a block has {} ports", LENGTH - 1);
        self.first() + position
    }

    /// `127.0.0.1:PORT` for the port at this position.
    pub fn address(&self, position: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(position)).into()
    }

    /// All ports from this position on.
    pub fn from(&self, position: u16) -> RangeInclusive<u16> {
        self.port(position)..=self.port(LENGTH - 2)
    }

    fn first(&self) -> u16 {
        self.marker.local_addr().expect("a listener has an address").port() + 1
    }
}

/// A listener on a port that the system chose: a port that is taken until it is dropped.
pub fn taken() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has a free port")
}

fn nobody_listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_blocks_share_no_port() {
        let (one, two) = (Block::reserve(), Block::reserve());
        assert!(one.from(0).all(|port| !two.from(0).contains(&port)));
    }

    #[test]
    fn the_ports_of_a_block_are_free() {
        let block = Block::reserve();
        assert_eq!(block.from(0).count(), 399);
        let _all: Vec<TcpListener> = block.from(0).map(|port| listen(port).unwrap()).collect();
    }

    #[test]
    fn a_taken_port_cannot_be_bound() {
        let taken = taken();
        assert!(listen(taken.local_addr().unwrap().port()).is_none());
    }
}
