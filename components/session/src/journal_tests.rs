use super::*;
use crate::event::SessionStart;
use crate::testing::{self, says};

fn start(format: u64) -> Event {
    match testing::start(false) {
        Event::SessionStart(start) => Event::SessionStart(SessionStart { format, ..start }),
        other => other,
    }
}

const TS: &str = "2026-01-02T03:04:05.678Z";

fn folder(events: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(folder.path()).unwrap();
    journal.append(TS, &start(FORMAT)).unwrap();
    for n in 1..events {
        journal.append(TS, &says(&format!("number {n}"))).unwrap();
    }
    folder
}

fn change(folder: &tempfile::TempDir, change: impl FnOnce(&mut Vec<u8>)) {
    let path = folder.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

fn damage(folder: &tempfile::TempDir) -> (u64, String) {
    match Contents::read(folder.path()).err() {
        Some(Error::Damaged { line, reason }) => (line, reason),
        other => panic!("expected damage, found {other:?}"),
    }
}

#[test]
fn what_was_appended_reads_back_as_a_chain() {
    let folder = folder(3);
    let contents = Contents::read(folder.path()).unwrap();
    assert_eq!(contents.events(), 3);
    let lines: Vec<_> = contents.lines().collect();
    assert!(
        lines[0].starts_with(&format!("{{\"seq\":0,\"ts\":\"{TS}\",\"prev\":\"{GENESIS}\",\"type\":\"session.start\""))
    );
    assert_eq!(Header::read(lines[2]).unwrap().prev, sha256(lines[1].as_bytes()));
    assert_eq!(contents.head, sha256(lines[2].as_bytes()));
}

#[test]
fn goes_on_after_a_torn_line() {
    let folder = folder(2);
    change(&folder, |bytes| bytes.extend(b"{\"seq\":2,\"ts\""));
    let contents = Contents::read(folder.path()).unwrap();
    assert_eq!((contents.events(), contents.torn_bytes), (2, 13));
    let mut journal = Journal::resume(folder.path(), &contents).unwrap();
    journal.append(TS, &says("again")).unwrap();
    let contents = Contents::read(folder.path()).unwrap();
    assert_eq!((contents.events(), contents.torn_bytes), (3, 0));
}

#[test]
fn a_flipped_bit_is_found_on_the_next_line() {
    let folder = folder(4);
    change(&folder, |bytes| {
        let at = bytes.windows(8).position(|window| window == b"number 1").unwrap();
        bytes[at] ^= 1;
    });
    assert_eq!(damage(&folder), (3, "prev is not the digest of the line before".into()));
}

#[test]
fn a_missing_line_and_a_broken_one_are_named() {
    let gone = folder(4);
    change(&gone, |bytes| {
        let ends: Vec<_> = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect();
        bytes.drain(ends[0] + 1..=ends[1]);
    });
    assert_eq!(damage(&gone), (2, "seq is 2, not 1".into()));
    let garbage = folder(2);
    change(&garbage, |bytes| bytes.extend(b"garbage\n"));
    assert_eq!(damage(&garbage).0, 3);
    let latin = folder(2);
    change(&latin, |bytes| bytes.extend(b"\xff\n"));
    assert_eq!(damage(&latin), (3, "not UTF-8".into()));
}

#[test]
fn a_sealed_end_can_neither_change_nor_vanish() {
    let sealed = || {
        let folder = folder(2);
        let contents = Contents::read(folder.path()).unwrap();
        Journal::resume(folder.path(), &contents).unwrap().seal().unwrap();
        folder
    };
    let flipped = sealed();
    change(&flipped, |bytes| {
        let at = bytes.len() - 5;
        bytes[at] ^= 1;
    });
    assert_eq!(damage(&flipped).0, 2);
    let cut = sealed();
    change(&cut, |bytes| {
        let end = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        bytes.truncate(end + 1);
    });
    assert_eq!(damage(&cut), (2, "it is missing: the journal had 2 lines".into()));
}

#[test]
fn a_later_format_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    Journal::create(folder.path()).unwrap().append(TS, &start(FORMAT + 1)).unwrap();
    assert_eq!(Contents::read(folder.path()).err(), Some(Error::Newer(FORMAT + 1)));
}

#[test]
fn an_empty_journal_has_no_events() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE), "").unwrap();
    let contents = Contents::read(folder.path()).unwrap();
    assert_eq!((contents.events(), contents.head.as_str()), (0, GENESIS));
}

#[test]
fn a_file_that_is_full_breaks_the_journal_for_good() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return; // Linux has it; elsewhere the end-to-end test covers this.
    }
    let folder = tempfile::tempdir().unwrap();
    let file = Append::open(Path::new("/dev"), "full", false).unwrap();
    let (seq, prev) = (0, GENESIS.to_owned());
    let mut journal = Journal { folder: folder.path().into(), file, seq, prev, bytes: 0, broken: None };
    let error = journal.append(TS, &start(FORMAT)).unwrap_err();
    assert!(error.contains("cannot append to journal.jsonl"), "{error}");
    assert_eq!(journal.append(TS, &start(FORMAT)), Err(error.clone()));
    assert_eq!(journal.appendable(), Err(error));
    assert_eq!(journal.events(), 0);
}
