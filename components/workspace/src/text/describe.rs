//! Says in a few words what content is that is not shown as lines.

use imagesize::{Compression, ImageType};

use super::is_text;

/// How much of the start of content [`describe`] can use.
pub const HEAD_BYTES: usize = 64 * 1024;

/// For instance `PNG image, 640 × 480, 12.3 kB`. `head` is the start of the content, `size` its whole length in bytes, and the
/// path's extension tells formats apart that begin alike.
pub fn describe(head: &[u8], size: u64, path: &str) -> String {
    if size == 0 {
        return "empty".to_owned();
    }
    let head = head.get(..HEAD_BYTES).unwrap_or(head);
    let extension =
        path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, extension)| extension);
    let what = if is_text(head) && is_utf8(head) {
        // What begins like a format by chance.
        if head.starts_with(b"%PDF-") { "PDF document".to_owned() } else { "text".to_owned() }
    } else if let Some(image) = image(head) {
        image
    } else if let Some(name) = format(head, &extension.to_ascii_lowercase()) {
        name.to_owned()
    } else if is_text(head) {
        "text".to_owned()
    } else {
        "binary".to_owned()
    };
    format!("{what}, {}", bytes(size))
}

/// Whether it is UTF-8, but for a character that is cut at the end.
fn is_utf8(head: &[u8]) -> bool {
    std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true)
}

fn image(head: &[u8]) -> Option<String> {
    let name = match imagesize::image_type(head).ok()? {
        ImageType::Bmp => "BMP",
        ImageType::Gif => "GIF",
        ImageType::Heif(Compression::Av1) => "AVIF",
        ImageType::Heif(_) => "HEIF",
        ImageType::Ico => "icon",
        ImageType::Jpeg => "JPEG",
        ImageType::Jxl => "JPEG XL",
        ImageType::Png => "PNG",
        ImageType::Psd => "Photoshop",
        ImageType::Tiff => "TIFF",
        ImageType::Webp => "WebP",
        _ => return None,
    };
    let name = if name == "icon" { name.to_owned() } else { format!("{name} image") };
    Some(match imagesize::blob_size(head) {
        Ok(size) => format!("{name}, {} × {}", size.width, size.height),
        Err(_) => name,
    })
}

/// What content is that begins with these bytes at this place, with any of these extensions; with none: whatever it is called.
const FORMATS: &[(usize, &[u8], &[&str], &str)] = &[
    (0, b"\0asm\x01\0\0\0", &[], "WebAssembly module"),
    (0, b"\0asm\x0d\0\x01\0", &[], "WebAssembly component"),
    (0, b"\0asm", &[], "WebAssembly"),
    (0, b"\x7fELF", &["so"], "ELF library"),
    (0, b"\x7fELF", &["o", "ko"], "ELF object"),
    (0, b"\x7fELF", &[], "ELF program"),
    (0, b"\xcf\xfa\xed\xfe", &["dylib"], "Mach-O library"),
    (0, b"\xcf\xfa\xed\xfe", &["o"], "Mach-O object"),
    (0, b"\xcf\xfa\xed\xfe", &[], "Mach-O program"),
    (0, b"MZ", &["dll"], "Windows library"),
    (0, b"MZ", &[], "Windows program"),
    (0, b"\xca\xfe\xba\xbe", &["class"], "Java class"),
    (0, b"\xca\xfe\xba\xbe", &[], "Mach-O program"),
    (0, b"!<arch>\n", &["deb"], "Debian package"),
    (0, b"!<arch>\n", &[], "static library"),
    (0, b"PK\x03\x04", &["jar", "war"], "Java archive"),
    (0, b"PK\x03\x04", &["apk"], "Android package"),
    (0, b"PK\x03\x04", &["docx", "odt"], "text document"),
    (0, b"PK\x03\x04", &["xlsx", "ods"], "spreadsheet"),
    (0, b"PK\x03\x04", &["pptx", "odp"], "presentation"),
    (0, b"PK\x03\x04", &["epub"], "EPUB book"),
    (0, b"PK\x03\x04", &["whl"], "Python wheel"),
    (0, b"PK\x03\x04", &[], "ZIP archive"),
    (0, b"PK\x05\x06", &[], "ZIP archive"),
    (0, b"\x1f\x8b", &["tgz"], "tar archive, gzip"),
    (0, b"\x1f\x8b", &[], "gzip data"),
    (0, b"\x28\xb5\x2f\xfd", &[], "Zstandard data"),
    (0, b"\xfd7zXZ\0", &[], "xz data"),
    (0, b"BZh", &[], "bzip2 data"),
    (0, b"7z\xbc\xaf\x27\x1c", &[], "7z archive"),
    (257, b"ustar", &[], "tar archive"),
    (0, b"%PDF-", &[], "PDF document"),
    (0, b"SQLite format 3\0", &[], "SQLite database"),
    (0, b"wOFF", &[], "WOFF font"),
    (0, b"wOF2", &[], "WOFF2 font"),
    (0, b"OTTO", &[], "OpenType font"),
    (0, b"\0\x01\0\0\0", &["ttf"], "TrueType font"),
    (0, b"ID3", &[], "MP3 audio"),
    (0, b"OggS", &[], "Ogg media"),
    (0, b"fLaC", &[], "FLAC audio"),
    (8, b"WAVE", &["wav"], "WAV audio"),
    (4, b"ftyp", &["m4a"], "MPEG-4 audio"),
    (4, b"ftyp", &[], "MPEG-4 video"),
    (0, b"\x1a\x45\xdf\xa3", &["webm"], "WebM video"),
    (0, b"\x1a\x45\xdf\xa3", &[], "Matroska video"),
];

fn format(head: &[u8], extension: &str) -> Option<&'static str> {
    let found = FORMATS.iter().find(|(at, magic, extensions, _)| {
        head.get(*at..).is_some_and(|rest| rest.starts_with(magic))
            && (extensions.is_empty() || extensions.contains(&extension))
    });
    found.map(|(.., name)| *name)
}

/// A number of bytes for people: `1 byte`, `512 bytes`, `12.3 kB`.
fn bytes(size: u64) -> String {
    if size < 1_000 {
        return if size == 1 { "1 byte".to_owned() } else { format!("{size} bytes") };
    }
    let mut unit = 1_000u64;
    let mut names = ["kB", "MB", "GB", "TB", "PB"].into_iter();
    let mut name = names.next().unwrap_or_default();
    // Halves are rounded up, so that 999,950 is 1.0 MB.
    let tenths = |unit: u64| (size / (unit / 10)).saturating_add(u64::from(size % (unit / 10) >= unit / 20));
    while tenths(unit) >= 10_000 {
        let Some(larger) = names.next() else { break };
        (name, unit) = (larger, unit * 1_000);
    }
    let tenths = tenths(unit);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}
