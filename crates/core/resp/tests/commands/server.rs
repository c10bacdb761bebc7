//! INFO, CONFIG, CLIENT, COMMAND and their like.

use adsum_keyspace::Keyspace;
use adsum_resp::{About, Server};

use super::harness::{Peer, World, check};

#[test]
fn settings_are_shown_and_those_with_an_effect_set() {
    check(
        "
        CONFIG GET notify-keyspace-events -> *2 $22 notify-keyspace-events $3 AKE
        CONFIG SET notify-keyspace-events KA
        CONFIG GET Notify-* -> *2 $22 notify-keyspace-events $2 AK
        CONFIG SET notify-keyspace-events gKEx
        CONFIG GET notify-keyspace-events -> *2 $22 notify-keyspace-events $4 gxKE
        CONFIG SET notify-keyspace-events Q -> -ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.
        CONFIG GET maxmemory* -> *6 $9 maxmemory $1 0 $17 maxmemory-clients $1 0 $16 maxmemory-policy $10 noeviction
        CONFIG GET MaxMemory maxmemory SLOWLOG-* -> *6 $9 MaxMemory $1 0 $23 slowlog-log-slower-than $2 -1 $15 slowlog-max-len $1 0
        CONFIG GET slave-read-only hash-max-listpack-entries -> *4 $25 hash-max-listpack-entries $3 512 $15 slave-read-only $3 yes
        CONFIG GET *max-z* -> *10 $24 hash-max-ziplist-entries $3 512 $22 hash-max-ziplist-value $2 64 $21 list-max-ziplist-size $2 -2 $24 zset-max-ziplist-entries $3 128 $22 zset-max-ziplist-value $2 64
        CONFIG GET Hash-max-ziplist-Value hash-max-listpack-value -> *4 $23 hash-max-listpack-value $2 64 $22 Hash-max-ziplist-Value $2 64
        CONFIG GET set-max-ziplist* -> *0
        CONFIG GET min-* -> *4 $21 min-replicas-to-write $1 0 $19 min-slaves-to-write $1 0
        CONFIG SET list-max-ziplist-size -2
        CONFIG GET appendonly databases -> *4 $10 appendonly $3 yes $9 databases $2 16
        CONFIG GET nope -> *0
        CONFIG SET nope 1 -> -ERR Unknown option or number of arguments for CONFIG SET - 'nope'
        CONFIG SET databases 3 -> -ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config
        CONFIG SET databases 16
        CONFIG SET notify-keyspace-events AKE nope 1 -> -ERR Unknown option or number of arguments for CONFIG SET - 'nope'
        CONFIG GET notify-keyspace-events -> *2 $22 notify-keyspace-events $4 gxKE
        CONFIG SET a -> -ERR wrong number of arguments for 'config|set' command
        CONFIG RESETSTAT
        ",
    );
}

#[test]
fn commands_are_described() {
    check(
        "
        COMMAND INFO get -> *1 *10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 *1 *6 $5 flags *2 +RO +access $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 $9 find_keys *4 $4 type $5 range $4 spec *6 $7 lastkey :0 $7 keystep :1 $5 limit :0 *0
        COMMAND INFO config|get CONFIG|nope get|x -> *3 *10 $10 config|get :-3 *4 +admin +noscript +loading +stale :0 :0 :0 *3 +@admin +@slow +@dangerous *0 *0 *0 $-1 $-1
        COMMAND HELP -> *7 +COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are: +COUNT +INFO +DOCS +LIST +GETKEYS +GETKEYSANDFLAGS
        COMMAND INFO nope -> *1 $-1
        COMMAND GETKEYS MSET a 1 b 2 -> *2 $1 a $1 b
        COMMAND GETKEYS LMPOP 2 a b LEFT -> *2 $1 a $1 b
        COMMAND GETKEYS BLPOP a b 0 -> *2 $1 a $1 b
        COMMAND GETKEYS SORT k BY nosort STORE d -> *2 $1 k $1 d
        COMMAND GETKEYS SORT k -> *1 $1 k
        COMMAND GETKEYS XREAD STREAMS a 0 -> *1 $1 a
        COMMAND GETKEYS XREADGROUP GROUP streams c COUNT 1 STREAMS a b > > -> *2 $1 a $1 b
        COMMAND GETKEYS PING -> -ERR The command has no key arguments
        COMMAND GETKEYS nope -> -ERR Invalid command specified
        COMMAND GETKEYS GET -> -ERR Invalid number of arguments specified for command
        COMMAND DOCS get renew -> *4 $3 get *6 $7 summary $14 Reads a string $5 since $5 1.0.0 $5 group $6 string $5 renew *4 $7 summary $14 Extends a lock $5 group $4 lock
        COMMAND LIST FILTERBY PATTERN lp* -> *4 $4 lpop $4 lpos $5 lpush $6 lpushx
        ",
    );
}

#[test]
fn what_there_is_none_of_is_said_so() {
    check(
        r#"
        TIME -> *2 $10 1700000000 $1 0
        >7 TIME -> *2 $10 1700000000 $4 7000
        ROLE -> *3 $6 master :0 *0
        WAIT 1 1000 -> :0
        LASTSAVE -> :0
        SET a 12
        SET b abc
        RPUSH l x -> :1
        OBJECT ENCODING a -> $3 int
        OBJECT ENCODING b -> $6 embstr
        OBJECT ENCODING l -> $8 listpack
        SADD s 1 2 -> :2
        OBJECT ENCODING s -> $6 intset
        SADD s x -> :1
        OBJECT ENCODING s -> $8 listpack
        OBJECT ENCODING nope -> $-1
        OBJECT REFCOUNT a -> :2147483647
        OBJECT REFCOUNT b -> :1
        OBJECT IDLETIME a -> :0
        MEMORY USAGE nope -> $-1
        "#,
    );
}

#[test]
fn info_has_the_fields_that_clients_parse() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.run(&mut peer, "SET a 1 EX 10");
    world.run(&mut peer, "SET b 1");
    for refused in ["NOSUCH", "LPUSH b 1", "EVAL \"return redis.call('nosuch')\" 0"] {
        world.run(&mut peer, refused);
    }
    world.pass(90_000);
    world.run(&mut peer, "INFO");
    world.send(&mut peer, b"INFO\r\n");
    let info = String::from_utf8(peer.take()).unwrap();
    for line in [
        "# Server",
        "redis_version:7.2.4",
        "adsum_version:0.0.0",
        "connected_clients:1",
        "maxmemory_policy:noeviction",
        "aof_enabled:1",
        "expired_keys:1",
        "sync_full:0",
        "aof_rewrite_scheduled:0",
        "total_error_replies:3",
        "# Errorstats",
        "errorstat_ERR:count=2",
        "errorstat_WRONGTYPE:count=1",
        "role:master",
        "master_failover_state:no-failover",
        "second_repl_offset:-1",
        "# Modules",
        "cluster_enabled:0",
        "db0:keys=1,expires=0,avg_ttl=0",
    ] {
        assert!(info.lines().any(|other| other == line), "{line} in {info}");
    }
    world.send(&mut peer, b"INFO keyspace\r\n");
    let keyspace = "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n";
    assert_eq!(String::from_utf8(peer.take()).unwrap(), format!("${}\r\n{keyspace}\r\n", keyspace.len()));
}

/// What INFO has counted: `ERR=1 WRONGTYPE=2`, of all of them.
fn errors(world: &mut World, peer: &mut Peer) -> String {
    peer.take();
    let info = world.run(peer, "INFO errorstats");
    let codes = info.split(' ').filter_map(|line| line.strip_prefix("errorstat_"));
    codes.map(|code| code.replace(":count", "")).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_error_that_a_client_gets_is_counted_once() {
    let mut world = World::new();
    let mut peer = world.connect();
    let mut other = world.connect();
    world.run(&mut peer, "SET s 1");
    for (line, counted) in [
        ("EVAL \"return redis.error_reply('MY err')\" 0", "MY=1"),
        ("EVAL \"return {err='NOSPACE'}\" 0", "ERR=1"),
        ("EVAL \"return {{err='IN ner'}, {err='IN ner'}, 2}\" 0", "IN=2"),
        ("EVAL \"redis.pcall('lpush', 's', 1) return 1\" 0", "WRONGTYPE=1"),
        ("EVAL \"return redis.pcall('lpush', 's', 1)\" 0", "WRONGTYPE=1"),
        ("EVAL \"return redis.call('lpush', 's', 1)\" 0", "WRONGTYPE=1"),
        ("EVAL \"local e = redis.pcall('nosuch') error(e)\" 0", "ERR=1"),
        ("EVAL \"redis.pcall('nosuch') error('boom')\" 0", "ERR=2"),
        ("EVAL \"error({err='A:B x'})\" 0", "A_B=1"),
        ("EVAL \"return redis.pcall()\" 0", "ERR=1"),
        ("MULTI; LPUSH s 1; NOSUCH; EXEC", "ERR=1 EXECABORT=1"),
        ("MULTI; LPUSH s 1; GET s; EXEC", "WRONGTYPE=1"),
    ] {
        world.run(&mut peer, "CONFIG RESETSTAT");
        line.split("; ").for_each(|line| drop(world.run(&mut peer, line)));
        assert_eq!(errors(&mut world, &mut peer), counted, "{line}");
    }
    for (begin, end, counted) in [
        ("BLPOP q 0", "CLIENT UNBLOCK 2 ERROR", "UNBLOCKED=1"),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS x >", "DEL x", "UNBLOCKED=1"),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS x >", "XGROUP DESTROY x g", "NOGROUP=1"),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS x >", "SET x 1", "UNBLOCKED=1"),
    ] {
        world.run(&mut peer, "DEL x");
        world.run(&mut peer, "XGROUP CREATE x g $ MKSTREAM");
        world.run(&mut peer, "CONFIG RESETSTAT");
        world.send(&mut other, format!("{begin}\r\n").as_bytes());
        world.run(&mut peer, end);
        assert_eq!(errors(&mut world, &mut peer), counted, "{end}");
    }
}

#[test]
fn without_room_what_grows_is_refused_and_what_takes_away_goes_on() {
    let mut world = World::new();
    let mut peer = world.connect();
    for line in ["SET a 1", "RPUSH l x y", "LOCK k me PX 60000"] {
        world.run(&mut peer, line);
    }
    let fence = world.run(&mut peer, "FENCE k").trim_start_matches(':').to_string();
    world.run(&mut peer, "MULTI");
    world.run(&mut peer, "SET a 2");
    world.server.refuse_growth(Some("disk full: free some".into()));
    assert!(world.run(&mut peer, "EXEC").contains("ERR disk full: free some"));
    for line in ["SET a 2", "INCR n", "RPUSH l z", "LOCK other me PX 1", "RENAME a b", "ONEXPIRE a EVENT x"] {
        assert_eq!(world.run(&mut peer, line), "-ERR disk full: free some", "{line}");
    }
    let renew = format!("RENEW k {fence} PX 60000");
    let unlock = format!("UNLOCK k {fence}");
    for line in ["GET a", "LPOP l", "PEXPIRE l 10", &renew, &unlock, "DEL a", "PING", "FLUSHALL"] {
        assert!(!world.run(&mut peer, line).contains("disk full"), "{line}");
    }
    world.run(&mut peer, "MULTI");
    assert!(world.run(&mut peer, "SET a 2").contains("disk full"));
    assert!(world.run(&mut peer, "EXEC").contains("EXECABORT"));
    world.server.refuse_growth(None);
    assert_eq!(world.run(&mut peer, "SET a 2"), "+OK");
}

#[test]
fn a_cluster_is_refused_as_by_a_redis_that_is_none() {
    check(
        "
        CLUSTER INFO -> -ERR This instance has cluster support disabled
        CLUSTER KEYSLOT a -> -ERR This instance has cluster support disabled
        CLUSTER KEYSLOT -> -ERR wrong number of arguments for 'cluster|keyslot' command
        CLUSTER FOO -> -ERR unknown subcommand 'FOO'. Try CLUSTER HELP.
        READONLY -> -ERR This instance has cluster support disabled
        READWRITE -> -ERR This instance has cluster support disabled
        ASKING -> -ERR This instance has cluster support disabled
        ",
    );
}

#[test]
fn who_is_set_up_for_a_cluster_is_told_of_this_one_node() {
    let about = About { cluster: true, run_id: "abc".into(), ..About::default() };
    let mut world = World { server: Server::new(Keyspace::default(), about), ..World::new() };
    let mut peer = world.connect();
    let node =
        "$2 id $3 abc $2 ip $9 127.0.0.1 $8 endpoint $9 127.0.0.1 $4 role $6 master $6 health $6 online";
    for (line, reply) in [
        ("CLUSTER SLOTS", "*1 *3 :0 :16383 *4 $9 127.0.0.1 :6379 $3 abc *0"),
        ("CLUSTER NODES", "$64 abc 127.0.0.1:6379@6379 myself,master - 0 0 1 connected 0-16383\\n"),
        ("CLUSTER MYID", "$3 abc"),
        ("CLUSTER KEYSLOT user{foo}", ":12182"),
        ("CLUSTER REPLICAS abc", "*0"),
        ("CLUSTER SLAVES x", "-ERR Unknown node x"),
        ("CLUSTER LINKS", "*0"),
        (
            "CLUSTER FORGET abc",
            "-ERR the cluster is this one node, with all slots: nothing of it can be changed",
        ),
        ("READONLY", "+OK"),
        ("READWRITE", "+OK"),
        ("ASKING", "+OK"),
        ("INFO cluster", "$30 # Cluster cluster_enabled:1"),
    ] {
        assert_eq!(world.run(&mut peer, line), reply, "{line}");
    }
    let shards =
        format!("*1 *4 $5 slots *2 :0 :16383 $5 nodes *1 *14 {node} $4 port :6379 $18 replication-offset :0");
    assert_eq!(world.run(&mut peer, "CLUSTER SHARDS"), shards);
    assert!(world.run(&mut peer, "CLUSTER INFO").contains("cluster_state:ok"));
    assert!(world.run(&mut peer, "HELLO 2").contains("$4 mode $7 cluster"));
    assert!(world.run(&mut peer, "INFO server").contains("redis_mode:cluster"));
}

#[test]
fn who_asks_a_sentinel_is_sent_where_it_is() {
    check(
        "
        SENTINEL get-master-addr-by-name any -> *2 $9 127.0.0.1 $4 6379
        SENTINEL REPLICAS any -> *0
        SENTINEL SENTINELS any -> *0
        SENTINEL CKQUORUM any -> +OK 1 usable Sentinels. Quorum and failover authorization can be reached
        SENTINEL FAILOVER any -> -ERR unknown subcommand 'FAILOVER'. Try SENTINEL HELP.
        ",
    );
    let mut world = World::new();
    let mut peer = world.connect();
    let masters = world.run(&mut peer, "SENTINEL MASTERS");
    assert!(
        masters.starts_with("*1 *40 $4 name $8 mymaster $2 ip $9 127.0.0.1 $4 port $4 6379"),
        "{masters}"
    );
    assert!(masters.contains("$5 flags $6 master"), "{masters}");
    let master = world.run(&mut peer, "SENTINEL MASTER other");
    assert!(master.starts_with("*40 $4 name $5 other"), "{master}");
}

#[test]
fn there_is_one_user() {
    check(
        "
        ACL WHOAMI -> $7 default
        ACL USERS -> *1 $7 default
        ACL LIST -> *1 $34 user default on nopass ~* &* +@all
        ACL GETUSER default -> *12 $5 flags *2 $2 on $6 nopass $9 passwords *0 $8 commands $5 +@all $4 keys $2 ~* $8 channels $2 &* $9 selectors *0
        ACL GETUSER nope -> $-1
        ACL CAT nope -> -ERR Unknown category 'nope'
        ACL CAT transaction -> *5 $7 discard $4 exec $5 multi $7 unwatch $5 watch
        ACL CAT a b -> -ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP.
        ACL DELUSER me you -> :0
        ACL DELUSER default -> -ERR The 'default' user cannot be removed
        ACL DRYRUN default GET a
        ACL DRYRUN default GET -> -ERR wrong number of arguments for 'get' command
        ACL DRYRUN default nope -> -ERR Command 'nope' not found
        ACL DRYRUN me GET a -> -ERR User 'me' not found
        ACL GENPASS 12 -> $3 070
        ACL GENPASS 0 -> -ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096
        ACL GENPASS x -> -ERR value is not an integer or out of range
        ACL LOG -> *0
        ACL LOG RESET
        ACL LOG x -> -ERR value is not an integer or out of range
        ACL SETUSER me on -> -ERR there is one user, 'default', who may do everything, and no other can be made
        ",
    );
}

#[test]
fn what_is_not_measured_is_empty() {
    check(
        "
        SLOWLOG GET -> *0
        SLOWLOG GET -1 -> *0
        SLOWLOG GET 9223372036854775807 -> *0
        SLOWLOG GET -2 -> -ERR count should be greater than or equal to -1
        SLOWLOG LEN -> :0
        SLOWLOG RESET
        LATENCY LATEST -> *0
        LATENCY HISTORY x -> *0
        LATENCY HISTOGRAM -> *0
        LATENCY RESET -> :0
        LATENCY GRAPH x -> -ERR No samples available for event 'x'
        MEMORY PURGE
        MEMORY MALLOC-STATS -> $45 Stats not supported for the current allocator
        SET a 12
        MEMORY STATS -> *14 $14 peak.allocated :0 $15 total.allocated :0 $19 replication.backlog :0 $14 clients.slaves :0 $10 keys.count :1 $18 keys.bytes-per-key :0 $13 dataset.bytes :0
        WAITAOF 1 0 100 -> *2 :1 :0
        WAITAOF 0 1 0 -> *2 :1 :0
        WAITAOF 2 0 0 -> -ERR value is out of range, value must between 0 and 1
        WAITAOF 1 -1 0 -> -ERR value is out of range, must be positive
        WAITAOF 1 0 -1 -> -ERR timeout is negative
        WAIT 1 x -> -ERR timeout is not an integer or out of range
        DEBUG OBJECT a -> +Value at:0x0 refcount:1 encoding:int serializedlength:2 lru:0 lru_seconds_idle:0
        DEBUG OBJECT nope -> -ERR no such key
        DEBUG JMAP
        DEBUG SET-ACTIVE-EXPIRE 1
        DEBUG SET-ACTIVE-EXPIRE 0 -> -ERR keys expire on time here, which cannot be switched off
        DEBUG SLEEP 0
        DEBUG SLEEP x
        ",
    );
}

#[test]
fn with_everysec_nobody_says_that_a_write_is_on_disk() {
    let mut world = World::new();
    let mut peer = world.connect();
    world.server.set_durability("everysec");
    assert_eq!(world.run(&mut peer, "WAITAOF 1 0 100"), "*2 :0 :0");
}

#[test]
fn the_guide_names_every_command() {
    let guide = include_str!("../../../../../docs/guide/redis.md");
    let table = guide.split("## Commands").nth(1).unwrap().split("There is no").next().unwrap();
    let told: Vec<&str> = table.split(|c: char| !c.is_ascii_uppercase() && c != '_' && c != '-').collect();
    let mut names = super::generated::names();
    assert!(names.len() > 250, "{}", names.len());
    names.retain(|name| !told.contains(&name.to_uppercase().rsplit(' ').next().unwrap()));
    assert_eq!(names, Vec::<String>::new(), "not in docs/guide/redis.md");
}

#[test]
fn questions_about_very_many_names_are_refused() {
    let mut world = World::new();
    let mut peer = world.connect();
    let names = " x".repeat(adsum_resp::limits::NAMES);
    for command in ["CONFIG GET", "INFO", "COMMAND INFO", "COMMAND DOCS"] {
        let taken = world.run(&mut peer, &format!("{command}{names}"));
        assert!(!taken.starts_with('-'), "{command}: {taken}");
        let refused = world.run(&mut peer, &format!("{command}{names} x"));
        assert_eq!(refused, "-ERR 1001 names are over the limit of 1000: ask for less at once");
    }
    let pattern = vec![b'*'; adsum_resp::limits::PATTERN + 1];
    let mut request = format!("*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n${}\r\n", pattern.len()).into_bytes();
    request.extend(pattern);
    request.extend(b"\r\n");
    world.send(&mut peer, &request);
    assert!(peer.received().starts_with("-ERR pattern of 65537 bytes is over the limit"));
}

#[test]
fn what_is_asked_in_vain_is_refused_in_redis_words() {
    check(
        "
        CLIENT KILL USER nobody -> -ERR No such user 'nobody'
        CLIENT KILL USER default -> :0
        SET k 1
        MEMORY USAGE k SAMPLES -1 -> -ERR syntax error
        PUBSUB CHANNELS a b -> -ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP.
        PUBSUB SHARDCHANNELS a b -> -ERR unknown subcommand or wrong number of arguments for 'SHARDCHANNELS'. Try PUBSUB HELP.
        ",
    );
}

#[test]
fn channels_of_shards_have_the_places_of_keys() {
    let mut world = World::new();
    let mut peer = world.connect();
    for (name, places) in
        [("spublish", ":1 :1 :1"), ("ssubscribe", ":1 :-1 :1"), ("sunsubscribe", ":1 :-1 :1")]
    {
        let info = world.run(&mut peer, &format!("COMMAND INFO {name}"));
        assert!(info.contains(&format!(" {places} *2 +@pubsub")), "{info}");
    }
}

#[test]
fn channels_of_shards_are_no_keys() {
    let mut world = World::new();
    let mut peer = world.connect();
    for name in ["spublish", "ssubscribe", "sunsubscribe"] {
        let keys = world.run(&mut peer, &format!("COMMAND GETKEYS {name} a b"));
        assert_eq!(keys, "-ERR The command has no key arguments");
    }
}
