//! Bytes and names through the workspace.

use std::fs;

use anyhow::{Result, ensure};
use serde_json::json;
use wardian_host::wit::FileAccess;

use super::{FILES_EACH, Ground, call, compare, directory_name, file_name, itself, over, text};
use crate::table::Table;

/// Bytes of the file that is read and written, how often in one call, and how many calls.
const FILE_BYTES: usize = 1 << 20;
const PASSES: u32 = 64;
const ROUNDS: usize = 40;

/// Files of the tree that is walked, and how often it is walked.
const WALK_FILES: usize = 20_000;
const WALK_ROUNDS: usize = 5;

/// Files of a directory that are changed before the second walk: one in twenty of all.
const CHANGED_EACH: usize = 5;

const BIG: &str = "big.bin";

/// Reads and writes of a file that was copied up before.
pub async fn sequential(ground: &Ground, table: &mut Table) -> Result<()> {
    let (plain, lower, layer) = (ground.folder("plain")?, ground.folder("lower")?, ground.layer("sequential")?);
    for project in [&plain, &lower] {
        fs::write(project.join(BIG), vec![b'p'; FILE_BYTES])?;
    }
    let (plain, workspace) = (itself(&plain), over(&lower, &layer));
    let path = format!("/workspace/{BIG}");
    let write = json!({"path": path, "passes": 1, "bytes": FILE_BYTES});
    call(&ground.overlaid, &workspace, FileAccess::Write, "WriteAll", &write).await?;
    let copied = fs::read_dir(layer.upper.join("data"))?.count();
    ensure!(copied == 1, "the layer has {copied} files, not the one that was written");
    ensure!(fs::read(lower.join(BIG))?.iter().all(|byte| *byte == b'p'), "the project was written to");

    for (what, tool) in [("reading 1 MiB, copied up", "ReadAll"), ("writing 1 MiB, copied up", "WriteAll")] {
        let bytes = if tool == "WriteAll" { FILE_BYTES } else { 0 };
        let input = json!({"path": path, "passes": PASSES, "bytes": bytes});
        let (direct, overlaid) = ((&ground.direct, &plain), (&ground.overlaid, &workspace));
        let same = |outcome: &_| Ok(text(outcome)?.to_owned());
        let (pair, _) = compare(ROUNDS, direct, overlaid, (FileAccess::Write, tool, &input), same).await?;
        table.overlay(what, &pair, PASSES, 1.1);
    }
    Ok(())
}

/// Walks over a tree of many files, with nothing changed and with something changed in every directory.
pub async fn walks(ground: &Ground, table: &mut Table) -> Result<()> {
    let directories = WALK_FILES.div_ceil(FILES_EACH);
    let project = ground.project(WALK_FILES, directories)?;
    let layer = ground.layer("walks")?;
    let (plain, workspace) = (itself(&project), over(&project, &layer));
    for (layer, changed) in [("", 0), (", 1,000 changed", CHANGED_EACH)] {
        for file in (0..directories).flat_map(|directory| (0..changed).map(move |file| (directory, file * 7))) {
            let path = format!("/workspace/{}/{}", directory_name(file.0), file_name(file.1));
            let input = json!({"path": path, "passes": 1, "bytes": super::FILE_BYTES});
            call(&ground.overlaid, &workspace, FileAccess::Write, "WriteAll", &input).await?;
        }
        for (how, stat, read) in [("list", false, false), ("list, stat", true, false), ("list, stat, read", true, true)]
        {
            let input = json!({"path": "/workspace", "stat": stat, "read": read});
            let (direct, overlaid) = ((&ground.direct, &plain), (&ground.overlaid, &workspace));
            let same = |outcome: &_| Ok(text(outcome)?.to_owned());
            let what = (FileAccess::Read, "Walk", &input);
            let (pair, said) = compare(WALK_ROUNDS, direct, overlaid, what, same).await?;
            ensure!(said.starts_with(&format!("{WALK_FILES} files")), "not all of the tree was walked: {said}");
            table.overlay(&format!("walk of 20,000 files{layer}: {how}"), &pair, 1, 1.5);
        }
    }
    Ok(())
}
