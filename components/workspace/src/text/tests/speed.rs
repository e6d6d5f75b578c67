//! Nothing that is compared at all takes long. The limit leaves room for machines under load.

use std::time::{Duration, Instant};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    println!("{what}: {:?}", start.elapsed());
    assert!(start.elapsed() < LIMIT, "{what}: {:?}", start.elapsed());
    result
}

/// Text of the most bytes that are compared, of lines from this many.
fn text(random: &mut Random, distinct: u64) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < COMPARED_BYTES_MAX {
        text.push_str(&format!("{:x}\n", random.next() % distinct));
        if distinct == u64::MAX && random.one_in(2) {
            text.push('\n');
        }
    }
    text.truncate(COMPARED_BYTES_MAX);
    text.into_bytes()
}

fn check(what: &str, before: &[u8], after: &[u8]) {
    let found = timed(what, || diff(before, after, 3, 1_000));
    let all: Vec<u32> =
        (0..timed("  blocks", || lines::Lines::compare(before, after, lines::Slide::Indent)).blocks().len())
            .map(|block| block as u32)
            .collect();
    assert!(timed("  applied", || apply_blocks(before, after, &all)).unwrap() == after);
    let shown: usize = found.hunks.iter().map(|hunk| hunk.lines.len()).sum();
    assert!(shown <= 1_000);
}

#[test]
fn two_files_without_anything_in_common() {
    for distinct in [2, 100, 10_000, 1_000_000, u64::MAX - 1, u64::MAX] {
        let random = &mut Random::new(distinct);
        let (before, after) = (text(random, distinct), text(random, distinct));
        check(&format!("{distinct} lines"), &before, &after);
        // About as many lines as are still compared at once.
        let start =
            |text: &[u8]| text.split_inclusive(|&byte| byte == b'\n').take(131_000).flatten().copied().collect();
        let (before, after): (Vec<u8>, Vec<u8>) = (start(&before), start(&after));
        check(&format!("some of {distinct} lines"), &before, &after);
    }
}

#[test]
fn edits_far_apart_in_a_long_file() {
    let numbers = |skip: usize| -> Vec<u8> {
        let lines = (0..COMPARED_BYTES_MAX / 8).filter(|number| skip == 0 || number % skip != 7);
        lines.flat_map(|number| format!("{number}\n").into_bytes()).collect()
    };
    let before = numbers(0);
    for skip in [1_000_000, 10_000, 100, 10] {
        let after = numbers(skip);
        check(&format!("each {skip}th line"), &before, &after);
        let found = diff(&before, &after, 0, u32::MAX);
        assert_eq!(found.lines_added, 0);
        assert_eq!(found.lines_removed, (COMPARED_BYTES_MAX / 8 - 7).div_ceil(skip) as u64);
    }
}

#[test]
fn lines_that_repeat() {
    let before = b"a\n".repeat(COMPARED_BYTES_MAX / 2);
    let mut after = Vec::new();
    while after.len() < COMPARED_BYTES_MAX - 8 {
        after.extend_from_slice(if after.len() % 16 < 8 { b"a\na\na\n" } else { b"a\na\na\nb\n" });
    }
    check("repeated", &before, &after);
    check("repeated, back", &after, &before);
    check("shorter", &before, &b"a\n".repeat(1_000_000));
    let small = COMPARED_BYTES_MAX / 64;
    check("repeated, few", &before[..small], &after[..small]);
    check("repeated, few, back", &after[..small], &before[..small]);
    for lines in [COMPARED_BYTES_MAX / 400, COMPARED_BYTES_MAX / 80] {
        let before = b"a\n".repeat(lines);
        let after: Vec<u8> =
            (0..lines).flat_map(|number| if number % 6 == 5 { b"b\n" } else { b"a\n" }).copied().collect();
        check(&format!("{lines} repeated"), &before, &after);
        check(&format!("{lines} repeated, back"), &after, &before);
    }
    check("blank", &b"\n".repeat(COMPARED_BYTES_MAX), &b"\nx".repeat(COMPARED_BYTES_MAX / 2));
}

#[test]
fn few_or_long_lines() {
    let random = &mut Random::new(1);
    let bytes =
        |random: &mut Random| -> Vec<u8> { (0..COMPARED_BYTES_MAX).map(|_| b'a' + random.below(26) as u8).collect() };
    check("one line", &bytes(random), &bytes(random));
    // As many lines as words are compared in, each as long as that, all of the same few words.
    let words = |random: &mut Random| -> Vec<u8> {
        let line = |random: &mut Random| -> String {
            (0..999).map(|_| ["a ", "b ", "c ", "d "][random.below(4)]).chain(["\n"]).collect()
        };
        (0..4_000)
            .flat_map(|number| if number % 50 == 0 { "same\n".to_owned() } else { line(random) }.into_bytes())
            .collect()
    };
    let (before, after) = (words(random), words(random));
    timed("words", || diff(&before, &after, 3, u32::MAX));
}

#[test]
fn merges_of_long_files() {
    let random = &mut Random::new(5);
    for distinct in [2, 10_000, u64::MAX] {
        let (base, ours, theirs) = (text(random, distinct), text(random, distinct), text(random, distinct));
        timed(&format!("merge of {distinct} lines"), || merge(&base, &ours, &theirs));
    }
}
