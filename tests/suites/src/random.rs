//! Random cases that can be had again, and made smaller where they fail.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// A generator that gives the same for the same seed, on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d)
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Runs a test on a list, and says what is wrong. A panic counts as well.
fn fails<T: Clone>(items: &[T], test: &impl Fn(&[T]) -> Result<(), String>) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| test(items))) {
        Ok(result) => result.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Some(text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
        }
    }
}

/// Leaves out of a list whatever can be left out with the test still failing; returns what is left and why it fails. None:
/// the test does not fail.
pub fn shrink<T: Clone>(items: &[T], test: impl Fn(&[T]) -> Result<(), String>) -> Option<(Vec<T>, String)> {
    let mut why = fails(items, &test)?;
    let mut items = items.to_vec();
    let mut size = items.len().div_ceil(2);
    loop {
        let (mut at, mut smaller) = (0, false);
        while at < items.len() {
            let mut fewer = items.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            match fails(&fewer, &test) {
                Some(reason) => (items, why, smaller) = (fewer, reason, true),
                None => at += size,
            }
        }
        if !smaller && size == 1 {
            return Some((items, why));
        }
        if !smaller {
            size = size.div_ceil(2);
        }
    }
}
