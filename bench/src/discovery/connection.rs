//! One client with a connection that is kept, and one that asks by datagrams.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use super::answer::{Answer, get, request};

/// No answer takes longer but those that are waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Connection(TcpStream);

impl Connection {
    pub(super) fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Connection(stream))
    }

    pub(super) fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.exchange(&get(path))
    }

    pub(super) fn put(&mut self, path: &str, body: &str) -> anyhow::Result<Answer> {
        self.exchange(&request("PUT", path, body))
    }

    pub(super) fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.0.write_all(request)?;
        Answer::read(&mut self.0)
    }
}

/// Asks for the SRV records of a service.
pub(super) struct Resolver {
    socket: UdpSocket,
    question: Vec<u8>,
}

impl Resolver {
    pub(super) fn open(dns: SocketAddr, service: &str) -> anyhow::Result<Resolver> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(dns)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        // One question, and an OPT record that takes 1232 bytes.
        let mut question = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
        for label in [service, "service", "adsum", ""] {
            question.push(label.len() as u8);
            question.extend(label.bytes());
        }
        question.extend([0, 33, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        Ok(Resolver { socket, question })
    }

    /// How many records there are.
    pub(super) fn count(&self) -> anyhow::Result<usize> {
        self.socket.send(&self.question)?;
        let mut answer = [0; 1232];
        let length = self.socket.recv(&mut answer)?;
        anyhow::ensure!(length > 12, "an answer of {length} bytes");
        Ok(usize::from(u16::from_be_bytes([answer[6], answer[7]])))
    }
}
