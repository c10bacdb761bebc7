//! `#!lua flags=no-writes,...` in the first line of a script. <https://redis.io/docs/latest/develop/programmability/lua-api/>

use crate::words;

/// What a script says of whether it writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Writing {
    /// Nothing: it has no such line.
    #[default]
    Unsaid,
    /// That it may, as it does not say that it does not.
    May,
    Never,
}

/// What a script says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shebang {
    /// Bytes of the line, without its end, which keeps the lines' numbers.
    pub(crate) length: usize,
    pub(crate) writing: Writing,
}

/// Those of Redis. But for `no-writes` they speak of clusters, replicas and eviction, of which there are none.
const FLAGS: [&str; 5] = ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"];

impl Writing {
    /// What the script says with these bytes. One that is refused says nothing.
    pub fn of(body: &[u8]) -> Writing {
        Shebang::parse(body).map_or(Writing::Unsaid, |shebang| shebang.writing)
    }
}

impl Shebang {
    pub(crate) fn parse(body: &[u8]) -> Result<Shebang, String> {
        let mut shebang = Shebang::default();
        if !body.starts_with(b"#!") {
            return Ok(shebang);
        }
        // To Redis a line ends at a NUL, too, and so has no end.
        let length = body.iter().position(|byte| matches!(byte, b'\n' | 0)).filter(|at| body[*at] == b'\n');
        let length = length.ok_or("ERR Invalid script shebang")?;
        shebang.length = length;
        shebang.writing = Writing::May;
        let mut unquoted = Vec::new();
        let words = words::split(&body[..length], &mut unquoted);
        let words = words.ok_or("ERR Invalid engine in script shebang")?;
        let mut words = words.into_iter().map(|range| String::from_utf8_lossy(&unquoted[range]));
        let engine = words.next().unwrap_or_default();
        if engine != "#!lua" {
            return Err(format!("ERR Unexpected engine in script shebang: {engine}"));
        }
        for word in words {
            let flags = word.strip_prefix("flags=");
            let flags = flags.ok_or_else(|| format!("ERR Unknown lua shebang option: {word}"))?;
            // None at all is fine, and an empty one among others is not.
            for flag in flags.split(',').filter(|_| !flags.is_empty()) {
                if !FLAGS.contains(&flag) {
                    return Err(format!("ERR Unexpected flag in script shebang: {flag}"));
                }
                if flag == "no-writes" {
                    shebang.writing = Writing::Never;
                }
            }
        }
        Ok(shebang)
    }
}
