//! Commands on keys of any type, and their deadlines.

use super::harness::check;

#[test]
fn keys_are_deleted_counted_and_typed() {
    check(
        "
        MSET a 1 b 2 c 3
        RPUSH l x -> :1
        EXISTS a b nope a -> :3
        TOUCH a nope -> :1
        TYPE a -> +string
        TYPE l -> +list
        TYPE nope -> +none
        DEL a nope b -> :2
        UNLINK c -> :1
        DBSIZE -> :1
        DELEX l -> :1
        DELEX l -> :0
        RANDOMKEY -> $-1
        SET only 1
        RANDOMKEY -> $4 only
        ",
    );
}

#[test]
fn a_lock_is_released_by_its_owner_only() {
    check(
        "
        SET lock me
        DELEX lock IFEQ you -> :0
        DELEX lock IFNE me -> :0
        DELEX lock IFNE you -> :1
        DELEX lock IFEQ me -> :0
        SET lock me
        DELIFEQ lock you -> :0
        DELIFEQ lock me -> :1
        RPUSH l x -> :1
        DELEX l IFEQ x -> -WRONGTYPE Operation against a key holding the wrong kind of value
        DELEX l WHAT x -> -ERR syntax error
        ",
    );
}

#[test]
fn a_renamed_key_takes_its_value_and_its_deadline_along() {
    check(
        "
        SET a 1 EX 100
        SET b 2
        RENAME a b
        GET b -> $1 1
        TTL b -> :100
        EXISTS a -> :0
        RENAME a b -> -ERR no such key
        RENAME b b
        SET a 3
        RENAMENX b a -> :0
        RENAMENX b c -> :1
        RENAMENX nope c -> -ERR no such key
        ",
    );
}

#[test]
fn a_copy_stands_for_itself() {
    check(
        "
        RPUSH a x y -> :2
        COPY a b -> :1
        RPUSH b z -> :3
        LLEN a -> :2
        COPY a b -> :0
        COPY a b REPLACE -> :1
        LLEN b -> :2
        COPY a a -> -ERR source and destination objects are the same
        COPY a a DB 3 -> :1
        COPY nope x -> :0
        COPY a x DB 16 -> -ERR DB index is out of range
        MOVE a 5 -> :1
        MOVE a 5 -> :0
        SELECT 5
        LRANGE a 0 -1 -> *2 $1 x $1 y
        ",
    );
}

#[test]
fn databases_are_apart_and_emptied_apart() {
    check(
        "
        SET a 0
        SELECT 1
        GET a -> $-1
        SET a 1
        FLUSHDB
        DBSIZE -> :0
        SELECT 0
        DBSIZE -> :1
        FLUSHALL ASYNC
        DBSIZE -> :0
        FLUSHDB NOW -> -ERR syntax error
        SELECT 16 -> -ERR DB index is out of range
        SELECT x -> -ERR value is not an integer or out of range
        ",
    );
}

#[test]
fn deadlines_are_set_shown_and_taken_away() {
    check(
        "
        SET a 1
        TTL a -> :-1
        TTL nope -> :-2
        EXPIRE a 100 -> :1
        TTL a -> :100
        PTTL a -> :100000
        EXPIRETIME a -> :1700000100
        PEXPIRETIME a -> :1700000100000
        PERSIST a -> :1
        PERSIST a -> :0
        PEXPIRE a 1499 -> :1
        TTL a -> :1
        PEXPIREAT a 1700000005000 -> :1
        PTTL a -> :5000
        EXPIREAT a 1700000007 -> :1
        TTL a -> :7
        EXPIRE nope 10 -> :0
        EXPIRE a -1 -> :1
        EXISTS a -> :0
        SET a 1
        EXPIREAT a 1 -> :1
        EXISTS a -> :0
        ",
    );
}

#[test]
fn a_deadline_is_set_under_conditions() {
    check(
        "
        SET a 1
        EXPIRE a 100 XX -> :0
        EXPIRE a 100 GT -> :0
        EXPIRE a 100 LT -> :1
        EXPIRE a 200 NX -> :0
        EXPIRE a 50 GT -> :0
        EXPIRE a 200 GT -> :1
        EXPIRE a 300 LT -> :0
        EXPIRE a 150 XX LT -> :1
        TTL a -> :150
        EXPIRE a 10 NX XX -> -ERR NX and XX, GT or LT options at the same time are not compatible
        EXPIRE a 10 GT LT -> -ERR GT and LT options at the same time are not compatible
        EXPIRE a 10 WHAT -> -ERR Unsupported option WHAT
        EXPIRE a 9223372036854775807 -> -ERR invalid expire time in 'expire' command
        PEXPIRE a 9223372036854775807 -> -ERR invalid expire time in 'pexpire' command
        EXPIRE a x -> -ERR value is not an integer or out of range
        ",
    );
}
