//! EVAL and its like: transactions, limits, what scripts leave behind. What they answer is compared with Redis'
//! answers elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use adsum_resp::{Flow, Overseer};

use crate::harness::{Peer, World, check};

/// A world with a clock for scripts that goes on by so much at each look.
pub(crate) fn world(step: Duration) -> (World, Arc<Overseer>) {
    let mut world = World::new();
    let micros = AtomicU64::new(0);
    let step = step.as_micros() as u64;
    let overseer = Arc::new(Overseer::new(move || Duration::from_micros(micros.fetch_add(step, Relaxed))));
    world.server.oversee_scripts(overseer.clone());
    (world, overseer)
}

const SECOND: Duration = Duration::from_secs(1);

/// Runs a request as a thread does that has the time.
pub(crate) fn patiently(world: &mut World, peer: &mut Peer, line: &str) -> String {
    let line = format!("{line}\r\n");
    let mut parser = adsum_resp::Parser::default();
    let adsum_resp::Parsed::Request { request, .. } = parser.parse(line.as_bytes()) else { panic!("{line}") };
    world.server.execute_patiently(&mut peer.session, &request, world.now);
    peer.received()
}

#[test]
fn what_is_no_number_is_told_as_such_and_ends_nothing() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    let script = r#"EVAL "redis.call('set','k',1) return {double=0/0}" 0"#;
    assert_eq!(world.run(&mut peer, script), "$3 nan");
    world.run(&mut peer, "HELLO 3");
    peer.received();
    assert_eq!(world.run(&mut peer, script), ",nan");
    assert_eq!(world.run(&mut peer, "GET k"), "$1 1");
}

#[test]
fn a_script_is_one_revision_whatever_it_does() {
    let (mut world, _) = world(Duration::ZERO);
    let (mut peer, mut watcher) = (world.connect(), world.connect());
    world.run(&mut watcher, "PSUBSCRIBE __keyevent@0__:*");
    watcher.received();
    let script = r#"EVAL "for i=1,10 do redis.call('incr','n') end redis.call('set','m',1) return 'done'" 0"#;
    assert_eq!(world.run(&mut peer, script), "$4 done");
    assert_eq!(world.server.keyspace().revision().0, 1);
    assert_eq!(watcher.received().matches("pmessage").count(), 11);
}

#[test]
fn an_error_keeps_what_came_before_it() {
    check(
        r#"
        EVAL "redis.call('set','a',1) redis.call('lpush','a','x') redis.call('set','a',2)" 0 -> -WRONGTYPE Operation against a key holding the wrong kind of value script: ce7b5ad9c41ea6dbba8cb75d4fd9d4e4ddd9f6a5, on @user_script:1.
        GET a -> $1 1
        "#
        .replace("ce7b5ad9c41ea6dbba8cb75d4fd9d4e4ddd9f6a5", &sha("redis.call('set','a',1) redis.call('lpush','a','x') redis.call('set','a',2)"))
        .as_str(),
    );
}

fn sha(script: &str) -> String {
    let mut world = World::new();
    let mut peer = world.connect();
    let reply = world.run(&mut peer, &format!("SCRIPT LOAD \"{script}\""));
    reply.trim_start_matches("$40 ").to_owned()
}

#[test]
fn a_script_that_takes_long_is_left_to_a_thread_that_has_the_time() {
    let (mut world, overseer) = world(Duration::from_millis(20));
    let mut peer = world.connect();
    let line = r#"EVAL "for i=1,100 do redis.call('incr','n') end return 'done'" 0"#;
    assert!(matches!(world.execute(&mut peer, line), Flow::HeldUp));
    assert_eq!(peer.received(), "");
    assert_eq!(world.run(&mut peer, "GET n"), "$-1", "nothing of it is left");
    assert!(!overseer.is_busy());
    assert_eq!(patiently(&mut world, &mut peer, line), "$4 done");
    assert_eq!(world.run(&mut peer, "GET n"), "$3 100");
}

#[test]
fn a_reply_that_takes_long_to_be_made_is_limited_like_its_script() {
    let line = "EVAL \"redis.call('set','a',1) return #redis.call('lrange','l',0,-1)\" 0";
    for (look, reply, left) in [(20, ":1000", "$1 1"), (200, "-ERR the script has run for 5 seconds", "$-1")]
    {
        let (mut world, _) = world(Duration::from_millis(look));
        let mut peer = world.connect();
        world.run(&mut peer, &format!("RPUSH l{}", " x".repeat(1000)));
        assert!(matches!(world.execute(&mut peer, line), Flow::HeldUp));
        let answered = patiently(&mut world, &mut peer, line);
        assert!(answered.starts_with(reply), "{answered}");
        assert_eq!(world.run(&mut peer, "GET a"), left);
    }
}

#[test]
fn what_is_held_up_counts_once() {
    let (mut world, _) = world(Duration::from_millis(20));
    let mut peer = world.connect();
    world.run(&mut peer, "SET s 1");
    let long = r#"EVAL "redis.pcall('nosuch') for i=1,100 do redis.call('incr','n') end return 1" 0"#;
    for line in ["MULTI", "LPUSH s 1", long] {
        world.run(&mut peer, line);
    }
    assert!(matches!(world.execute(&mut peer, "EXEC"), Flow::HeldUp));
    assert!(patiently(&mut world, &mut peer, "EXEC").starts_with("*2 -WRONGTYPE"));
    let info = world.run(&mut peer, "INFO");
    for line in ["errorstat_ERR:count=1", "errorstat_WRONGTYPE:count=1", "total_commands_processed:6"] {
        assert!(info.split(' ').any(|other| other == line), "{line} in {info}");
    }
}

#[test]
fn a_script_that_runs_for_5_s_is_taken_back() {
    for script in [
        "redis.call('set','a',1) while true do end",
        "redis.call('set','a',1) while true do pcall(redis.call,'get','a') end",
        "redis.call('set','a',1) while true do redis.pcall('get','a') end",
        "redis.call('set','a',1) while true do pcall(function() while true do end end) end",
        "redis.call('set','a',1) while true do xpcall(function() while true do end end, function(e) return e end) end",
        "redis.call('set','a',1) xpcall(function() while true do end end, function() while true do end end)",
        "redis.call('set','a',1) xpcall(function() error('x') end, function() while true do end end)",
        "redis.call('set','a',1) local f f = function() while true do pcall(f) end end f()",
        "redis.call('set','a',1) coroutine.wrap(function() while true do end end)()",
        "redis.call('set','a',1) while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "redis.call('set','a',1) table.sort({1,2,3}, function() while true do end end)",
        "redis.call('set','a',1) local t={} for i=1,1e5 do t[i]=1 end while true do pcall(cjson.encode,t) end",
        "redis.call('set','a',1) string.gsub('abc', '.', function() while true do end end)",
    ] {
        let (mut world, overseer) = world(SECOND);
        let mut peer = world.connect();
        let reply = patiently(&mut world, &mut peer, &format!("EVAL \"{script}\" 0"));
        let expected =
            "-ERR the script has run for 5 seconds, longer than a script may: it was taken back as a whole";
        assert_eq!(reply, expected, "{script}");
        assert_eq!(world.run(&mut peer, "EXISTS a"), ":0", "{script}");
        assert_eq!(world.server.keyspace().revision().0, 0);
        assert!(!overseer.is_busy());
        assert_eq!(world.run(&mut peer, "EVAL \"return 1\" 0"), ":1", "the next one runs");
    }
}

#[test]
fn a_script_with_a_clock_that_stands_runs_to_its_end() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    let line = r#"EVAL "for i=1,3000000 do end return 'done'" 0"#;
    assert_eq!(world.run(&mut peer, line), "$4 done");
}

#[test]
fn a_killed_script_takes_its_whole_transaction_with_it() {
    let mut world = World::new();
    let overseer = Arc::<std::sync::OnceLock<Arc<Overseer>>>::default();
    let (own, looks) = (overseer.clone(), AtomicU64::new(0));
    // Somebody else kills it at the tenth look at the clock.
    let made = Arc::new(Overseer::new(move || {
        if looks.fetch_add(1, Relaxed) == 10 {
            assert!(own.get().unwrap().kill());
        }
        Duration::ZERO
    }));
    overseer.set(made.clone()).ok().unwrap();
    world.server.oversee_scripts(made);
    let mut peer = world.connect();
    for line in ["MULTI", "SET before 1", "EVAL \"while true do end\" 0", "SET after 1"] {
        world.run(&mut peer, line);
    }
    assert!(world.run(&mut peer, "EXEC").starts_with("-ERR Script killed by user"));
    assert_eq!(world.run(&mut peer, "EXISTS before after"), ":0");
    assert_eq!(world.run(&mut peer, "EXEC"), "-ERR EXEC without MULTI");
}

#[test]
fn a_transaction_that_is_held_up_is_run_as_a_whole_and_only_if_nothing_was_touched() {
    for touched in [false, true] {
        let (mut world, _) = world(Duration::from_millis(20));
        let (mut peer, mut other) = (world.connect(), world.connect());
        world.run(&mut peer, "WATCH w");
        for line in ["MULTI", "INCR n", "EVAL \"for i=1,100 do redis.call('incr','n') end\" 0", "INCR n"] {
            world.run(&mut peer, line);
        }
        assert!(matches!(world.execute(&mut peer, "EXEC"), Flow::HeldUp));
        if touched {
            world.run(&mut other, "SET w 1");
        }
        let (reply, n) = if touched { ("*-1", "$-1") } else { ("*3 :1 $-1 :102", "$3 102") };
        assert_eq!(patiently(&mut world, &mut peer, "EXEC"), reply);
        assert_eq!(world.run(&mut peer, "GET n"), n);
    }
}

#[test]
fn what_a_script_may_have_of_memory_ends() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    world.run(&mut peer, "EVAL \"redis.call('set','large',('x'):rep(1e6))\" 0");
    for script in [
        "local t={} for i=1,1e9 do t[i]=i end",
        "local s='x' while true do s=s..s end",
        "return ('x'):rep(1e9)",
        "local t={} for i=1,1e9 do t[i]=('x'):rep(1e6)..i end",
        "local s=('x'):rep(1e6) local t={} for i=1,100 do t[i]=s end return cjson.encode(t)",
        // The limit stands behind a reply, whatever becomes of it.
        "redis.call('set','k','v') local t={} for i=1,1e9 do t[i]={redis.call('get','k')} end",
        "local w={} for i=1,7900 do w[i]='k' end redis.call('del',unpack(w)) local t={} for i=1,1e9 do t[i]=i end",
        "local w={'v'} for i=2,7900 do w[i]=0 end pcall(redis.call,'echo',unpack(w)) local t={} for i=1,1e9 do t[i]=i end",
        "pcall(redis.call,'get') pcall(redis.call,{}) local t={} for i=1,1e9 do t[i]=i end",
        // Nothing but the replies takes memory while there is too much.
        "local t={} for i=1,1e4 do t[i]=0 end for i=1,1e4 do t[i]=redis.call('getrange','large',i,-1) end",
    ] {
        let reply = world.run(&mut peer, &format!("EVAL \"{script}\" 0"));
        assert!(reply.contains("not enough memory"), "{script}: {}", &reply[..reply.len().min(200)]);
        assert_eq!(world.run(&mut peer, "EVAL \"return 1\" 0"), ":1");
    }
    assert_eq!(world.run(&mut peer, "EVAL \"return #(''):rep(1e15)\" 0"), ":0");
}

#[test]
fn garbage_of_many_scripts_does_not_add_up() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    for _ in 0..100 {
        let reply = world.run(&mut peer, "EVAL \"local s=('x'):rep(5e6) return #s\" 0");
        assert_eq!(reply, ":5000000");
    }
}

#[test]
fn what_a_script_sees_of_a_sealed_metatable_does_not_add_up() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    // A table for each of them would be more than twice what a script may have.
    let script = "for i=1,400000 do getmetatable(redis) end return type(getmetatable(redis))";
    for _ in 0..3 {
        assert_eq!(world.run(&mut peer, &format!("EVAL \"{script}\" 0")), "$5 table");
    }
    let used = world.run(&mut peer, "EVAL \"return collectgarbage('count') < 16384\" 0");
    assert_eq!(used, ":1", "KiB of all that the interpreter has");
}

#[test]
fn a_script_gets_as_many_arguments_as_there_are_whatever_bytes_they_have() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    for last in ["x", "\"\\xff\""] {
        let given = format!("{}{last}", "x ".repeat(9_999));
        let script = "return {#KEYS, #ARGV, #ARGV[10000], #redis.call('echo', ARGV[10000])}";
        assert_eq!(world.run(&mut peer, &format!("EVAL \"{script}\" 0 {given}")), "*4 :0 :10000 :1 :1");
        let script = "return {#KEYS, #ARGV, #KEYS[10000]}";
        assert_eq!(world.run(&mut peer, &format!("EVAL \"{script}\" 10000 {given}")), "*3 :10000 :0 :1");
    }
}

#[test]
fn keys_and_arguments_are_what_was_given_however_many_there_are() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    let script = "return table.concat(KEYS, ',') .. '|' .. table.concat(ARGV, ',') .. '|' .. #KEYS + #ARGV";
    for last in ["x", "\\xff", ""] {
        for (keys, arguments) in
            (0..5).flat_map(|keys| [1, 2, 3, 13, 14, 15, 16, 17, 64, 65].map(|count| (keys, count)))
        {
            let mut words: Vec<String> = (1..keys + arguments).map(|number| format!("w{number}")).collect();
            words.push(last.to_owned());
            let line = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" ");
            let reply = world.run(&mut peer, &format!("EVAL \"{script}\" {keys} {line}"));
            let expected = format!("{}|{}|{}", words[..keys].join(","), words[keys..].join(","), words.len());
            assert_eq!(reply.split_once(' ').unwrap().1, expected);
        }
    }
}

#[test]
fn a_script_can_append_to_its_arguments() {
    check(
        r#"
        EVAL "ARGV[#ARGV + 1] = 'c' table.insert(ARGV, 'd') return ARGV" 0 a b -> *4 $1 a $1 b $1 c $1 d
        EVAL "KEYS[#KEYS + 1] = 'b' return KEYS" 1 a -> *2 $1 a $1 b
        EVAL "ARGV[#ARGV + 1] = 'a' local n = 0 for _ in pairs(ARGV) do n = n + 1 end return {n, select('#', unpack(ARGV))}" 1 k -> *2 :1 :1
        "#,
    );
}

#[test]
fn scripts_leave_nothing_behind() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    for script in [
        "leak=1",
        "_G.leak=1",
        "rawset(_G,'leak',1)",
        "setmetatable(_G,{})",
        "table.insert(_G,'leak')",
        "string.leak=1",
        "redis.call=nil",
        "cjson.leak=1",
        "getmetatable('').__index.leak=1",
        "getmetatable('').leak=1",
        "for k,v in pairs(_G) do if type(v)=='table' then rawset(v,'leak',1) end end",
        "setmetatable(string,{__index=function() return 1 end})",
        "loadstring('leak=1')()",
        "coroutine.wrap(function() leak=1 end)()",
        "math.random=nil",
        "next(_G).leak=1",
    ] {
        let reply = world.run(&mut peer, &format!("EVAL \"{script}\" 0"));
        assert!(reply.starts_with('-'), "{script}: {reply}");
    }
    for line in [
        r#"EVAL "return {rawget(_G,'leak'), rawget(string,'leak'), rawget(cjson,'leak'), rawget(_G,1), ('').leak}" 0"#,
        r#"EVAL "KEYS[1]='x' ARGV.leak=1 cjson.encode_max_depth(2) cjson.encode_sparse_array(true) redis.setresp(3)" 0"#,
    ] {
        assert!(matches!(world.run(&mut peer, line).as_str(), "*0" | "$-1"), "{line}");
    }
    assert_eq!(world.run(&mut peer, r#"EVAL "return {#KEYS, ARGV.leak or 'none'}" 0"#), "*2 :0 $4 none");
    assert_eq!(world.run(&mut peer, r#"EVAL "return cjson.encode({{{{1}}}})" 0"#), "$9 [[[[1]]]]");
    assert_eq!(world.run(&mut peer, r#"EVAL "return tostring(redis.call('get','none'))" 0"#), "$5 false");
}

#[test]
fn what_is_nested_deeply_is_refused_and_nobody_falls() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    for (script, expected) in [
        ("local t={} t[1]=t return t", "-ERR reached lua stack limit"),
        ("local t={} for i=1,100000 do t={t} end return cjson.encode(t)", "excessive nesting (301)"),
        ("return cjson.decode(('['):rep(100000))", "Found too many nested data structures (301)"),
        ("return cmsgpack.unpack(('\\145'):rep(100000))", "Bad data format in input."),
        ("local f f=function() return 1+f() end return f()", "stack overflow"),
        ("local s=('('):rep(10000) return loadstring('return '..s)", "$-1"),
        ("return string.rep('a', 1000):gsub('.-b', '')", "$1000"),
    ] {
        let reply = world.run(&mut peer, &format!("EVAL \"{}\" 0", script.replace('\\', "\\\\")));
        assert!(reply.contains(expected), "{script}: {}", &reply[..reply.len().min(200)]);
    }
}

#[test]
fn the_cache_forgets_what_was_not_used_for_longest() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    let first = world.run(&mut peer, "SCRIPT LOAD \"return 'used'\"")[4..].to_owned();
    let second = world.run(&mut peer, "SCRIPT LOAD \"return 'unused'\"")[4..].to_owned();
    for n in 0..10_050 {
        world.run(&mut peer, &format!("EVAL \"return {n}\" 0"));
        if n % 1000 == 0 {
            assert_eq!(world.run(&mut peer, &format!("EVALSHA {first} 0")), "$4 used");
        }
    }
    assert_eq!(world.run(&mut peer, &format!("SCRIPT EXISTS {first} {second}")), "*2 :1 :0");
    assert!(world.run(&mut peer, &format!("EVALSHA {second} 0")).starts_with("-NOSCRIPT"));
}

#[test]
fn a_lock_taken_in_a_script_has_the_revision_of_the_script_as_its_fence() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    world.run(&mut peer, "SET a 1");
    let fence = world
        .run(&mut peer, "EVAL \"redis.call('set','b',1) return redis.call('lock','l','me','PX',5000)\" 0");
    assert_eq!(fence, ":2");
    assert_eq!(world.run(&mut peer, "FENCE l"), ":2");
}

#[test]
fn a_script_that_changes_too_much_is_taken_back() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    let line = r#"EVAL "local s=('x'):rep(1e6) for i=1,100 do redis.pcall('set','k'..i,s) end return 1" 0"#;
    assert!(world.run(&mut peer, line).starts_with("-TXNTOOBIG the transaction changes"));
    assert_eq!(world.run(&mut peer, "DBSIZE"), ":0");
}
