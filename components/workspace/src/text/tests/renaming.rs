use super::renames::Rename;
use super::*;

fn lines(range: std::ops::Range<u32>) -> Vec<u8> {
    range.flat_map(|number| format!("line number {number}\n").into_bytes()).collect()
}

#[test]
fn similarity_is_the_share_of_common_lines() {
    assert_eq!(similarity(b"", b""), 100);
    assert_eq!(similarity(b"", b"a"), 0);
    assert_eq!(similarity(b"a\nb\n", b"b\na\n"), 100);
    assert_eq!(similarity(b"a\nb\n", b"a\nc\n"), 50);
    assert_eq!(similarity(b"a\na\n", b"a\n"), 50);
    assert_eq!(similarity(&lines(0..100), &lines(10..100)), 90);
    assert_eq!(similarity(&[7; 64_000], &[7; 32_000]), 50);
}

type Files<'a> = &'a [(&'a str, Vec<u8>)];

/// Pairs files given by path and content. Says which, and how many were read.
fn paired(deleted: Files<'_>, added: Files<'_>) -> (Vec<String>, usize) {
    let digests = |files: Files<'_>| -> Vec<String> { files.iter().map(|file| format!("{:?}", file.1)).collect() };
    let (old_digests, new_digests) = (digests(deleted), digests(added));
    fn candidates<'a>(files: Files<'a>, digests: &'a [String]) -> Vec<Candidate<'a>> {
        let candidate = |((path, content), digest): (&'a (&str, Vec<u8>), &'a String)| Candidate {
            path,
            digest,
            size: content.len() as u64,
        };
        files.iter().zip(digests).map(candidate).collect()
    }
    let mut read = Vec::new();
    let found = renames(&candidates(deleted, &old_digests), &candidates(added, &new_digests), |which, place| {
        assert!(!read.contains(&(which, place)), "read twice");
        read.push((which, place));
        Some(if which == Which::Deleted { deleted } else { added }[place].1.clone())
    });
    let show =
        |rename: &Rename| format!("{} -> {} {}", deleted[rename.deleted].0, added[rename.added].0, rename.similarity);
    (found.iter().map(show).collect(), read.len())
}

#[test]
fn same_content_is_a_rename_without_reading_it() {
    let files = |paths: &[&'static str]| paths.iter().map(|path| (*path, lines(0..9))).collect::<Vec<_>>();
    assert_eq!(paired(&files(&["a"]), &files(&["b"])), (vec!["a -> b 100".to_owned()], 0));
    let (found, read) = paired(&files(&["a/x", "b/y", "c/z"]), &files(&["d/w", "e/y", "f/x", "g/v"]));
    assert_eq!(found, ["c/z -> d/w 100", "b/y -> e/y 100", "a/x -> f/x 100"]);
    assert_eq!(read, 0);
    assert_eq!(paired(&[("a", vec![])], &[("b", vec![])]), (vec![], 0));
}

#[test]
fn similar_content_is_a_rename() {
    let (found, _) = paired(
        &[("a", lines(0..100)), ("b", lines(1_000..1_100)), ("c", lines(2_000..2_100))],
        &[("x", lines(1_020..1_100)), ("y", lines(10..100)), ("z", lines(2_060..2_160))],
    );
    assert_eq!(found, ["b -> x 80", "a -> y 90"]);

    // The best pairs first, and the same name where that makes no difference.
    let (found, _) = paired(
        &[("one/a", lines(0..100)), ("two/b", lines(0..99))],
        &[("three/b", lines(0..97)), ("three/c", lines(0..98))],
    );
    assert_eq!(found, ["two/b -> three/b 97", "one/a -> three/c 97"]);
}

#[test]
fn work_is_bounded() {
    // Sizes too different to be similar, or too large, are not read.
    let (found, read) = paired(
        &[("a", lines(0..100)), ("b", vec![b'a'; 1_100_000])],
        &[("c", lines(0..30)), ("d", vec![b'a'; 1_100_001])],
    );
    assert_eq!((found.len(), read), (0, 0));

    // As many files as are looked at, each with something in common with each.
    let paths: Vec<[String; 2]> = (0..1_000).map(|number| [format!("a{number}"), format!("b{number}")]).collect();
    let content = |from: u32| -> Vec<u8> {
        (from..from + 40).flat_map(|line| format!("{line} {}\n", line % 7).into_bytes()).collect()
    };
    let files = |which: usize| -> Vec<(&str, Vec<u8>)> {
        let offset = which as u32 * 2;
        paths.iter().zip(0..).map(|(paths, number)| (paths[which].as_str(), content(number * 5 + offset))).collect()
    };
    let start = std::time::Instant::now();
    let (found, _) = paired(&files(0), &files(1));
    println!("1,000 by 1,000 files: {} found, {:?}", found.len(), start.elapsed());
    assert!(found.len() > 500);
}
