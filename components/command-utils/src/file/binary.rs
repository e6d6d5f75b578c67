//! Data that begins with a number of its own.

use super::Kind;

/// Where it stands, the bytes, what it is. The first that fits counts.
const SIGNS: &[(usize, &[u8], &str, &str)] = &[
    (0, b"!<arch>\n", "current ar archive", "application/x-archive"),
    (0, b"BZh", "bzip2 compressed data", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "XZ compressed data", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard compressed data (v0.8+)", "application/zstd"),
    (0, b"\x04\x22\x4d\x18", "LZ4 compressed data (v1.4+)", "application/x-lz4"),
    (0, b"LZIP", "lzip compressed data", "application/x-lzip"),
    (0, b"\x1f\x9d", "compress'd data", "application/x-compress"),
    (0, b"7z\xbc\xaf\x27\x1c", "7-zip archive data", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "RAR archive data", "application/x-rar"),
    (257, b"ustar  \0", "POSIX tar archive (GNU)", "application/x-tar"),
    (257, b"ustar\0", "POSIX tar archive", "application/x-tar"),
    (0, b"070701", "ASCII cpio archive (SVR4 with no CRC)", "application/x-cpio"),
    (0, b"070702", "ASCII cpio archive (SVR4 with CRC)", "application/x-cpio"),
    (0, b"070707", "ASCII cpio archive (pre-SVR4 or odc)", "application/x-cpio"),
    (0, b"SQLite format 3\0", "SQLite 3.x database", "application/vnd.sqlite3"),
    (0, b"\xff\xd8\xff", "JPEG image data", "image/jpeg"),
    (0, b"II*\0", "TIFF image data, little-endian", "image/tiff"),
    (0, b"MM\0*", "TIFF image data, big-endian", "image/tiff"),
    (0, b"\0\0\x01\0", "MS Windows icon resource", "image/vnd.microsoft.icon"),
    (8, b"WEBP", "RIFF (little-endian) data, Web/P image", "image/webp"),
    (8, b"WAVE", "RIFF (little-endian) data, WAVE audio", "audio/x-wav"),
    (8, b"AVI ", "RIFF (little-endian) data, AVI", "video/x-msvideo"),
    (0, b"OggS", "Ogg data", "audio/ogg"),
    (0, b"fLaC", "FLAC audio bitstream data", "audio/flac"),
    (0, b"ID3", "Audio file with ID3", "audio/mpeg"),
    (4, b"ftyp", "ISO Media", "video/mp4"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska data", "video/x-matroska"),
    (0, b"\0asm\x01\0\0\0", "WebAssembly (wasm) binary module version 0x1 (MVP)", "application/wasm"),
    (0, b"\0asm\x0d\0\x01\0", "WebAssembly (wasm) component", "application/wasm"),
    (0, b"\xca\xfe\xba\xbe", "compiled Java class data", "application/x-java-applet"),
    (0, b"\xcf\xfa\xed\xfe", "Mach-O 64-bit", "application/x-mach-binary"),
    (0, b"wOF2", "Web Open Font Format (Version 2)", "font/woff2"),
    (0, b"wOFF", "Web Open Font Format", "font/woff"),
    (0, b"\0\x01\0\0\0", "TrueType Font data", "font/sfnt"),
    (0, b"OTTO", "OpenType font data", "application/vnd.ms-opentype"),
    (0, b"PAR1", "Apache Parquet", "application/octet-stream"),
    (0, b"ARROW1", "Apache Arrow columnar file", "application/octet-stream"),
    (0, b"\x89HDF\r\n\x1a\n", "Hierarchical Data Format (version 5) data", "application/x-hdf5"),
    (0, b"\x93NUMPY", "NumPy array", "application/octet-stream"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Composite Document File V2 Document", "application/x-ole-storage"),
    (0, b"PACK", "Git pack", "application/octet-stream"),
    (0, b"DIRC", "Git index", "application/octet-stream"),
    (0, b"\xd4\xc3\xb2\xa1", "pcap capture file, microsecond ts (little-endian)", "application/vnd.tcpdump.pcap"),
];

fn number(bytes: &[u8], at: usize, length: usize, lowest_first: bool) -> Option<u64> {
    let bytes = bytes.get(at..at + length)?;
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    Some(if lowest_first { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
}

pub fn kind(bytes: &[u8]) -> Option<Kind> {
    if let Some(rest) = bytes.strip_prefix(b"GIF8")
        && let [version, b'a', ..] = rest
    {
        let size = number(bytes, 6, 2, true).zip(number(bytes, 8, 2, true));
        let size = size.map(|(width, height)| format!(", {width} x {height}")).unwrap_or_default();
        return Some(Kind::new(format!("GIF image data, version 8{}a{size}", char::from(*version)), "image/gif"));
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some(Kind::new(png(bytes).unwrap_or_else(|| "PNG image data".to_owned()), "image/png"));
    }
    if bytes.starts_with(b"\x7fELF") {
        return Some(elf(bytes));
    }
    if let Some(rest) = bytes.strip_prefix(b"%PDF-") {
        let version: String = rest.iter().take(3).map(|byte| char::from(*byte)).collect();
        return Some(Kind::new(format!("PDF document, version {version}"), "application/pdf"));
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Some(zip(bytes));
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return Some(Kind::new(gzip(bytes), "application/gzip"));
    }
    if bytes.starts_with(b"BM") && number(bytes, 14, 4, true) == Some(40) {
        let (width, height) = (number(bytes, 18, 4, true)?, number(bytes, 22, 4, true)?);
        let bits = number(bytes, 28, 2, true)?;
        return Some(Kind::new(format!("PC bitmap, Windows 3.x format, {width} x {height} x {bits}"), "image/bmp"));
    }
    if bytes.starts_with(b"MZ") {
        let is_new = number(bytes, 60, 4, true)
            .and_then(|at| bytes.get(usize::try_from(at).ok()?..))
            .is_some_and(|at| at.starts_with(b"PE\0\0"));
        let words = if is_new { "PE executable for MS Windows" } else { "MS-DOS executable" };
        return Some(Kind::new(words, "application/vnd.microsoft.portable-executable"));
    }
    let fits =
        |(at, sign, ..): &&(usize, &[u8], &str, &str)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(sign));
    SIGNS.iter().find(fits).map(|(_, _, words, mime)| Kind::new(*words, mime))
}

fn png(bytes: &[u8]) -> Option<String> {
    let (width, height) = (number(bytes, 16, 4, false)?, number(bytes, 20, 4, false)?);
    let (depth, color, interlaced) = (bytes.get(24)?, bytes.get(25)?, bytes.get(28)?);
    let color = match color {
        0 => "grayscale",
        2 => "/color RGB",
        3 => " colormap",
        4 => " gray+alpha",
        _ => "/color RGBA",
    };
    let color = if color == "grayscale" { format!("{depth}-bit {color}") } else { format!("{depth}-bit{color}") };
    let interlaced = if *interlaced == 0 { "non-interlaced" } else { "interlaced" };
    Some(format!("PNG image data, {width} x {height}, {color}, {interlaced}"))
}

fn elf(bytes: &[u8]) -> Kind {
    let class = match bytes.get(4) {
        Some(1) => " 32-bit".to_owned(),
        Some(2) => " 64-bit".to_owned(),
        Some(other) => format!(", unknown class {other}"),
        None => String::new(),
    };
    let lowest_first = bytes.get(5) != Some(&2);
    let order = match bytes.get(5) {
        Some(1) => " LSB",
        Some(2) => " MSB",
        _ => "",
    };
    let (kind, mime) = match number(bytes, 16, 2, lowest_first) {
        Some(1) => (" relocatable", "application/x-object"),
        Some(2) => (" executable", "application/x-executable"),
        Some(3) => (" shared object", "application/x-sharedlib"),
        Some(4) => (" core file", "application/x-coredump"),
        _ => ("", "application/octet-stream"),
    };
    let machine = match number(bytes, 18, 2, lowest_first) {
        Some(3) => ", Intel 80386",
        Some(40) => ", ARM",
        Some(62) => ", x86-64",
        Some(183) => ", ARM aarch64",
        Some(243) => ", UCB RISC-V",
        _ => "",
    };
    Kind::new(format!("ELF{class}{order}{kind}{machine}"), mime)
}

fn zip(bytes: &[u8]) -> Kind {
    if bytes.starts_with(b"PK\x05\x06") {
        return Kind::new("Zip archive data (empty)", "application/zip");
    }
    // The first file's name, and what is in it where it is stored as it is, tell what the archive is for.
    let length = number(bytes, 26, 2, true).unwrap_or(0) as usize;
    let name = bytes.get(30..30 + length).unwrap_or_default();
    let begins = |part: &[u8]| bytes.windows(part.len()).take(4096).any(|window| window == part);
    if name == b"mimetype" && begins(b"application/epub+zip") {
        return Kind::new("EPUB document", "application/epub+zip");
    }
    if name == b"mimetype" && begins(b"application/vnd.oasis.opendocument.") {
        return Kind::new("OpenDocument", "application/zip");
    }
    if begins(b"word/") {
        return Kind::new(
            "Microsoft Word 2007+",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        );
    }
    if begins(b"xl/") {
        return Kind::new("Microsoft Excel 2007+", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet");
    }
    if begins(b"META-INF/") {
        return Kind::new("Java archive data (JAR)", "application/java-archive");
    }
    let version = bytes.get(4).copied().unwrap_or(20);
    Kind::new(format!("Zip archive data, at least v{}.{} to extract", version / 10, version % 10), "application/zip")
}

fn gzip(bytes: &[u8]) -> String {
    let mut words = "gzip compressed data".to_owned();
    if bytes.get(3).is_some_and(|flags| flags & 8 != 0) {
        let name = bytes.get(10..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
        words.push_str(&format!(", was \"{}\"", String::from_utf8_lossy(name)));
    }
    match bytes.get(8) {
        Some(2) => words.push_str(", max compression"),
        Some(4) => words.push_str(", max speed"),
        _ => {}
    }
    match bytes.get(9) {
        Some(3) => words.push_str(", from Unix"),
        Some(0) => words.push_str(", from FAT filesystem (MS-DOS, OS/2, NT)"),
        _ => {}
    }
    words
}
