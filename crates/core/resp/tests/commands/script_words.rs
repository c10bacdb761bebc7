//! What goes into a script and its commands, and what comes back: keys, arguments, replies.

use std::time::Duration;

use crate::harness::{Peer, World};
use crate::scripts::world;

/// Runs a script that returns all it was given, with as many keys and arguments.
fn given(world: &mut World, peer: &mut Peer, keys: usize, arguments: usize) -> String {
    let words: String = (0..keys + arguments).map(|word| format!(" w{word}")).collect();
    let script = "return table.concat(KEYS,',')..';'..table.concat(ARGV,',')..';'..#KEYS..';'..#ARGV";
    world.run(peer, &format!("EVAL \"{script}\" {keys}{words}"))
}

#[test]
fn a_script_gets_its_keys_and_arguments_however_many_there_are_and_none_of_the_one_before() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    for (keys, arguments) in (0..5).flat_map(|keys| (0..6).map(move |arguments| (keys, arguments))) {
        let list = |range: std::ops::Range<usize>| range.map(|word| format!("w{word}")).collect::<Vec<_>>();
        let (key, argument) = (list(0..keys).join(","), list(keys..keys + arguments).join(","));
        let expected = format!("{key};{argument};{keys};{arguments}");
        let reply = given(&mut world, &mut peer, keys, arguments);
        assert_eq!(reply, format!("${} {expected}", expected.len()));
        // What one does to them is gone for the next.
        let spoil =
            "KEYS[9]=1 KEYS.x=1 setmetatable(KEYS,{__index=function() return 1 end}) ARGV[1]=nil ARGV.y=KEYS";
        let words = " w".repeat(keys + arguments);
        world.run(&mut peer, &format!("EVAL \"{spoil}\" {keys}{words}"));
        let clean = "return {KEYS[9] or 0, KEYS.x or 0, ARGV.y or 0, getmetatable(KEYS) or 0}";
        assert_eq!(world.run(&mut peer, &format!("EVAL \"{clean}\" {keys}{words}")), "*4 :0 :0 :0 :0");
    }
    let assigned = world.run(&mut peer, "EVAL \"KEYS={}\" 1 k v");
    assert!(assigned.contains("Attempt to modify a readonly table"), "{assigned}");
}

#[test]
fn replies_of_all_lengths_and_bytes_reach_a_script_as_they_are() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    let script = "for n=0,600 do for _,piece in ipairs({'x','\\195\\164','\\255','\\0'}) do \
        local text=('ab'):rep(n)..piece redis.call('set','k',text) \
        if redis.call('get','k')~=text then return n end end end return 'same'";
    assert_eq!(world.run(&mut peer, &format!("EVAL \"{script}\" 0")), "$4 same");
}

#[test]
fn arguments_of_commands_are_texts_and_numbers() {
    let (mut world, _) = world(Duration::ZERO);
    let mut peer = world.connect();
    for (arguments, expected) in [
        ("'echo',0.1+0.2", "$19 0.30000000000000004"),
        ("'echo',3", "$1 3"),
        ("'echo','0.30'", "$4 0.30"),
        ("'ECHO',1e15", "$16 1000000000000000"),
    ] {
        assert_eq!(world.run(&mut peer, &format!("EVAL \"return redis.call({arguments})\" 0")), expected);
    }
    for (arguments, expected) in [
        ("", "-ERR Please specify at least one argument for this redis lib call"),
        ("'get',nil", "-ERR Lua redis lib command arguments must be strings or integers"),
        ("{},'k'", "-ERR Lua redis lib command arguments must be strings or integers"),
        ("nil,'k'", "-ERR Lua redis lib command arguments must be strings or integers"),
        ("true", "-ERR Lua redis lib command arguments must be strings or integers"),
        ("'get',false", "-ERR Lua redis lib command arguments must be strings or integers"),
        ("12", "-ERR Unknown Redis command called from script"),
    ] {
        let reply = world.run(&mut peer, &format!("EVAL \"return redis.call({arguments})\" 0"));
        assert!(reply.starts_with(expected), "{arguments}: {reply}");
    }
}
