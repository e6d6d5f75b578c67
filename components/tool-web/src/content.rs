//! What an answer is, by its media type and its first bytes.

/// What can be done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Html,
    /// Shown as it is.
    Text,
    /// One that models can see, by its media type.
    Image(&'static str),
    Pdf,
    /// Nothing.
    Other,
}

/// Bytes that tell what a text is, where nothing else does.
const SNIFF_BYTES: usize = 1024;

/// Of types outside `text/` that are text.
const TEXT_TYPES: [&str; 22] = [
    "application/ecmascript",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/json5",
    "application/jsonlines",
    "application/jsonl",
    "application/ndjson",
    "application/rtf",
    "application/sql",
    "application/toml",
    "application/typescript",
    "application/x-javascript",
    "application/x-ndjson",
    "application/x-sh",
    "application/x-tex",
    "application/x-yaml",
    "application/xml",
    "application/xml-dtd",
    "application/yaml",
    "message/rfc822",
    "image/svg+xml",
];

const HTML_TYPES: [&str; 2] = ["text/html", "application/xhtml+xml"];

/// Types that say nothing.
const UNKNOWN_TYPES: [&str; 4] = ["", "application/octet-stream", "binary/octet-stream", "application/unknown"];

fn is_text_type(media_type: &str) -> bool {
    let by_suffix = ["+json", "+xml", "+yaml", "+toml"].iter().any(|suffix| media_type.ends_with(suffix));
    by_suffix || media_type.starts_with("text/") || TEXT_TYPES.contains(&media_type)
}

/// Whether a body of this type is worth reading.
pub fn is_worth_reading(media_type: &str) -> bool {
    is_text_type(media_type)
        || HTML_TYPES.contains(&media_type)
        || UNKNOWN_TYPES.contains(&media_type)
        || is_pdf_type(media_type)
        || media_type.starts_with("image/")
}

fn is_pdf_type(media_type: &str) -> bool {
    matches!(media_type, "application/pdf" | "application/x-pdf")
}

pub fn kind(media_type: &str, body: &[u8]) -> Kind {
    let unknown = UNKNOWN_TYPES.contains(&media_type);
    // Servers are often wrong about which image it is.
    if let Some(image) = image(body)
        && (unknown || media_type.starts_with("image/"))
    {
        return Kind::Image(image);
    }
    if body.starts_with(b"%PDF-") && (unknown || is_pdf_type(media_type)) {
        return Kind::Pdf;
    }
    let known_text = is_text_type(media_type) || HTML_TYPES.contains(&media_type);
    if !(known_text || unknown) || is_binary(body) {
        return Kind::Other;
    }
    let says_nothing = unknown || media_type == "text/plain";
    if HTML_TYPES.contains(&media_type) || says_nothing && unknown && looks_like_html(body) {
        return Kind::Html;
    }
    Kind::Text
}

/// An image that models can see.
fn image(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

/// No text has a NUL, but for UTF-16, which has a mark.
fn is_binary(body: &[u8]) -> bool {
    let has_mark = body.starts_with(&[0xff, 0xfe]) || body.starts_with(&[0xfe, 0xff]);
    !has_mark && body[..body.len().min(8 * SNIFF_BYTES)].contains(&0)
}

fn looks_like_html(body: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&body[..body.len().min(SNIFF_BYTES)]).to_ascii_lowercase();
    let head = head.trim_start_matches('\u{feff}').trim_start();
    head.starts_with("<!doctype html") || head.starts_with("<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_bytes_agree_on_a_kind() {
        let png = b"\x89PNG\r\n\x1a\n\0\0";
        for (media_type, body, expected) in [
            ("text/html", &b"<p>"[..], Kind::Html),
            ("application/xhtml+xml", b"<p/>", Kind::Html),
            ("", b"\n<!DOCTYPE html><p>", Kind::Html),
            ("application/octet-stream", b"<HTML>", Kind::Html),
            ("text/plain", b"<!DOCTYPE html>", Kind::Text),
            ("text/csv", b"a,b", Kind::Text),
            ("application/json", b"{}", Kind::Text),
            ("application/vnd.api+json", b"{}", Kind::Text),
            ("application/atom+xml", b"<feed/>", Kind::Text),
            ("image/svg+xml", b"<svg/>", Kind::Text),
            ("", b"just text", Kind::Text),
            ("", b"", Kind::Text),
            ("text/plain", b"\xff\xfea\0", Kind::Text),
            ("image/png", png, Kind::Image("image/png")),
            ("image/jpeg", png, Kind::Image("image/png")),
            ("", b"GIF89a", Kind::Image("image/gif")),
            ("", b"\xff\xd8\xff\xe0", Kind::Image("image/jpeg")),
            ("image/webp", b"RIFF\0\0\0\0WEBPVP8 ", Kind::Image("image/webp")),
            ("application/pdf", b"%PDF-1.7", Kind::Pdf),
            ("application/octet-stream", b"%PDF-1.7", Kind::Pdf),
            ("image/avif", b"\0\0\0\x1cftypavif", Kind::Other),
            ("application/pdf", b"nothing of it", Kind::Other),
            ("application/zip", b"PK\x03\x04", Kind::Other),
            ("video/mp4", b"", Kind::Other),
            ("application/octet-stream", b"\x7fELF\0", Kind::Other),
            ("text/plain", b"a\0b", Kind::Other),
        ] {
            assert_eq!(kind(media_type, body), expected, "{media_type} {body:?}");
            if expected != Kind::Other {
                assert!(is_worth_reading(media_type), "{media_type}");
            }
        }
        assert!(!is_worth_reading("video/mp4") && !is_worth_reading("application/zip"));
    }
}
