//! Filters for reports: numbers as people read them, columns that line up.

use minijinja::{Environment, Error, ErrorKind, Value};

/// Columns of a report, and of a line that is clipped.
const WIDTH_CHARS_MAX: usize = 1000;

const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/// Makes the filters known.
pub fn add(engine: &mut Environment<'_>) {
    engine.add_filter("commas", |number: Value| whole(&number).map(commas));
    engine.add_filter("bytes", |number: Value| whole(&number).map(bytes));
    engine.add_filter("ljust", |value: Value, width: usize| pad(&value, width, false));
    engine.add_filter("rjust", |value: Value, width: usize| pad(&value, width, true));
    engine.add_filter("clip", clip);
}

/// A missing number is nought, as a missing text is empty.
fn whole(value: &Value) -> Result<i64, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(0);
    }
    value
        .as_i64()
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("{value} is not a whole number of 64 bits")))
}

/// `1234567` as `1,234,567`.
fn commas(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1536` as `1.5 KiB`.
fn bytes(number: i64) -> String {
    let mut size = number as f64 / 1024.0;
    if size.abs() < 1.0 {
        return format!("{number} B");
    }
    let mut unit = 0;
    // Not 1024: what would be rounded to four digits belongs to the next unit.
    while size.abs() >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

fn pad(value: &Value, width: usize, right: bool) -> Result<String, Error> {
    let width = checked(width)?;
    let text = value.to_string();
    let missing = " ".repeat(width.saturating_sub(text.chars().count()));
    Ok(if right { missing + &text } else { text + &missing })
}

/// Cuts each line to `width` characters, the last of which is then `…`.
fn clip(text: String, width: usize) -> Result<String, Error> {
    let width = checked(width)?;
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| match line.char_indices().nth(width) {
            None => line.to_owned(),
            Some(_) if width == 0 => String::new(),
            Some(_) => line.chars().take(width - 1).chain(['…']).collect(),
        })
        .collect();
    Ok(lines.join("\n"))
}

fn checked(width: usize) -> Result<usize, Error> {
    if width > WIDTH_CHARS_MAX {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("a width of at most {WIDTH_CHARS_MAX} characters"),
        ));
    }
    Ok(width)
}
