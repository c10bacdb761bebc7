//! The format strings of `struct`.

/// Bytes of the largest integer.
const LARGEST: usize = 32;
/// To what `!` aligns.
const ALIGNMENT: usize = 8;
/// Bytes that one field can announce.
const LONGEST: usize = 512 * 1024 * 1024;

/// What is wrong with a format: an option of it, or all of it.
pub(super) enum Problem {
    Option(String),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Signed,
    Unsigned,
    Float,
    Double,
    /// `c`: so many bytes; with 0 as many as there are.
    Chars,
    /// `s`: up to a zero.
    Terminated,
    /// `x`: a zero.
    Padding,
}

/// One value.
pub(super) struct Field {
    pub(super) kind: Kind,
    pub(super) size: usize,
    /// Zeros before it.
    pub(super) padding: usize,
    big: bool,
}

impl Field {
    /// As many of the bits as there is room for; the sign goes on in what is left.
    pub(super) fn put(&self, bits: u64, out: &mut Vec<u8>) {
        let fill = if self.kind == Kind::Signed && (bits as i64) < 0 { 0xff } else { 0 };
        let byte = |at: usize| if at < 8 { (bits >> (at * 8)) as u8 } else { fill };
        match self.big {
            true => out.extend((0..self.size).rev().map(byte)),
            false => out.extend((0..self.size).map(byte)),
        }
    }

    /// The lowest 64 bits.
    pub(super) fn unsigned(&self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        match self.big {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        }
    }

    pub(super) fn signed(&self, bytes: &[u8]) -> i64 {
        let unused = 64_usize.saturating_sub(bytes.len() * 8) as u32;
        (self.unsigned(bytes) << unused) as i64 >> unused
    }
}

pub(super) struct Fields<'a> {
    rest: &'a [u8],
    big: bool,
    align: usize,
}

impl<'a> Fields<'a> {
    pub(super) fn new(form: &'a [u8]) -> Fields<'a> {
        Fields { rest: form, big: false, align: 1 }
    }

    /// The next field, which comes behind `length` bytes.
    pub(super) fn next(&mut self, length: usize) -> Result<Option<Field>, Problem> {
        while let Some((option, rest)) = self.rest.split_first() {
            self.rest = rest;
            let (kind, size) = match option {
                b'b' => (Kind::Signed, 1),
                b'B' => (Kind::Unsigned, 1),
                b'h' => (Kind::Signed, 2),
                b'H' => (Kind::Unsigned, 2),
                b'l' => (Kind::Signed, 8),
                b'L' | b'T' => (Kind::Unsigned, 8),
                b'i' => (Kind::Signed, self.integer_size()?),
                b'I' => (Kind::Unsigned, self.integer_size()?),
                b'f' => (Kind::Float, 4),
                b'd' => (Kind::Double, 8),
                b'x' => (Kind::Padding, 1),
                b's' => (Kind::Terminated, 1),
                b'c' => (Kind::Chars, self.number(1)?),
                option => {
                    self.control(*option)?;
                    continue;
                }
            };
            let size = if kind == Kind::Terminated { 0 } else { size };
            let padding = self.padding(kind, size, length);
            return Ok(Some(Field { kind, size, padding, big: self.big }));
        }
        Ok(None)
    }

    fn padding(&self, kind: Kind, size: usize, length: usize) -> usize {
        let to = size.min(self.align);
        if matches!(kind, Kind::Chars | Kind::Terminated) || to <= 1 {
            return 0;
        }
        (to - length % to) % to
    }

    fn control(&mut self, option: u8) -> Result<(), Problem> {
        match option {
            b' ' => {}
            b'<' => self.big = false,
            b'>' => self.big = true,
            b'!' => {
                let align = self.number(ALIGNMENT)?;
                if !align.is_power_of_two() {
                    return Err(Problem::Text(format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            other => {
                let option = char::from(other);
                return Err(Problem::Option(format!("invalid format option '{option}'")));
            }
        }
        Ok(())
    }

    fn integer_size(&mut self) -> Result<usize, Problem> {
        let size = self.number(4)?;
        if size > LARGEST || size == 0 {
            return Err(Problem::Text(format!("integral size {size} is larger than limit of {LARGEST}")));
        }
        Ok(size)
    }

    fn number(&mut self, default: usize) -> Result<usize, Problem> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let number = number.iter().try_fold(0_usize, |number, digit| {
            number.checked_mul(10)?.checked_add(usize::from(digit - b'0')).filter(|number| *number <= LONGEST)
        });
        number.ok_or_else(|| Problem::Text("integral size overflow".to_owned()))
    }
}
