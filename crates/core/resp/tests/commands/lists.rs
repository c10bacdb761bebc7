//! Commands on lists.

use super::harness::{World, check};

#[test]
fn elements_are_pushed_and_popped_at_both_ends() {
    check(
        "
        RPUSH l a b -> :2
        LPUSH l c d -> :4
        LRANGE l 0 -1 -> *4 $1 d $1 c $1 a $1 b
        LPUSHX nope x -> :0
        RPUSHX l e -> :5
        LPOP l -> $1 d
        RPOP l -> $1 e
        RPOP l 2 -> *2 $1 b $1 a
        LPOP l 0 -> *0
        LPOP l 10 -> *1 $1 c
        EXISTS l -> :0
        LPOP l -> $-1
        LPOP l 1 -> *-1
        LPOP l -1 -> -ERR value is out of range, must be positive
        LPOP l 1 2 -> -ERR wrong number of arguments for 'lpop' command
        LLEN l -> :0
        ",
    );
}

#[test]
fn elements_are_found_by_index_and_range() {
    check(
        "
        RPUSH l a b c d -> :4
        LINDEX l 0 -> $1 a
        LINDEX l -1 -> $1 d
        LINDEX l 4 -> $-1
        LINDEX l -5 -> $-1
        LINDEX nope 0 -> $-1
        LRANGE l 1 2 -> *2 $1 b $1 c
        LRANGE l -2 100 -> *2 $1 c $1 d
        LRANGE l 3 1 -> *0
        LRANGE l 9 10 -> *0
        LRANGE nope 0 -1 -> *0
        LRANGE l x 1 -> -ERR value is not an integer or out of range
        ",
    );
}

#[test]
fn elements_are_changed_in_the_middle() {
    check(
        "
        RPUSH l a b c -> :3
        LSET l 1 B
        LSET l -1 C
        LSET l 3 x -> -ERR index out of range
        LSET nope 0 x -> -ERR no such key
        LINSERT l BEFORE B x -> :4
        LINSERT l after C y -> :5
        LINSERT l AFTER nope y -> :-1
        LINSERT nope AFTER a y -> :0
        LINSERT l NEAR a y -> -ERR syntax error
        LRANGE l 0 -1 -> *5 $1 a $1 x $1 B $1 C $1 y
        LTRIM l 1 -2
        LRANGE l 0 -1 -> *3 $1 x $1 B $1 C
        LTRIM l 5 10
        EXISTS l -> :0
        LTRIM l 0 1
        ",
    );
}

#[test]
fn equal_elements_are_removed_from_either_end() {
    check(
        "
        RPUSH l a b a c a a -> :6
        LREM l 1 a -> :1
        LRANGE l 0 -1 -> *5 $1 b $1 a $1 c $1 a $1 a
        LREM l -2 a -> :2
        LRANGE l 0 -1 -> *3 $1 b $1 a $1 c
        LREM l 0 x -> :0
        RPUSH l b b -> :5
        LREM l 0 b -> :3
        LREM l 0 a -> :1
        LREM l 5 c -> :1
        EXISTS l -> :0
        LREM l 0 a -> :0
        ",
    );
}

#[test]
fn positions_of_elements_are_found() {
    check(
        "
        RPUSH l a b c d 1 2 3 4 3 3 3 -> :11
        LPOS l a -> :0
        LPOS l 3 -> :6
        LPOS l 3 RANK 2 -> :8
        LPOS l 3 RANK -1 -> :10
        LPOS l 3 COUNT 2 -> *2 :6 :8
        LPOS l 3 COUNT 0 -> *4 :6 :8 :9 :10
        LPOS l 3 RANK -1 COUNT 2 -> *2 :10 :9
        LPOS l 3 MAXLEN 3 -> $-1
        LPOS l d RANK -1 MAXLEN 7 -> $-1
        LPOS l d RANK -1 MAXLEN 8 -> :3
        LPOS l nope -> $-1
        LPOS l nope COUNT 1 -> *0
        LPOS l a COUNT -1 -> -ERR COUNT can't be negative
        LPOS l a MAXLEN -1 -> -ERR MAXLEN can't be negative
        ",
    );
}

#[test]
fn elements_are_moved_between_lists_and_within_one() {
    check(
        "
        RPUSH a 1 2 3 -> :3
        LMOVE a b LEFT RIGHT -> $1 1
        LMOVE a b RIGHT LEFT -> $1 3
        LRANGE b 0 -1 -> *2 $1 3 $1 1
        LMOVE b b LEFT RIGHT -> $1 3
        LRANGE b 0 -1 -> *2 $1 1 $1 3
        LMOVE b b RIGHT RIGHT -> $1 3
        LRANGE b 0 -1 -> *2 $1 1 $1 3
        RPOPLPUSH a b -> $1 2
        EXISTS a -> :0
        LMOVE a b LEFT LEFT -> $-1
        LMOVE a b LEFT UP -> -ERR syntax error
        SET s x
        LMOVE b s LEFT LEFT -> -WRONGTYPE Operation against a key holding the wrong kind of value
        LLEN b -> :3
        ",
    );
}

#[test]
fn elements_are_popped_from_the_first_list_that_has_some() {
    check(
        "
        RPUSH b 1 2 3 -> :3
        LMPOP 2 a b LEFT -> *2 $1 b *1 $1 1
        LMPOP 2 a b RIGHT COUNT 5 -> *2 $1 b *2 $1 3 $1 2
        LMPOP 2 a b LEFT -> *-1
        LMPOP 0 a LEFT -> -ERR numkeys should be greater than 0
        LMPOP 1 a LEFT COUNT 0 -> -ERR count should be greater than 0
        LMPOP 2 a LEFT -> -ERR syntax error
        LMPOP 1 a UP -> -ERR syntax error
        ",
    );
}

#[test]
fn a_list_too_big_for_one_commit_is_put_elsewhere_by_name() {
    let mut world = World::new();
    let mut peer = world.connect();
    let element = "x".repeat(4 * 1024 * 1024);
    for _ in 0..17 {
        world.run(&mut peer, &format!("RPUSH l {element}"));
    }
    for (command, reply) in [("RENAME l m", "+OK"), ("COPY m l", ":1"), ("MOVE m 1", ":1")] {
        assert_eq!(world.run(&mut peer, command), reply, "{command}");
    }
    assert_eq!(world.run(&mut peer, "LLEN l"), ":17");
    assert_eq!(world.run(&mut peer, "EXISTS m"), ":0");
}
