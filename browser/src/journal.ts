/** The journal's lines, as they are written and as they are read. The component `session` writes them; nothing here does. */

import { WardianError, type JournalEvent } from "./api.js";

export const JOURNAL = "journal.jsonl";

/** As the component has it. */
const JOURNAL_BYTES_MAX = 2 ** 30;

const NEWLINE = 10;

/** Hears the session write its journal, and tells each whole line. */
export class JournalTap {
  #rest = new Uint8Array();

  constructor(readonly tell: (event: JournalEvent) => void) {}

  readonly hear = (path: string, bytes: Uint8Array): void => {
    if (path !== JOURNAL) return;
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    const end = all.lastIndexOf(NEWLINE) + 1;
    this.#rest = all.slice(end);
    for (const event of parse(all.subarray(0, end))) this.tell(event);
  };
}

/** Whole lines only: a torn one is none, and neither is one that is damaged. */
function parse(bytes: Uint8Array): JournalEvent[] {
  const events: JournalEvent[] = [];
  for (const line of new TextDecoder().decode(bytes).split("\n")) {
    if (line === "") continue;
    try {
      events.push(JSON.parse(line) as JournalEvent);
    } catch {
      break;
    }
  }
  return events;
}

export async function readJournal(session: FileSystemDirectoryHandle): Promise<JournalEvent[]> {
  let file: File;
  try {
    file = await (await session.getFileHandle(JOURNAL)).getFile();
  } catch {
    return [];
  }
  if (file.size > JOURNAL_BYTES_MAX) {
    throw new WardianError("io", `the journal has ${file.size} bytes, more than ${JOURNAL_BYTES_MAX}`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  return parse(bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1));
}
