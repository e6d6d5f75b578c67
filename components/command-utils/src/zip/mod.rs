//! zip and unzip, as Info-ZIP has them: the options that people use.

pub mod pack;
pub mod unpack;

use zip::DateTime;

const DONE: i32 = 0;
/// Something was left out, and the rest was done.
const WARNING: i32 = 1;
/// The archive cannot be read, or is none.
const BROKEN: i32 = 3;
/// Nothing that was named is there.
const NOTHING_UNPACKED: i32 = 11;
const NOTHING_PACKED: i32 = 12;
const CANNOT_WRITE: i32 = 15;
const CANNOT_READ: i32 = 9;

/// The archive may be named without its ending.
fn archive_name(name: &str) -> String {
    let has_ending = name.rsplit('/').next().unwrap_or(name).contains('.');
    if has_ending { name.to_owned() } else { format!("{name}.zip") }
}

/// Patterns as the shell has them, of which `*` takes `/`, too.
fn patterns(all: &[String]) -> Result<globset::GlobSet, String> {
    let mut set = globset::GlobSet::builder();
    for each in all {
        set.add(globset::GlobBuilder::new(each).build().map_err(|error| error.to_string())?);
    }
    set.build().map_err(|error| error.to_string())
}

/// Archives know the day and the time in some zone; here it is UTC. Those before 1980 they do not know.
fn to_zip(time: std::time::SystemTime) -> Option<DateTime> {
    let time = jiff::Timestamp::try_from(time).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let (day, clock) = (time.date(), time.time());
    let small = |number: i8| number.unsigned_abs();
    DateTime::from_date_and_time(
        day.year().unsigned_abs(),
        small(day.month()),
        small(day.day()),
        small(clock.hour()),
        small(clock.minute()),
        small(clock.second()),
    )
    .ok()
}

fn from_zip(time: DateTime) -> Option<std::time::SystemTime> {
    let signed = |number: u8| i8::try_from(number).ok();
    let day =
        jiff::civil::Date::new(i16::try_from(time.year()).ok()?, signed(time.month())?, signed(time.day())?).ok()?;
    let clock = jiff::civil::Time::new(signed(time.hour())?, signed(time.minute())?, signed(time.second())?, 0).ok()?;
    let zoned = day.to_datetime(clock).to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::fs;
    use std::path::Path;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir_all(at("d/e")).unwrap();
        fs::write(at("d/e/long.txt"), "line\n".repeat(10_000)).unwrap();
        fs::write(at("d/b.bin"), [0, 255, 10]).unwrap();
        assert_eq!(pack::run(words(&format!("-rq {} {}", at("a"), at("d")))), DONE);
        assert!(fs::metadata(at("a.zip")).unwrap().len() < 2_000, "it is packed");
        assert_eq!(unpack::run(words(&format!("-q {} -d {}", at("a.zip"), at("out")))), DONE);
        let unpacked = format!("{}/{}", at("out"), at("d/e/long.txt").trim_start_matches('/'));
        assert_eq!(fs::read_to_string(&unpacked).unwrap(), "line\n".repeat(10_000));
        // What is there stays unless it is said to be replaced.
        fs::write(&unpacked, "mine").unwrap();
        assert_eq!(unpack::run(words(&format!("-qn {} -d {}", at("a"), at("out")))), DONE);
        assert_eq!(fs::read_to_string(&unpacked).unwrap(), "mine");
        assert_eq!(unpack::run(words(&format!("-qo {} -d {}", at("a"), at("out")))), DONE);
        assert_eq!(fs::metadata(&unpacked).unwrap().len(), 50_000);
    }

    #[test]
    fn an_archive_is_added_to_and_what_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("one"), "1").unwrap();
        fs::write(at("two"), "2").unwrap();
        assert_eq!(pack::run(words(&format!("-qj {} {}", at("a.zip"), at("one")))), DONE);
        fs::write(at("one"), "1 anew").unwrap();
        assert_eq!(pack::run(words(&format!("-qj {} {} {}", at("a.zip"), at("one"), at("two")))), DONE);
        assert_eq!(unpack::run(words(&format!("-q {} -d {}", at("a.zip"), at("out")))), DONE);
        assert_eq!(fs::read_to_string(at("out/one")).unwrap(), "1 anew");
        assert_eq!(fs::read_to_string(at("out/two")).unwrap(), "2");
        fs::write(at("none.zip"), "no archive").unwrap();
        assert_eq!(unpack::run(words(&format!("-l {}", at("none.zip")))), CANNOT_READ);
        assert_eq!(pack::run(words(&format!("-q {} {}", at("none.zip"), at("one")))), BROKEN);
        assert_eq!(fs::read_to_string(at("none.zip")).unwrap(), "no archive", "nothing is lost");
        assert_eq!(pack::run(words(&format!("-q {} {}", at("new.zip"), at("missing")))), NOTHING_PACKED);
        assert!(!Path::new(&at("new.zip")).exists());
    }

    #[test]
    #[cfg(unix)]
    fn a_link_to_where_it_is_in_itself_ends() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir_all(at("d/e")).unwrap();
        fs::write(at("d/e/f"), "x").unwrap();
        for link in ["d/one", "d/e/other"] {
            std::os::unix::fs::symlink(folder.path().join("d"), at(link)).unwrap();
        }
        assert_eq!(pack::run(words(&format!("-rq {} {}", at("a.zip"), at("d")))), WARNING, "they are left out");
        assert_eq!(unpack::run(words(&format!("-qj {} -d {}", at("a.zip"), at("out")))), DONE);
        assert_eq!(fs::read_dir(at("out")).unwrap().count(), 1);
    }

    #[test]
    fn times_are_there_and_back() {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        assert_eq!(from_zip(to_zip(time).unwrap()), Some(time));
        assert_eq!(to_zip(std::time::UNIX_EPOCH), None);
    }
}
