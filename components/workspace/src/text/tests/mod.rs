//! Tests against git, and what holds for all texts.

mod git;
mod properties;
mod renaming;
// Only optimized code is fast: `cargo test --release`.
#[cfg(not(debug_assertions))]
mod speed;

use super::*;

/// Random numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// How the lines of a text look.
#[derive(Clone, Copy, Debug)]
enum Style {
    /// Indented code with blank lines and braces.
    Code,
    /// Hardly any line is there twice.
    Prose,
    /// Hardly any line is there once.
    Few,
}

const STYLES: [Style; 3] = [Style::Code, Style::Prose, Style::Few];

fn line(random: &mut Random, style: Style) -> String {
    match style {
        Style::Prose => format!("the {} of {} is not {}\n", random.below(5_000), random.below(5_000), random.below(9)),
        Style::Few => format!("{}\n", ["a", "b", "c", "", "  d", "\te"][random.below(6)]),
        Style::Code => {
            let number = random.below(40);
            let indent = "    ".repeat(random.below(4));
            match random.below(12) {
                0 | 1 => "\n".to_owned(),
                2 => format!("{indent}}}\n"),
                3 => format!("fn function_{number}(first: u32, second: &str) -> Option<u32> {{\n"),
                4 => format!("{indent}if value > {number} {{\n"),
                5 => format!("{indent}return;\n"),
                6 => format!("{indent}// what follows is number {number}\n"),
                7 => format!("\tcall({number});\n"),
                8 => format!("{indent}let größe = \"{number}\";\n"),
                _ => format!("{indent}let value_{number} = compute(value, {});\n", random.below(5)),
            }
        }
    }
}

fn lines(random: &mut Random, style: Style, most: usize) -> Vec<String> {
    (0..random.below(most + 1)).map(|_| line(random, style)).collect()
}

/// Some edits as people and programs make them.
fn edited(random: &mut Random, style: Style, before: &[String], edits: usize) -> Vec<String> {
    let mut after = before.to_vec();
    for _ in 0..edits {
        let from = random.below(after.len() + 1);
        let to = (from + random.below(6)).min(after.len());
        match random.below(8) {
            0 | 1 => drop(after.drain(from..to)),
            2 | 3 => drop(after.splice(from..from, lines(random, style, 5))),
            4 => drop(after.splice(from..to, lines(random, style, 5))),
            5 => {
                let copy: Vec<_> = after[from..to].to_vec();
                let at = random.below(after.len() + 1);
                after.splice(at..at, copy);
            }
            6 => after[from..to].iter_mut().for_each(|line| line.insert_str(0, "    ")),
            _ => {
                if let Some(line) = after.get_mut(from) {
                    *line = line.replacen(['1', 'a'], "other", 1);
                }
            }
        }
    }
    after
}

/// One text of lines: some with CRLF, some without an end at the end.
fn joined(random: &mut Random, lines: &[String]) -> Vec<u8> {
    let mut text = lines.concat();
    if random.one_in(5) {
        text = text.replace("\n", "\r\n");
    }
    if random.one_in(4) {
        text.pop();
    }
    text.into_bytes()
}

/// Two versions of a text.
fn versions(random: &mut Random) -> (Vec<u8>, Vec<u8>) {
    let style = STYLES[random.below(STYLES.len())];
    // Now and then so much that the heuristics for hard cases matter.
    let times = if random.one_in(40) { 25 } else { 1 };
    let before = lines(random, style, 120 * times);
    let edits = random.below(12 * times * times);
    let after = edited(random, style, &before, edits);
    (joined(random, &before), joined(random, &after))
}
