//! Figures, each with its bound.

use std::time::Duration;

use anyhow::{Result, bail};

#[derive(Default)]
pub struct Table {
    beyond: Vec<String>,
}

impl Table {
    pub fn row(&mut self, what: &str, figure: String, bound: &str, holds: bool) {
        println!("{} {what:<58} {figure:<58} bound: {bound}", if holds { "✓" } else { "✗" });
        if !holds {
            self.beyond.push(what.to_owned());
        }
    }

    /// A row for two times, the second of which is at most `ratio_max` times the first.
    pub fn ratio(&mut self, what: &str, base: (&str, Duration), measured: (&str, Duration), ratio_max: f64) {
        let ratio = measured.1.as_secs_f64() / base.1.as_secs_f64();
        let (base, measured) = ((base.0, millis(base.1)), (measured.0, millis(measured.1)));
        let figure = format!("{} {:.2} ms; {} {:.2} ms; ratio {ratio:.2}", measured.0, measured.1, base.0, base.1);
        self.row(what, figure, &format!("ratio {ratio_max}"), ratio <= ratio_max);
    }

    /// A figure that nobody promised.
    pub fn note(&self, what: &str, figure: &str) {
        println!("· {what:<58} {figure}");
    }

    pub fn finish(self) -> Result<()> {
        if self.beyond.is_empty() { Ok(()) } else { bail!("beyond its bound: {}", self.beyond.join(", ")) }
    }
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The least time of each of two things that are done in turn: what else the machine does only ever adds to it.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    pub first: Duration,
    pub second: Duration,
}

impl Pair {
    pub fn new() -> Self {
        Self { first: Duration::MAX, second: Duration::MAX }
    }

    pub fn take(&mut self, first: Duration, second: Duration) {
        (self.first, self.second) = (self.first.min(first), self.second.min(second));
    }
}
