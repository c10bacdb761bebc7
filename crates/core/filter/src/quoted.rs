//! Strings in quotes: `"with escapes"` as Go has them, and `` `as they are` ``.

/// What is written between double quotes. None when an escape is none.
pub(crate) fn unescape(inside: &str) -> Option<String> {
    let mut text = String::with_capacity(inside.len());
    let mut letters = inside.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => text.push(escape(&mut letters)?),
            '\n' => return None,
            letter => text.push(letter),
        }
    }
    Some(text)
}

fn escape(letters: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match letters.next()? {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        '\\' => '\\',
        'x' => code(letters, 2)?,
        'u' => code(letters, 4)?,
        'U' => code(letters, 8)?,
        _ => return None,
    })
}

fn code(letters: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let mut code = 0;
    for _ in 0..digits {
        code = code * 16 + letters.next()?.to_digit(16)?;
    }
    char::from_u32(code)
}
