//! From bytes to text, in whatever encoding they are.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

/// Where a page says its encoding, if it does: see the HTML standard.
const DECLARED_WITHIN_BYTES: usize = 1024;

/// The text of a body: a byte order mark, the header, the document, or, where none says so, what it looks like decides.
pub fn decode<'a>(bytes: &'a [u8], content_type: &str) -> Cow<'a, str> {
    let declared = charset(content_type).or_else(|| declared(bytes));
    // A mark wins over everything, and is no text.
    declared.unwrap_or_else(|| guess(bytes)).decode(bytes).0
}

fn charset(content_type: &str) -> Option<&'static Encoding> {
    let parameters = content_type.split(';').skip(1);
    let value = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })?;
    Encoding::for_label(value.as_bytes())
}

/// `<meta charset="…">`, `<meta … content="…; charset=…">` or `<?xml … encoding="…"?>`.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(DECLARED_WITHIN_BYTES)];
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let after = |tag: &str, name: &str| {
        let tags = head.match_indices(tag).map(|(start, _)| head[start..].split('>').next().unwrap_or_default());
        tags.filter_map(|tag| Some(tag.split_once(name)?.1.trim_start().strip_prefix('=')?.trim_start())).find_map(
            |value| {
                let value = value.trim_start_matches(['"', '\'']);
                let end = value.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '/' | '?'));
                Encoding::for_label(&value.as_bytes()[..end.unwrap_or(value.len())])
            },
        )
    };
    let found = after("<meta", "charset").or_else(|| after("<?xml", "encoding"));
    // What could be read up to here is no UTF-16, whatever it says.
    found.map(|encoding| if encoding.name().starts_with("UTF-16") { UTF_8 } else { encoding })
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use encoding_rs::{SHIFT_JIS, WINDOWS_1251};

    use super::*;

    #[test]
    fn the_header_the_document_and_the_bytes_are_asked_in_this_order() {
        assert_eq!(decode(b"gr\xfc\xdfe", "text/plain; charset=ISO-8859-1"), "grüße");
        assert_eq!(decode(b"gr\xfc\xdfe", "text/plain; x=y; Charset=\"latin1\""), "grüße");
        assert_eq!(decode(b"<meta charset=windows-1252>\xfc", "text/html"), "<meta charset=windows-1252>ü");
        let equiv = b"<META http-equiv=Content-Type content=\"text/html; charset=koi8-r\">\xc1";
        assert!(decode(equiv, "text/html").ends_with('а'));
        assert!(decode(b"<?xml version='1.0' encoding='iso-8859-2'?>\xb1", "text/xml").ends_with('ą'));
        assert_eq!(decode("grüße".as_bytes(), "text/html"), "grüße");
        // The header knows better than the document, unknown names know nothing.
        assert!(decode("<meta charset=latin1>ü".as_bytes(), "text/html; charset=utf-8").ends_with('ü'));
        assert_eq!(decode("ü".as_bytes(), "text/html; charset=none-such"), "ü");
    }

    #[test]
    fn a_byte_order_mark_wins() {
        assert_eq!(decode(b"\xef\xbb\xbfa", "text/plain; charset=latin1"), "a");
        assert_eq!(decode(b"\xff\xfea\0b\0", "text/plain"), "ab");
        assert_eq!(decode("<meta charset=utf-16>ü".as_bytes(), "text/html"), "<meta charset=utf-16>ü");
    }

    #[test]
    fn what_nobody_declares_is_guessed() {
        let russian = "Съешь же ещё этих мягких французских булок, да выпей чаю";
        assert_eq!(decode(&WINDOWS_1251.encode(russian).0, "text/plain"), russian);
        let japanese = "色は匂へど散りぬるを我が世誰ぞ常ならむ";
        assert_eq!(decode(&SHIFT_JIS.encode(japanese).0, "text/plain"), japanese);
    }

    #[test]
    fn broken_text_stays_readable() {
        assert_eq!(decode(b"a\xffb", "text/plain; charset=utf-8"), "a\u{fffd}b");
        assert_eq!(decode(b"", ""), "");
    }
}
