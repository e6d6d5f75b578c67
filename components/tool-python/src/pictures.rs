//! The images that a program showed: files that its `display` left in the call's own folder.

use std::fs;
use std::path::Path;

/// All images of a call, so that its result stays below what a call may put out.
const BYTES_MAX: u64 = 3 << 20;

/// As many as `display` writes.
const COUNT_MAX: usize = 16;

/// What a program showed.
#[derive(Debug, Default, PartialEq)]
pub struct Pictures {
    /// Media type and bytes.
    pub images: Vec<(&'static str, Vec<u8>)>,
    /// Those that were too much: they are left out.
    pub left_out: usize,
}

/// Takes the images out of the folder, which then goes.
pub fn take(folder: &Path) -> Pictures {
    let mut pictures = Pictures::default();
    let Ok(entries) = fs::read_dir(folder) else { return pictures };
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut bytes = 0;
    for path in &paths {
        let Some(media_type) = media_type(path) else { continue };
        let size = fs::metadata(path).map_or(u64::MAX, |data| data.len());
        bytes = size.saturating_add(bytes);
        match fs::read(path) {
            Ok(image) if bytes <= BYTES_MAX && pictures.images.len() < COUNT_MAX => {
                pictures.images.push((media_type, image));
            }
            _ => pictures.left_out += 1,
        }
    }
    // Scratch that stays behind harms nobody.
    let _ = fs::remove_dir_all(folder);
    pictures
}

fn media_type(path: &Path) -> Option<&'static str> {
    Some(match path.extension()?.to_str()? {
        "png" => "image/png",
        "jpg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_taken_in_order_and_within_bounds() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("shown");
        assert_eq!(take(&folder), Pictures::default());
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("display-02.svg"), "<svg/>").unwrap();
        fs::write(folder.join("display-01.png"), "one").unwrap();
        fs::write(folder.join("display-03.png"), vec![0; BYTES_MAX as usize]).unwrap();
        fs::write(folder.join("other.txt"), "no image").unwrap();
        let pictures = take(&folder);
        assert_eq!(pictures.images, [("image/png", b"one".to_vec()), ("image/svg+xml", b"<svg/>".to_vec())]);
        assert_eq!(pictures.left_out, 1);
        assert!(!folder.exists());
    }
}
