// What may be waited for.

const of = (prefix, names) => names.map((name) => `${prefix}${name}`);

/** Imports that may suspend the code that calls them. All others answer at once, which costs a tenth. */
export const ASYNC_IMPORTS = [
  "wasi:io/poll#poll",
  "wasi:io/poll#[method]pollable.block",
  ...of("wasi:io/streams#[method]input-stream.", ["blocking-read", "blocking-skip"]),
  ...of("wasi:io/streams#[method]output-stream.", [
    "blocking-write-and-flush",
    "blocking-flush",
    "blocking-write-zeroes-and-flush",
    "splice",
    "blocking-splice",
  ]),
  ...of("wasi:filesystem/types#[method]descriptor.", [
    "read",
    "write",
    "stat",
    "stat-at",
    "open-at",
    "read-directory",
    "sync",
    "sync-data",
    "set-size",
    "set-times",
    "set-times-at",
    "create-directory-at",
    "remove-directory-at",
    "rename-at",
    "unlink-file-at",
    "link-at",
    "symlink-at",
    "readlink-at",
  ]),
  "wasi:filesystem/types#[method]directory-entry-stream.read-directory-entry",
  "wardian:host/turns#take",
  "wardian:host/small-files#read",
  ...of("wardian:process/process#", ["spawn", "spawn-kept"]),
  ...of("wardian:process/jobs#", ["start", "jobs", "kill"]),
  "wardian:tool/others#call",
];

/** Exports that may be suspended by them. */
export const ASYNC_EXPORTS = [
  ...of("wardian:tool/tools#", ["list", "call"]),
  "wasi:cli/run#run",
  "wardian:agent/agent#run",
  ...of("wardian:agent/toolbox#", ["list", "start", "[method]invocation.subscribe", "[method]invocation.finish"]),
  ...of("wardian:session/session#", ["open", "open-replay", "next-prompt", "begin", "end", "diverged"]),
  ...of("wardian:session/journal#", ["summarize", "verify"]),
  ...of("wardian:workspace/review#", [
    "changes",
    "diff",
    "unified",
    "prepare",
    "[method]plan.changes",
    "[method]plan.apply",
    "discard",
    "undo",
    "recover",
    "history",
    "since",
    "cursor",
  ]),
  "wasi:filesystem/preopens#get-directories",
  ...of("wasi:filesystem/types#[method]descriptor.", ["open-at", "read", "stat", "read-directory"]),
  "wasi:filesystem/types#[method]directory-entry-stream.read-directory-entry",
];
