//! The commands of the founding talk, each with the answer that its slides show.

use super::harness::{World, check};

#[test]
fn configuration_lives_at_paths() {
    check(
        r#"
        SET /path/to/disk/mydb.conf "host=db password=secret"
        SET /path/to/disk/other.conf x
        SET /elsewhere y
        KEYS /path/* -> *2 $23 /path/to/disk/mydb.conf $24 /path/to/disk/other.conf
        GET /path/to/disk/mydb.conf -> $23 host=db password=secret
        "#,
    );
}

#[test]
fn a_dead_mans_switch_goes_off_unless_it_is_renewed() {
    check(
        "
        SETEX /service/web/1 30 10.0.0.1:8080
        >20000 EXPIRE /service/web/1 30 -> :1
        >20000 TTL /service/web/1 -> :10
        GET /service/web/1 -> $13 10.0.0.1:8080
        >10000 EXISTS /service/web/1 -> :1
        >1 EXISTS /service/web/1 -> :0
        GET /service/web/1 -> $-1
        EXPIRE /service/web/1 30 -> :0
        ",
    );
}

#[test]
fn a_lock_is_taken_once_and_freed_by_del_or_by_time() {
    check(
        "
        SET /etc/lock/u/.lock rnd NX PX 30000
        SET /etc/lock/u/.lock other NX PX 30000 -> $-1
        DEL /etc/lock/u/.lock -> :1
        SET /etc/lock/u/.lock other NX PX 30000
        EXPIRE /etc/lock/u/.lock 30 -> :1
        >30001 SET /etc/lock/u/.lock third NX PX 30000
        DELEX /etc/lock/u/.lock IFEQ other -> :0
        DELEX /etc/lock/u/.lock IFEQ third -> :1
        ",
    );
}

#[test]
fn a_subscriber_hears_of_set_del_and_expired() {
    let mut world = World::new();
    let (mut watcher, mut writer) = (world.connect(), world.connect());
    assert_eq!(world.run(&mut writer, "CONFIG SET notify-keyspace-events AKE"), "+OK");
    assert_eq!(
        world.run(&mut watcher, "SUBSCRIBE __keyspace@0__:/path/to/disk/mydb.conf"),
        "*3 $9 subscribe $38 __keyspace@0__:/path/to/disk/mydb.conf :1"
    );
    let message = |event: &str| {
        format!("*3 $7 message $38 __keyspace@0__:/path/to/disk/mydb.conf ${} {event}", event.len())
    };
    world.run(&mut writer, "SET /path/to/disk/mydb.conf x");
    assert_eq!(watcher.received(), message("set"));
    world.run(&mut writer, "DEL /path/to/disk/mydb.conf");
    assert_eq!(watcher.received(), message("del"));
    world.run(&mut writer, "SET /path/to/disk/mydb.conf x PX 1000");
    assert_eq!(watcher.received(), [message("set"), message("expire")].join(" "));
    world.pass(1000);
    assert_eq!(watcher.received(), "");
    world.pass(1);
    assert_eq!(watcher.received(), message("expired"));
}

#[test]
fn a_queue_moves_what_it_hands_out_to_a_list_of_work_in_progress() {
    check(
        "
        LPUSH queue a b -> :2
        LMOVE queue working RIGHT LEFT -> $1 a
        LRANGE working 0 -1 -> *1 $1 a
        LREM working 1 a -> :1
        LLEN working -> :0
        BLMOVE queue working RIGHT LEFT 1 -> $1 b
        LMOVE queue working RIGHT LEFT -> $-1
        ",
    );
}
