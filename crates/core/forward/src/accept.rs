//! What `Accept` prefers of text and JSON (RFC 9110 section 12.5.1).

const JSON: (&str, &str) = ("application", "json");
const TEXT: (&str, &str) = ("text", "plain");

/// How much a type is wanted, and by which range of the header, so that of equals the one named first is taken.
#[derive(Clone, Copy, Default)]
struct Wish {
    /// 3 the type itself, 2 `application/*`, 1 `*/*`, 0 not at all.
    specific: u8,
    /// In thousandths.
    quality: u16,
    place: usize,
}

/// Whether JSON is wanted more than text. Text has it when neither was named.
pub(crate) fn prefers_json(accept: &[u8]) -> bool {
    let Ok(accept) = std::str::from_utf8(accept) else { return false };
    let (mut json, mut text) = (Wish::default(), Wish::default());
    for (place, range) in accept.split(',').enumerate() {
        let mut parts = range.split(';');
        let media = parts.next().unwrap_or("").trim();
        let quality = parts.find_map(quality).unwrap_or(1000);
        json.consider(JSON, media, quality, place);
        text.consider(TEXT, media, quality, place);
    }
    let named_first = json.specific == 3 && (text.specific < 3 || json.place < text.place);
    json.quality > text.quality || (json.quality == text.quality && json.quality > 0 && named_first)
}

/// `q=0.5` in thousandths.
fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    let value: f32 = name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().ok())??;
    Some((value.clamp(0.0, 1.0) * 1000.0) as u16)
}

impl Wish {
    fn consider(&mut self, (kind, subtype): (&str, &str), media: &str, quality: u16, place: usize) {
        let Some((left, right)) = media.split_once('/') else { return };
        let specific = match (left, right) {
            ("*", "*") => 1,
            (left, "*") if left.eq_ignore_ascii_case(kind) => 2,
            (left, right) if left.eq_ignore_ascii_case(kind) && right.eq_ignore_ascii_case(subtype) => 3,
            _ => return,
        };
        if specific > self.specific {
            *self = Wish { specific, quality, place };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, json: bool) {
        assert_eq!(prefers_json(accept.as_bytes()), json, "{accept}");
    }

    #[test]
    fn json_is_given_to_who_prefers_it() {
        check("application/json", true);
        check("Application/JSON; charset=utf-8", true);
        check("application/json, text/plain, */*", true);
        check("text/plain;q=0.5, application/*", true);
    }

    #[test]
    fn everybody_else_gets_text() {
        check("*/*", false);
        check("", false);
        check("text/html,application/xhtml+xml,*/*;q=0.8", false);
        check("text/plain, application/json", false);
        check("application/json;q=0", false);
        check("application/json;q=0.2, text/plain", false);
        check("nonsense;;;,=,/", false);
    }
}
