//! What holds for all texts.

use super::blocks::NoBlock;
use super::lines::{Lines, Slide};
use super::*;

#[test]
fn text_is_what_git_takes_for_text() {
    assert!(is_text(b""));
    assert!(is_text(b"gr\xfc\xdfe\x01"));
    assert!(!is_text(b"a\0"));
    assert!(is_text(&[&[b'a'; 8_000][..], b"\0"].concat()));
    assert!(!is_text(&[&[b'a'; 7_999][..], b"\0"].concat()));
    assert!(is_compared(&vec![b'a'; COMPARED_BYTES_MAX]));
    assert!(!is_compared(&vec![b'a'; COMPARED_BYTES_MAX + 1]));
}

/// A text as a hunk shows it: lossily.
fn shown(text: &[u8]) -> Vec<(String, bool)> {
    let line = |line: &[u8]| {
        let text = line.strip_suffix(b"\n");
        (String::from_utf8_lossy(text.unwrap_or(line)).into_owned(), text.is_none())
    };
    text.split_inclusive(|&byte| byte == b'\n').map(line).collect()
}

#[test]
fn hunks_have_all_that_differs() {
    for seed in 0..400 {
        let random = &mut Random::new(seed);
        let (before, after) = versions(random);
        let context = [0, 1, 3, 1_000, u32::MAX][random.below(5)];
        let found = diff(&before, &after, context, u32::MAX);
        assert_eq!(found.lines_cut, 0);
        let (old, new) = (shown(&before), shown(&after));
        let (mut removed, mut added, mut last_block) = (0, 0, None);
        for hunk in &found.hunks {
            let side = |unwanted: Side| -> Vec<_> {
                let lines = hunk.lines.iter().filter(|line| line.side != unwanted);
                lines.map(|line| (line.text.clone(), line.unterminated)).collect()
            };
            let part = |all: &[(String, bool)], start: u32, lines: u32| -> Vec<_> {
                let start = if lines == 0 { start } else { start - 1 };
                all[start as usize..][..lines as usize].to_vec()
            };
            assert_eq!(side(Side::Added), part(&old, hunk.before_start, hunk.before_lines), "{seed}");
            assert_eq!(side(Side::Removed), part(&new, hunk.after_start, hunk.after_lines), "{seed}");
            for line in &hunk.lines {
                let end = line.text.len() as u32;
                assert!(line.emphasis.is_sorted_by(|a, b| a.end < b.start));
                for span in &line.emphasis {
                    assert!(span.start < span.end && span.end <= end);
                    assert!(line.text.get(span.start as usize..span.end as usize).is_some());
                }
                match line.side {
                    Side::Context => assert!(line.block == 0 && line.emphasis.is_empty()),
                    Side::Removed => removed += 1,
                    Side::Added => added += 1,
                }
                if line.side != Side::Context && last_block != Some(line.block) {
                    assert_eq!(line.block, last_block.map_or(0, |block| block + 1));
                    last_block = Some(line.block);
                }
            }
        }
        assert_eq!((found.lines_removed, found.lines_added), (removed, added));
        assert_eq!(found.hunks.is_empty(), before == after);
    }
}

#[test]
fn hunks_are_cut_where_there_are_too_many_lines() {
    for seed in 0..200 {
        let random = &mut Random::new(seed);
        let (before, after) = versions(random);
        let whole = diff(&before, &after, 3, u32::MAX);
        let lines: Vec<_> = whole.hunks.iter().flat_map(|hunk| &hunk.lines).collect();
        let most = random.below(lines.len() + 2);
        let cut = diff(&before, &after, 3, most as u32);
        let left: Vec<_> = cut.hunks.iter().flat_map(|hunk| &hunk.lines).collect();
        assert_eq!(left.len(), most.min(lines.len()));
        assert_eq!(cut.lines_cut, (lines.len() - left.len()) as u64);
        assert_eq!((cut.lines_added, cut.lines_removed), (whole.lines_added, whole.lines_removed));
        for (cut, whole) in cut.hunks.iter().zip(&whole.hunks) {
            let numbers = |hunk: &Hunk| [hunk.before_start, hunk.before_lines, hunk.after_start, hunk.after_lines];
            assert_eq!((numbers(cut), &cut.heading), (numbers(whole), &whole.heading));
            assert!(!cut.lines.is_empty());
        }
    }
}

#[test]
fn headings_keep_characters_whole() {
    let heading = |head: &str| {
        let before = format!("{head}\n{}", " \n".repeat(9));
        diff(before.as_bytes(), format!("{before}x").as_bytes(), 3, u32::MAX).hunks[0].heading.clone()
    };
    assert_eq!(heading("fn a() {\t "), "fn a() {");
    assert_eq!(heading("_a"), "_a");
    assert_eq!(heading(" a"), "");
    assert_eq!(heading(&"a".repeat(81)), "a".repeat(80));
    assert_eq!(heading(&format!("{}ä", "a".repeat(78))), format!("{}ä", "a".repeat(78)));
    assert_eq!(heading(&format!("{}ä", "a".repeat(79))), "a".repeat(79));
    assert_eq!(heading(&format!("{}日本", "a".repeat(78))), "a".repeat(78));
}

#[test]
fn blocks_can_be_taken_one_by_one() {
    for seed in 0..600 {
        let random = &mut Random::new(seed);
        let (before, after) = versions(random);
        let count = Lines::compare(&before, &after, Slide::Indent).blocks().len() as u32;
        let all: Vec<u32> = (0..count).rev().collect();
        assert_eq!(apply_blocks(&before, &after, &all).unwrap(), after, "{seed}");
        assert_eq!(apply_blocks(&before, &after, &[]).unwrap(), before, "{seed}");
        assert_eq!(apply_blocks(&before, &after, &[count]), Err(NoBlock(count)));

        // What is left after some were taken is taken as well.
        let (some, others): (Vec<u32>, Vec<u32>) = all.iter().partition(|_| random.one_in(2));
        let partly = apply_blocks(&before, &after, &some).unwrap();
        let left = Lines::compare(&partly, &after, Slide::Indent).blocks().len() as u32;
        assert_eq!(apply_blocks(&partly, &after, &(0..left).collect::<Vec<_>>()).unwrap(), after, "{seed}");
        // Where lines do not repeat, what is left are exactly the other blocks.
        if distinct(&before) && distinct(&after) && left as usize == others.len() {
            let others: Vec<u32> = others.into_iter().rev().collect();
            let (now, later): (Vec<usize>, Vec<usize>) = (0..others.len()).partition(|_| random.one_in(2));
            let numbers = |places: &[usize]| places.iter().map(|&place| place as u32).collect::<Vec<_>>();
            let twice = apply_blocks(&partly, &after, &numbers(&now)).unwrap();
            let once: Vec<u32> = some.iter().copied().chain(now.iter().map(|&place| others[place])).collect();
            assert_eq!(twice, apply_blocks(&before, &after, &once).unwrap(), "{seed} {later:?}");
        }
    }
}

#[test]
fn blocks_are_right_however_little_work_they_may_take() {
    for seed in 0..600 {
        let random = &mut Random::new(seed);
        let (before, after) = versions(random);
        for steps_max in [0, 300, 3_000, 10_000] {
            let lines = Lines::compare_within(&before, &after, Slide::Indent, steps_max);
            let (mut text, mut from) = (Vec::new(), 0);
            for block in lines.blocks() {
                // Between two blocks, and nowhere else, are common lines.
                assert!(block.before.start > from || from == 0);
                assert!(!block.before.is_empty() || !block.after.is_empty());
                (from..block.before.start).for_each(|number| text.extend_from_slice(lines.before(number)));
                assert_eq!(text.len(), (0..block.after.start).map(|number| lines.after(number).len()).sum::<usize>());
                block.after.clone().for_each(|number| text.extend_from_slice(lines.after(number)));
                from = block.before.end;
            }
            (from..lines.before_len()).for_each(|number| text.extend_from_slice(lines.before(number)));
            assert_eq!(text, after, "{seed} {steps_max}");
        }
    }
}

fn distinct(text: &[u8]) -> bool {
    let mut lines: Vec<_> = text.split(|&byte| byte == b'\n').collect();
    let count = lines.len();
    lines.sort_unstable();
    lines.dedup();
    lines.len() == count
}

#[test]
fn merges_keep_what_only_one_side_did() {
    for seed in 0..400 {
        let random = &mut Random::new(seed);
        let (base, ours) = versions(random);
        let theirs = versions(random).1;
        assert_eq!(merge(&base, &ours, &base).as_ref(), Some(&ours));
        assert_eq!(merge(&base, &base, &theirs).as_ref(), Some(&theirs));
        assert_eq!(merge(&base, &ours, &ours).as_ref(), Some(&ours));
        assert_eq!(merge(&base, &ours, &theirs), merge(&base, &theirs, &ours));
    }
    assert_eq!(merge(b"a\nb\nc\n", b"A\nb\nc\n", b"a\nb\nC\n").unwrap(), b"A\nb\nC\n");
    assert_eq!(merge(b"a\nb\nc\n", b"A\nb\nc\n", b"a\nB\nc\n"), None);
    assert_eq!(merge(b"a\nb\nc", b"A\nb\nc", b"a\nb\nc\n").unwrap(), b"A\nb\nc\n");
    assert_eq!(merge(b"\0a\n\nb\n", b"\0A\n\nb\n", b"\0a\n\nB\n"), None);
    assert_eq!(merge(b"\0", b"\0a", b"\0a").unwrap(), b"\0a");
}

/// The lines of a diff with its emphasis in brackets.
fn marked(before: &str, after: &str) -> Vec<String> {
    let found = diff(before.as_bytes(), after.as_bytes(), 0, u32::MAX);
    let marked = |line: &Line| {
        let mut text = line.text.clone();
        for span in line.emphasis.iter().rev() {
            text.insert(span.end as usize, ']');
            text.insert(span.start as usize, '[');
        }
        format!("{}{text}", if line.side == Side::Removed { '-' } else { '+' })
    };
    found.hunks.iter().flat_map(|hunk| hunk.lines.iter().map(marked)).collect()
}

#[test]
fn words_that_differ_are_emphasised() {
    assert_eq!(marked("let a = f(1);", "let a = f(23);"), ["-let a = f([1]);", "+let a = f([23]);"]);
    assert_eq!(
        marked("die größe ist klein", "die größere ist klein"),
        ["-die [größe] ist klein", "+die [größere] ist klein"]
    );
    assert_eq!(
        marked("the red fox ran off", "the big bad fox ran off"),
        ["-the [red] fox ran off", "+the [big bad] fox ran off"]
    );
    assert_eq!(marked("日本語は難しい", "日本語は易しい"), ["-日本語は[難]しい", "+日本語は[易]しい"]);
    assert_eq!(marked("  same();", "      same();"), ["-[  ]same();", "+[      ]same();"]);
    assert_eq!(marked("return value;", "loop { wait() }"), ["-return value;", "+loop { wait() }"]);
    assert_eq!(marked("", "x"), ["+x"]);
    let long = "word ".repeat(401);
    assert_eq!(marked(&format!("{long}a"), &format!("{long}b")), [format!("-{long}a"), format!("+{long}b")]);
}

#[test]
fn lines_find_their_counterparts() {
    assert_eq!(
        marked("call(first, one);\ncall(second, one);", "// Why.\ncall(second, two);"),
        ["-call(first, one);", "-call(second, [one]);", "+// Why.", "+call(second, [two]);",]
    );
    assert_eq!(
        marked("let one = 1;\nlet two = 2;", "let one = 1u8;\n\nlet three = 3;\nlet two = 2u8;"),
        ["-let one = [1];", "-let two = [2];", "+let one = [1u8];", "+", "+let three = 3;", "+let two = [2u8];",]
    );
}

#[test]
fn descriptions_say_what_it_is() {
    let describe = |head: &[u8], path: &str| describe(head, 12_345, path);
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";
    assert_eq!(describe(png, "a.png"), "PNG image, 640 × 480, 12.3 kB");
    assert_eq!(describe(&png[..20], "a.png"), "PNG image, 12.3 kB");
    let gif = b"GIF89a\x10\0\x20\0\0\0\0\0";
    assert_eq!(describe(gif, ""), "GIF image, 16 × 32, 12.3 kB");
    assert_eq!(describe(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01", "a.jpg"), "JPEG image, 12.3 kB");
    assert_eq!(describe(b"\0asm\x0d\0\x01\0", "x.wasm"), "WebAssembly component, 12.3 kB");
    assert_eq!(describe(b"\0asm\x01\0\0\0", "x.wasm"), "WebAssembly module, 12.3 kB");
    assert_eq!(describe(b"\x7fELF\x02\x01\x01\0", "bin/x"), "ELF program, 12.3 kB");
    assert_eq!(describe(b"\x7fELF\x02\x01\x01\0", "libx.SO"), "ELF library, 12.3 kB");
    assert_eq!(describe(b"PK\x03\x04\x14\0\0\0", "dir.jar/x"), "ZIP archive, 12.3 kB");
    assert_eq!(describe(b"PK\x03\x04\x14\0\0\0", "dir/x.jar"), "Java archive, 12.3 kB");
    assert_eq!(describe(b"%PDF-1.7\n", "x"), "PDF document, 12.3 kB");
    assert_eq!(describe(b"%PDF-1.7\n\xff\0", "x"), "PDF document, 12.3 kB");
    assert_eq!(describe(b"BMW\nis no image", "x"), "text, 12.3 kB");
    assert_eq!(describe("größ".as_bytes().split_last().unwrap().1, "x"), "text, 12.3 kB");
    assert_eq!(describe(b"gr\xfc\xdfe aus aller Welt", "x"), "text, 12.3 kB");
    assert_eq!(describe(b"\0\x01\x02", "x"), "binary, 12.3 kB");
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    assert_eq!(describe(&tar, "x.tar"), "tar archive, 12.3 kB");
}

#[test]
fn sizes_are_rounded() {
    for (size, text) in [
        (0, "empty"),
        (1, "text, 1 byte"),
        (999, "text, 999 bytes"),
        (1_000, "text, 1.0 kB"),
        (1_049, "text, 1.0 kB"),
        (1_050, "text, 1.1 kB"),
        (999_949, "text, 999.9 kB"),
        (999_950, "text, 1.0 MB"),
        (9_100_000, "text, 9.1 MB"),
        (u64::MAX, "text, 18446.7 PB"),
    ] {
        assert_eq!(describe(b"a", size, "a"), text);
    }
}

#[test]
fn descriptions_stand_any_bytes() {
    let starts: &[&[u8]] = &[
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"RIFF\0\0\0\0WEBPVP8X",
        b"II*\0",
        b"MM\0*",
        b"II+\0\x08\0",
        b"BM\0\0",
        b"\0\0\x01\0",
        b"8BPS\0\x01",
        b"\0\0\0\x18ftypheic",
        b"\0\0\0\x18ftypavif",
        b"\xff\x0a",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\x01\0meta",
        b"BM",
        b"MZ",
        b"PK\x03\x04",
    ];
    for seed in 0..if cfg!(debug_assertions) { 20_000 } else { 400_000 } {
        let random = &mut Random::new(seed);
        let mut head = starts[random.below(starts.len())].to_vec();
        let small = random.one_in(2);
        let length = random.below(120);
        head.extend(
            (0..length).map(|_| if small { [0, 0, 0, 1, 2, 8, 0xff][random.below(7)] } else { random.next() as u8 }),
        );
        assert!(!describe(&head, 1 + random.next(), "a.b/c").is_empty());
    }
}
