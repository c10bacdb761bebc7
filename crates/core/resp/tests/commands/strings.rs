//! Commands on strings.

use super::harness::{World, check};

#[test]
fn set_takes_all_its_options() {
    check(
        "
        SET a 1 XX -> $-1
        SET a 1 NX
        SET a 2 NX -> $-1
        SET a 2 XX
        SET a 3 GET -> $1 2
        SET b 1 GET -> $-1
        SET b 2 NX GET -> $1 1
        GET b -> $1 1
        SET a 4 EX 10
        PTTL a -> :10000
        SET a 5 KEEPTTL
        PTTL a -> :10000
        SET a 6
        PTTL a -> :-1
        SET a 7 PX 1500
        PTTL a -> :1500
        SET a 8 EXAT 1700000100
        TTL a -> :100
        SET a 9 PXAT 1700000000500
        PTTL a -> :500
        >500 GET a -> $-1
        SET a 10 PXAT 1
        GET a -> $-1
        set A lower
        gEt A -> $5 lower
        ",
    );
}

#[test]
fn set_compares_before_it_sets() {
    check(
        "
        SET lock me PX 1000
        SET lock me IFEQ me PX 30000
        PTTL lock -> :30000
        SET lock you IFEQ nobody -> $-1
        SET lock you IFEQ nobody GET -> $2 me
        SET missing x IFEQ x -> $-1
        SET missing x IFNE y
        SET missing y IFNE x -> $-1
        SET missing y IFNE z
        GET missing -> $1 y
        RPUSH l a -> :1
        SET l x IFEQ a -> -WRONGTYPE Operation against a key holding the wrong kind of value
        ",
    );
}

#[test]
fn wrong_options_of_set_are_refused_in_redis_words() {
    let invalid = "-ERR invalid expire time in 'set' command";
    check(&format!(
        "
        SET a 1 NX XX -> -ERR syntax error
        SET a 1 NX IFEQ 1 -> -ERR syntax error
        SET a 1 EX 1 PX 1 -> -ERR syntax error
        SET a 1 EX 1 KEEPTTL -> -ERR syntax error
        SET a 1 EX -> -ERR syntax error
        SET a 1 WHAT -> -ERR syntax error
        SET a 1 EX x -> -ERR value is not an integer or out of range
        SET a 1 EX 0 -> {invalid}
        SET a 1 PX -5 -> {invalid}
        SET a 1 EX 9223372036854775807 -> {invalid}
        SETEX a 0 1 -> -ERR invalid expire time in 'setex' command
        PSETEX a -1 1 -> -ERR invalid expire time in 'psetex' command
        GETEX a EX 0 -> $-1
        EXISTS a -> :0
        SET a 1
        GETEX a EX 0 -> -ERR invalid expire time in 'getex' command
        "
    ));
}

#[test]
fn the_older_forms_of_set_and_get_are_there() {
    check(
        "
        SETNX a 1 -> :1
        SETNX a 2 -> :0
        GETSET a 3 -> $1 1
        GETDEL a -> $1 3
        GETDEL a -> $-1
        SETEX a 10 x
        TTL a -> :10
        PSETEX a 2500 x
        PTTL a -> :2500
        GETEX a -> $1 x
        PTTL a -> :2500
        GETEX a PERSIST -> $1 x
        TTL a -> :-1
        GETEX a PX 100 -> $1 x
        PTTL a -> :100
        GETEX a PXAT 1 -> $1 x
        EXISTS a -> :0
        GETEX a EX 10 -> $-1
        ",
    );
}

#[test]
fn several_keys_are_read_and_set_at_once() {
    check(
        "
        MSET a 1 b 2 a 3
        MGET a b c -> *3 $1 3 $1 2 $-1
        RPUSH l x -> :1
        MGET l a -> *2 $-1 $1 3
        MSETNX c 1 a 9 -> :0
        EXISTS c -> :0
        MSETNX c 1 d 9 -> :1
        MSET a -> -ERR wrong number of arguments for 'mset' command
        MSET a 1 b -> -ERR wrong number of arguments for 'mset' command
        ",
    );
}

#[test]
fn counters_count_and_refuse_what_is_no_number() {
    check(
        "
        INCR n -> :1
        INCRBY n 41 -> :42
        DECR n -> :41
        DECRBY n 1 -> :40
        SET n 9223372036854775807
        INCR n -> -ERR increment or decrement would overflow
        SET n 01
        INCR n -> -ERR value is not an integer or out of range
        INCRBY n x -> -ERR value is not an integer or out of range
        DECRBY n -9223372036854775808 -> -ERR decrement would overflow
        SET f 10.50
        INCRBYFLOAT f 0.1 -> $4 10.6
        INCRBYFLOAT f -5 -> $3 5.6
        INCRBYFLOAT f x -> -ERR value is not a valid float
        SET f 5.0e3
        INCRBYFLOAT f 2.0e2 -> $4 5200
        INCRBYFLOAT f inf -> -ERR increment would produce NaN or Infinity
        SET t 1 EX 100
        INCR t -> :2
        TTL t -> :100
        ",
    );
}

#[test]
fn parts_of_strings_are_read_and_written() {
    check(
        r#"
        APPEND a Hello -> :5
        APPEND a " World" -> :11
        GET a -> $11 Hello World
        STRLEN a -> :11
        STRLEN b -> :0
        GETRANGE a 0 4 -> $5 Hello
        GETRANGE a -5 -1 -> $5 World
        GETRANGE a -100 2 -> $3 Hel
        GETRANGE a 3 1 -> $0
        GETRANGE a -1 -5 -> $0
        GETRANGE b 0 -1 -> $0
        SETRANGE a 6 Redis -> :11
        GET a -> $11 Hello Redis
        SETRANGE b 3 x -> :4
        GET b -> $4 \x00\x00\x00x
        SETRANGE c 3 "" -> :0
        EXISTS c -> :0
        SETRANGE c -1 x -> -ERR offset is out of range
        "#,
    );
}

#[test]
fn bits_end_where_a_value_does() {
    check(
        "
        SETBIT a 67108863 1 -> :0
        STRLEN a -> :8388608
        SETBIT a 67108864 1 -> -ERR value of 8388609 bytes is over the limit of 8388608 bytes
        BITFIELD a SET u8 4294967288 1 -> -ERR value of 536870912 bytes is over the limit of 8388608 bytes
        BITFIELD a GET u8 4294967295 GET u8 67108856 -> *2 :0 :1
        SETBIT a 4294967296 1 -> -ERR bit offset is not an integer or out of range
        GETBIT a 9223372036854775807 -> -ERR bit offset is not an integer or out of range
        BITCOUNT a -9223372036854775808 9223372036854775807 -> :1
        BITPOS a 1 -9223372036854775808 9223372036854775807 BIT -> :67108863
        BITPOS a 1 9223372036854775807 -> :-1
        ",
    );
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "SETBIT a 67108863 1");
    let line = format!("BITOP OR b {}", "a ".repeat(33));
    let refused = "-ERR BITOP combines 268435456 bytes at most: name fewer keys";
    assert_eq!(world.run(&mut peer, &line), refused);
    assert_eq!(world.run(&mut peer, "BITOP OR b a a"), ":8388608");
}

#[test]
fn lcs_is_refused_what_would_hold_others_up() {
    check(
        r#"
        SETRANGE a 1022 x -> :1023
        SETRANGE b 4094 x -> :4095
        LCS b b LEN -> :4095
        MULTI -> +OK
        LCS a a LEN -> +QUEUED
        LCS b b LEN -> +QUEUED
        EXEC -> *2 :1023 -ERR LCS compares 1048576 pairs of bytes at most, not 16777216: ask for shorter strings
        EVAL "return redis.call('lcs','a','a','len')" 0 -> :1023
        APPEND a x -> :1024
        EVAL "return redis.pcall('lcs','a','a','len').err" 0 -> $85 ERR LCS compares 1048576 pairs of bytes at most, not 1050625: ask for shorter strings
        APPEND b x -> :4096
        LCS b b LEN -> -ERR LCS compares 16777216 pairs of bytes at most, not 16785409: ask for shorter strings
        "#,
    );
}
