//! Entry point.

mod util;

use std::collections::HashMap;

fn main() {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in std::env::args().skip(1) {
        *counts.entry(word).or_insert(0) += 1;
    }
    // FIXME: sort by count
    for (word, count) in &counts {
        println!("{}", util::format_line(word, *count));
    }
    if counts.is_empty() {
        eprintln!("nothing to count");
        std::process::exit(1);
    }
}
