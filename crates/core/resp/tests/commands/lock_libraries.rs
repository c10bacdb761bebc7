//! The scripts that libraries for locks send, in the order in which they send them.

use crate::harness::World;

/// A client that sends scripts as libraries do: EVALSHA first, and the script when it is not known.
struct Library {
    world: World,
    peer: crate::harness::Peer,
}

impl Library {
    fn new() -> Library {
        let mut world = World::new();
        let peer = world.connect();
        Library { world, peer }
    }

    fn eval(&mut self, script: &str, keys: &[&str], arguments: &[&str]) -> String {
        let keys_count = keys.len().to_string();
        let mut words = vec!["EVAL", script, &keys_count];
        words.extend_from_slice(keys);
        words.extend_from_slice(arguments);
        self.send(&words)
    }

    fn send(&mut self, words: &[&str]) -> String {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.world.send(&mut self.peer, bytes.as_bytes());
        self.peer.received()
    }
}

#[test]
fn redis_py_releases_extends_and_reacquires() {
    const RELEASE: &str = "local token = redis.call('get', KEYS[1])
        if not token or token ~= ARGV[1] then return 0 end
        redis.call('del', KEYS[1])
        return 1";
    const EXTEND: &str = "local token = redis.call('get', KEYS[1])
        if not token or token ~= ARGV[1] then return 0 end
        local expiration = redis.call('pttl', KEYS[1])
        if not expiration then expiration = 0 end
        if expiration < 0 then return 0 end
        local newttl = ARGV[2]
        if ARGV[3] == \"0\" then newttl = ARGV[2] + expiration end
        redis.call('pexpire', KEYS[1], newttl)
        return 1";
    let mut library = Library::new();
    assert_eq!(library.send(&["SET", "l", "me", "NX", "PX", "10000"]), "+OK");
    let sha = library.send(&["SCRIPT", "LOAD", RELEASE])[4..].to_owned();
    assert_eq!(library.eval(EXTEND, &["l"], &["me", "5000", "0"]), ":1");
    assert_eq!(library.send(&["PTTL", "l"]), ":15000");
    assert_eq!(library.eval(EXTEND, &["l"], &["me", "5000", "1"]), ":1");
    assert_eq!(library.send(&["PTTL", "l"]), ":5000");
    assert_eq!(library.send(&["EVALSHA", &sha, "1", "l", "you"]), ":0");
    assert_eq!(library.send(&["EVALSHA", &sha, "1", "l", "me"]), ":1");
    assert_eq!(library.send(&["EXISTS", "l"]), ":0");
}

#[test]
fn redsync_tells_a_lock_that_has_gone_from_one_of_somebody_else() {
    const RELEASE: &str = "local val = redis.call(\"GET\", KEYS[1])
        if val == ARGV[1] then return redis.call(\"DEL\", KEYS[1])
        elseif val == false then return -1
        else return 0 end";
    const TOUCH: &str = "if redis.call(\"GET\", KEYS[1]) == ARGV[1] then
        return redis.call(\"PEXPIRE\", KEYS[1], ARGV[2]) else return 0 end";
    let mut library = Library::new();
    library.send(&["SET", "l", "me", "NX", "PX", "8000"]);
    assert_eq!(library.eval(TOUCH, &["l"], &["me", "9000"]), ":1");
    assert_eq!(library.eval(TOUCH, &["l"], &["you", "9000"]), ":0");
    assert_eq!(library.eval(RELEASE, &["l"], &["you"]), ":0");
    assert_eq!(library.eval(RELEASE, &["l"], &["me"]), ":1");
    assert_eq!(library.eval(RELEASE, &["l"], &["me"]), ":-1");
}

#[test]
fn node_redlock_takes_many_keys_or_none() {
    const ACQUIRE: &str = "for i, key in ipairs(KEYS) do
          if redis.call(\"exists\", key) == 1 then return 0 end
        end
        for i, key in ipairs(KEYS) do redis.call(\"set\", key, ARGV[1], \"PX\", ARGV[2]) end
        return #KEYS";
    const EXTEND: &str = "for i, key in ipairs(KEYS) do
          if redis.call(\"get\", key) ~= ARGV[1] then return 0 end
        end
        for i, key in ipairs(KEYS) do redis.call(\"set\", key, ARGV[1], \"PX\", ARGV[2]) end
        return #KEYS";
    const RELEASE: &str = "local count = 0
        for i, key in ipairs(KEYS) do
          if redis.call(\"get\", key) == ARGV[1] then
            redis.pcall(\"del\", key)
            count = count + 1
          end
        end
        return count";
    let mut library = Library::new();
    assert_eq!(library.eval(ACQUIRE, &["a", "b"], &["me", "1000"]), ":2");
    assert_eq!(library.eval(ACQUIRE, &["b", "c"], &["you", "1000"]), ":0");
    assert_eq!(library.send(&["EXISTS", "c"]), ":0");
    assert_eq!(library.eval(EXTEND, &["a", "b"], &["me", "2000"]), ":2");
    assert_eq!(library.send(&["PTTL", "b"]), ":2000");
    assert_eq!(library.eval(RELEASE, &["a", "b", "c"], &["me"]), ":2");
}

#[test]
fn aioredlock_answers_with_errors_and_states() {
    const SET: &str = "local identifier = redis.call('get', KEYS[1])
        if not identifier or identifier == ARGV[1] then
          return redis.call(\"set\", KEYS[1], ARGV[1], 'PX', ARGV[2])
        else return redis.error_reply('ERROR') end";
    const UNSET: &str = "local identifier = redis.call('get', KEYS[1])
        if not identifier then return redis.status_reply('OK')
        elseif identifier == ARGV[1] then return redis.call(\"del\", KEYS[1])
        else return redis.error_reply('ERROR') end";
    let mut library = Library::new();
    assert_eq!(library.eval(SET, &["l"], &["me", "1000"]), "+OK");
    assert_eq!(library.eval(SET, &["l"], &["you", "1000"]), "-ERR ERROR");
    assert_eq!(library.eval(UNSET, &["l"], &["you"]), "-ERR ERROR");
    assert_eq!(library.eval(UNSET, &["l"], &["me"]), ":1");
    assert_eq!(library.eval(UNSET, &["l"], &["me"]), "+OK");
}

#[test]
fn spring_integration_obtains_renews_and_publishes_the_release() {
    const OBTAIN: &str = "local lockClientId = redis.call('GET', KEYS[1])
        if lockClientId == ARGV[1] then
          redis.call('PEXPIRE', KEYS[1], ARGV[2])
          return true
        elseif not lockClientId then
          redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
          return true
        end
        return false";
    const UNLINK: &str = "local lockClientId = redis.call('GET', KEYS[1])
        if (lockClientId == ARGV[1] and redis.call('UNLINK', KEYS[1]) == 1) then
          redis.call('PUBLISH', ARGV[2], KEYS[1])
          return true
        end
        return false";
    let mut library = Library::new();
    let mut waiter = library.world.connect();
    library.world.run(&mut waiter, "SUBSCRIBE registry-channel:l");
    waiter.received();
    assert_eq!(library.eval(OBTAIN, &["registry:l"], &["me", "60000"]), ":1");
    assert_eq!(library.eval(OBTAIN, &["registry:l"], &["me", "60000"]), ":1");
    assert_eq!(library.eval(OBTAIN, &["registry:l"], &["you", "60000"]), "$-1");
    assert_eq!(library.eval(UNLINK, &["registry:l"], &["you", "registry-channel:l"]), "$-1");
    assert_eq!(waiter.received(), "");
    assert_eq!(library.eval(UNLINK, &["registry:l"], &["me", "registry-channel:l"]), ":1");
    assert_eq!(waiter.received(), "*3 $7 message $18 registry-channel:l $10 registry:l");
}

#[test]
fn redisson_counts_its_holds_in_a_hash() {
    const LOCK: &str =
        "if ((redis.call('exists', KEYS[1]) == 0) or (redis.call('hexists', KEYS[1], ARGV[2]) == 1)) then
          redis.call('hincrby', KEYS[1], ARGV[2], 1);
          redis.call('pexpire', KEYS[1], ARGV[1]);
          return nil;
        end;
        return redis.call('pttl', KEYS[1]);";
    const UNLOCK: &str = "local val = redis.call('get', KEYS[3]);
        if val ~= false then return tonumber(val); end;
        if (redis.call('hexists', KEYS[1], ARGV[3]) == 0) then return nil; end;
        local counter = redis.call('hincrby', KEYS[1], ARGV[3], -1);
        if (counter > 0) then
          redis.call('pexpire', KEYS[1], ARGV[2]);
          redis.call('set', KEYS[3], 0, 'px', ARGV[5]);
          return 0;
        else
          redis.call('del', KEYS[1]);
          redis.call(ARGV[4], KEYS[2], ARGV[1]);
          redis.call('set', KEYS[3], 1, 'px', ARGV[5]);
          return 1;
        end;";
    const RENEW: &str = "if (redis.call('hexists', KEYS[1], ARGV[2]) == 1) then
          redis.call('pexpire', KEYS[1], ARGV[1]);
          return 1;
        end;
        return 0;";
    let mut library = Library::new();
    let mut waiter = library.world.connect();
    library.world.run(&mut waiter, "SUBSCRIBE redisson_lock__channel:{l}");
    waiter.received();
    assert_eq!(library.eval(LOCK, &["l"], &["30000", "me:1"]), "$-1");
    assert_eq!(library.eval(LOCK, &["l"], &["30000", "me:1"]), "$-1");
    assert_eq!(library.eval(LOCK, &["l"], &["30000", "you:1"]), ":30000");
    assert_eq!(library.eval(RENEW, &["l"], &["40000", "me:1"]), ":1");
    assert_eq!(library.eval(RENEW, &["l"], &["40000", "you:1"]), ":0");
    let mut unlock = |latch: &str| {
        let keys = ["l", "redisson_lock__channel:{l}", latch];
        library.eval(UNLOCK, &keys, &["0", "30000", "me:1", "publish", "3000"])
    };
    assert_eq!(unlock("latch-1"), ":0");
    assert_eq!(unlock("latch-1"), ":0", "sent again, with the same answer");
    assert_eq!(unlock("latch-2"), ":1");
    assert_eq!(unlock("latch-3"), "$-1");
    assert!(waiter.received().ends_with("$26 redisson_lock__channel:{l} $1 0"));
}
