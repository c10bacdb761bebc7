//! A face begins, refuses a taken port, and ends.

use std::error::Error as _;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

use adsum_listen::resp::{Error, Limits, bind, spawn};

use crate::kit::{Client, Face};

#[test]
fn a_port_that_is_taken_is_refused() {
    let face = Face::new();
    let taken = |addr| match spawn(addr, 2, face.engine.clone(), Limits::default()) {
        Err(Error::Bind { source, .. }) => source.kind(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{addr} was shared"),
    };
    assert_eq!(taken(face.bound.addr), ErrorKind::AddrInUse, "by listeners that share it");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(taken(other.local_addr().unwrap()), ErrorKind::AddrInUse);
    let error =
        spawn("192.0.2.1:6379".parse().unwrap(), 1, face.engine.clone(), Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "cannot listen on 192.0.2.1:6379");
    assert!(error.source().is_some());
}

#[test]
fn any_free_port_is_the_same_for_all_listeners() {
    let listeners = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
    let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]));
}

#[test]
fn every_listener_that_is_given_is_served_by_however_many_threads() {
    for threads in 1..=4 {
        // Each on a port of its own, so that it is known who comes to which.
        let any = || bind("127.0.0.1:0".parse().unwrap(), 1).unwrap().remove(0);
        let listeners: Vec<TcpListener> = (0..3).map(|_| any()).collect();
        let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let face = Face::serving(listeners, threads);
        let mut clients: Vec<Client> =
            addresses.iter().cycle().take(9).map(|addr| Client::to(*addr)).collect();
        clients.iter_mut().for_each(|client| client.ask("PING", "+PONG\r\n"));
        face.bound.stop();
        clients.iter_mut().for_each(Client::expect_end);
        for addr in addresses {
            assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        }
    }
}

#[test]
fn a_face_that_stops_answers_what_it_has_run_and_frees_its_port() {
    let face = Face::new();
    let (mut idle, mut busy) = (face.connect(), face.connect());
    idle.ask("PING", "+PONG\r\n");
    busy.send("SET a 1\r\n");
    face.engine.await_level(|server| server.keyspace().revision().0 == 1);
    let addr = face.bound.addr;
    face.bound.stop();
    busy.expect("+OK\r\n");
    busy.expect_end();
    idle.expect_end();
    assert_eq!(TcpStream::connect(addr).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    drop((idle, busy));
    TcpListener::bind(addr).unwrap();
}

#[test]
fn a_face_that_stops_runs_no_more_of_the_scripts_that_are_there() {
    let face = Face::new();
    let mut client = face.connect();
    // Longer than the thread of a connection can be spared.
    let script = "local t=os.clock() repeat until os.clock()-t>0.1 return redis.call('INCR','n')";
    client.send(format!("EVAL \"{script}\" 0\r\n").repeat(60));
    client.expect(":1\r\n");
    let Face { engine, bound } = face;
    let run = engine.alone(|server| {
        drop(bound);
        server.keyspace().revision().0
    });
    client.rest();
    assert!(engine.revision() <= run + 3, "{} and then {}", run, engine.revision());
}

#[test]
fn a_face_that_stops_does_not_wait_for_who_takes_nothing() {
    let face = Face::new();
    let mut client = face.connect();
    client.send("SET a 1\r\n");
    client.expect("+OK\r\n");
    face.engine.hold();
    client.send("SET a 2\r\n");
    face.engine.await_level(|server| server.keyspace().revision().0 == 2);
    face.bound.stop();
    client.expect_end();
}

#[test]
fn quit_is_answered_and_closes() {
    let face = Face::new();
    let mut client = face.connect();
    client.send("SET a 1\r\nQUIT\r\nSET a 2\r\n");
    client.expect("+OK\r\n+OK\r\n");
    client.expect_end();
    face.connect().ask("GET a", "$1\r\n1\r\n");
}
