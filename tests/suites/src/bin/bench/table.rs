//! Figures, each with its bound.

use std::time::{Duration, Instant};

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

    /// A row for a call on the project itself and through the workspace, by the processor time of both: nothing in them
    /// waits, and what else the machine does counts least there. Of `times` passes each.
    pub fn overlay(&mut self, what: &str, pair: &Pair, times: u32, ratio_max: f64) {
        let ratio = |of: fn(Cost) -> Duration| of(pair.second).as_secs_f64() / of(pair.first).as_secs_f64();
        let (ratio, wall) = (ratio(|cost| cost.cpu), ratio(|cost| cost.wall));
        let [first, second] = [pair.first, pair.second].map(|cost| millis(cost.cpu) / f64::from(times));
        let figure = format!("workspace {second:.2} ms; direct {first:.2} ms; ratio {ratio:.2} (wall {wall:.2})");
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

/// What something took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    /// Of all threads of this process.
    pub cpu: Duration,
}

impl Cost {
    const MOST: Self = Self { wall: Duration::MAX, cpu: Duration::MAX };

    fn min(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }
}

/// When something began.
pub struct Began {
    wall: Instant,
    cpu: Duration,
}

impl Began {
    pub fn now() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    pub fn cost(&self) -> Cost {
        Cost { wall: self.wall.elapsed(), cpu: cpu().saturating_sub(self.cpu) }
    }
}

fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The least cost of each of two things that are done in turn: what else the machine does only ever adds to it.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    pub first: Cost,
    pub second: Cost,
}

impl Pair {
    pub fn new() -> Self {
        Self { first: Cost::MOST, second: Cost::MOST }
    }

    pub fn take(&mut self, first: Cost, second: Cost) {
        (self.first, self.second) = (self.first.min(first), self.second.min(second));
    }
}
