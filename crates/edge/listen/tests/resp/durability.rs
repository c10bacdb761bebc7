//! No byte leaves before the revision it depends on.

use adsum_listen::resp::Engine as _;
use adsum_model::Revision;

use crate::kit::Face;

#[test]
fn a_reply_waits_until_its_commit_is_durable() {
    let face = Face::new();
    let mut client = face.connect();
    client.ask("PING", "+PONG\r\n");
    face.engine.hold();
    client.send("SET a 1\r\n");
    face.engine.await_level(|server| server.keyspace().revision() == Revision(1));
    client.expect_silence();
    face.engine.release(Revision(1));
    client.expect("+OK\r\n");
}

#[test]
fn who_reads_an_undurable_write_of_another_waits_as_well() {
    let face = Face::new();
    let (mut writer, mut reader, mut watcher) = (face.connect(), face.connect(), face.connect());
    watcher
        .ask("SUBSCRIBE __keyevent@0__:set", "*3\r\n$9\r\nsubscribe\r\n$18\r\n__keyevent@0__:set\r\n:1\r\n");
    face.engine.hold();
    writer.send("SET a 1\r\n");
    face.engine.await_level(|server| server.keyspace().revision() == Revision(1));
    reader.send("GET a\r\n");
    reader.expect_silence();
    watcher.expect_silence();
    face.engine.release(Revision(1));
    reader.expect("$1\r\n1\r\n");
    writer.expect("+OK\r\n");
    watcher.expect("*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$1\r\na\r\n");
}

#[test]
fn replies_leave_in_order_and_as_early_as_they_may() {
    let face = Face::new();
    let mut client = face.connect();
    client.ask("PING", "+PONG\r\n");
    face.engine.hold();
    client.send("GET a\r\nSET a 1\r\nGET a\r\nSET a 2\r\nPING\r\n");
    client.expect("$-1\r\n");
    face.engine.await_level(|server| server.keyspace().revision() == Revision(2));
    client.expect_silence();
    face.engine.release(Revision(1));
    client.expect("+OK\r\n$1\r\n1\r\n");
    client.expect_silence();
    face.engine.release(Revision(2));
    client.expect("+OK\r\n+PONG\r\n");
}

#[test]
fn a_client_that_hangs_up_half_way_still_gets_what_was_not_durable_yet() {
    let face = Face::new();
    let mut client = face.connect();
    face.engine.hold();
    client.send("SET a 1\r\nGET a\r\n");
    client.finish();
    face.engine.await_level(|server| server.keyspace().revision() == Revision(1));
    client.expect_silence();
    face.engine.release(Revision(1));
    client.expect("+OK\r\n$1\r\n1\r\n");
    client.expect_end();
}

#[test]
fn a_failed_engine_closes_all_and_answers_nothing_that_was_not_durable() {
    let face = Face::new();
    let (mut idle, mut waiting) = (face.connect(), face.connect());
    idle.ask("PING", "+PONG\r\n");
    face.engine.hold();
    waiting.send("SET a 1\r\n");
    face.engine.await_level(|server| server.keyspace().revision() == Revision(1));
    face.engine.fail();
    idle.expect_end();
    waiting.expect_end();
    assert_eq!(face.engine.revision(), 1);
}

#[test]
fn what_is_committed_is_hastened_whether_or_not_a_reply_waits_for_it() {
    let face = Face::new();
    let mut client = face.connect();
    client.ask("PING", "+PONG\r\n");
    face.engine.hold();
    let before = face.engine.hastened();
    client.send("GET a\r\n");
    client.expect("$-1\r\n");
    assert_eq!(face.engine.hastened(), before, "a read that waits for nothing has nobody hurry");
    client.send("SET a 1\r\n");
    face.engine.await_level(|_| face.engine.hastened() == before + 1);
    face.engine.release(Revision(1));
    client.expect("+OK\r\n");
    for (revision, request) in [(2, "SET a 2\r\n"), (3, "SET a 3\r\n")] {
        let before = face.engine.hastened();
        client.send(request);
        face.engine.await_level(|server| server.keyspace().revision() == Revision(revision));
        face.engine.await_level(|_| face.engine.hastened() > before);
        face.engine.release(Revision(revision));
        client.expect("+OK\r\n");
    }
    let before = face.engine.hastened();
    client.send("CLIENT REPLY OFF\r\nSET a 4\r\n");
    face.engine
        .await_level(|server| server.keyspace().revision() == Revision(4) && face.engine.hastened() > before);
}

#[test]
fn what_is_committed_is_hastened_whatever_the_herald_waits_for() {
    let face = Face::new();
    let mut clients = [(); 6].map(|()| face.connect());
    // So that it has been told of rises, asked for some in vain, and waits for one that nobody is about to bring.
    face.engine.hold();
    for (revision, client) in (1..).zip(&mut clients) {
        let before = face.engine.hastened();
        client.send("SET a 1\r\n");
        face.engine.await_level(|server| server.keyspace().revision() == Revision(revision));
        face.engine.await_level(|_| face.engine.hastened() > before);
    }
    face.engine.release(Revision(6));
    clients.iter_mut().for_each(|client| client.expect("+OK\r\n"));
    face.engine.wait_for_haste();
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| (0..300).for_each(|_| client.ask("SET a 1", "+OK\r\n")));
        }
    });
}

#[test]
fn what_no_reply_waits_for_is_hastened_as_well() {
    let face = Face::new();
    face.engine.wait_for_haste();
    let mut client = face.connect();
    client.send("GET a\r\nCLIENT REPLY OFF\r\nSET a 1\r\n");
    client.expect("$-1\r\n");
    face.engine.await_level(|_| face.engine.durable() == Revision(1));
    client.send("SET a 2\r\nQUIT\r\n");
    face.engine.await_level(|_| face.engine.durable() == Revision(2));
}
