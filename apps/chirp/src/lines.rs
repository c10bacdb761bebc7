//! The lines of a stream, none of them trusted.

use std::io::{self, BufRead, Read};

/// A longer line is skipped, and only as much of it as this is ever in memory.
pub const LONGEST: u64 = 1024 * 1024;

pub struct Line {
    /// The position right behind it: where to go on after a restart.
    pub end: u64,
    /// What it says, or why it cannot be read.
    pub content: Result<String, &'static str>,
}

/// Lines from a position on: bytes into the input.
pub struct Lines<R> {
    input: R,
    position: u64,
}

impl<R: BufRead> Lines<R> {
    pub fn new(input: R, position: u64) -> Lines<R> {
        Lines { input, position }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut bytes = Vec::new();
        self.position += (&mut self.input).take(LONGEST + 1).read_until(b'\n', &mut bytes)? as u64;
        if bytes.is_empty() {
            return Ok(None);
        }
        let content = if bytes.len() as u64 > LONGEST && !bytes.ends_with(b"\n") {
            self.position += self.input.skip_until(b'\n')? as u64;
            Err("longer than 1 MiB")
        } else {
            String::from_utf8(bytes).map_err(|_| "not UTF-8")
        };
        Ok(Some(Line { end: self.position, content }))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<io::Result<Line>> {
        self.read().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<(u64, Result<String, &'static str>)> {
        Lines::new(input, 0).map(|line| line.unwrap()).map(|line| (line.end, line.content)).collect()
    }

    #[test]
    fn each_line_knows_where_the_next_begins() {
        let lines = read(b"one\ntwo\r\n\nlast");
        let ends: Vec<_> = lines.iter().map(|(end, _)| *end).collect();
        assert_eq!(ends, [4, 9, 10, 14]);
        assert_eq!(lines[3].1, Ok("last".to_string()));
    }

    #[test]
    fn a_line_over_the_limit_is_skipped_and_the_next_one_is_read() {
        let long = LONGEST as usize;
        let mut input = vec![b'a'; 3 * long];
        input.extend(b"\nnext\n");
        let lines = read(&input);
        assert_eq!(lines[0], (3 * LONGEST + 1, Err("longer than 1 MiB")));
        assert_eq!(lines[1].1, Ok("next\n".to_string()));

        let mut exactly = vec![b'a'; long];
        exactly.extend(b"\nnext\n");
        assert_eq!(read(&exactly)[0].1.as_ref().map(String::len), Ok(long + 1));
    }

    #[test]
    fn bytes_that_are_no_text_cost_only_their_own_line() {
        let lines = read(b"\xff\xfe\nnext\n");
        assert_eq!(lines[0].1, Err("not UTF-8"));
        assert_eq!(lines[1].1, Ok("next\n".to_string()));
    }
}
