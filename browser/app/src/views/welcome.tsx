import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Project } from "wardian";
import { Icon, Mark, type IconName } from "../icon.tsx";
import { serveProblem } from "../models.ts";
import { isSidebarOpen, lacking, project, projectName, toast } from "../store.ts";
import { Composer } from "./composer.tsx";

const DEMO_TASK = "Explore this project and report what is in it.";

export function Welcome() {
  const isOver = useSignal(false);
  const chosen = project.value;
  return (
    <div
      class={isOver.value ? "welcome is-over" : "welcome"}
      onDragOver={(event) => {
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        event.preventDefault();
        isOver.value = false;
        void drop(event);
      }}
    >
      {!isSidebarOpen.value && (
        <button type="button" class="bare welcome-menu only-wide" aria-label="Show the sessions" onClick={() => (isSidebarOpen.value = true)}>
          <Icon name="panel" />
        </button>
      )}
      <div class="welcome-body">
        <Mark size={44} />
        <h2>What shall be done?</h2>
        <p class="lead">
          An agent works on a folder of yours, sealed in this tab. It sees your files and writes beside them: nothing reaches
          the folder before you have looked at it and committed it.
        </p>
        {chosen ? <Chosen chosen={chosen} /> : <Choices />}
        {serveProblem.value && <p class="notice is-warning"><Icon name="warning" /><span>{serveProblem.value}</span></p>}
      </div>
    </div>
  );
}

function Chosen({ chosen }: { chosen: Project }) {
  return (
    <div class="welcome-task">
      <p class="chosen">
        <Icon name={chosen.kind === "zip" ? "archive" : "folderOpen"} />
        <strong>{projectName(chosen)}</strong>
        <button type="button" class="link" onClick={() => (project.value = null)}>change</button>
      </p>
      <Composer session={null} suggestion={DEMO_TASK} />
    </div>
  );
}

function Choices() {
  const noPicker = lacking.value.find((lack) => lack.what === "directory");
  return (
    <>
      <div class="choices">
        {!noPicker && (
          <Choice icon="folderOpen" title="Open a folder" onClick={() => void pick()}>
            Read as it is; written to by a commit alone
          </Choice>
        )}
        <Choice icon="upload" title="Upload a folder" input={{ directory: true, take: uploaded }}>
          Copied into this browser, downloaded when done
        </Choice>
        <Choice icon="archive" title="Open a zip" input={{ accept: ".zip,application/zip", take: zipped }}>
          Unpacked into this browser
        </Choice>
        <Choice icon="sparkles" title="Start empty" onClick={() => (project.value = { kind: "empty" })}>
          A folder of its own, to begin something
        </Choice>
      </div>
      {noPicker && <p class="quiet small">{noPicker.message}</p>}
    </>
  );
}

interface ChoiceProps {
  icon: IconName;
  title: string;
  children: ComponentChildren;
  onClick?: () => void;
  input?: { directory?: boolean; accept?: string; take: (files: File[]) => void };
}

function Choice({ icon, title, children, onClick, input }: ChoiceProps) {
  const content = (
    <>
      <Icon name={icon} size={20} />
      <span class="choice-title">{title}</span>
      <span class="choice-note">{children}</span>
    </>
  );
  if (!input) return <button type="button" class="choice" onClick={onClick}>{content}</button>;
  return (
    <label class="choice file-button">
      {content}
      <input
        type="file"
        aria-label={title}
        accept={input.accept}
        {...(input.directory ? { webkitdirectory: true, multiple: true } : {})}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          event.currentTarget.value = "";
          if (files.length > 0) input.take(files);
        }}
      />
    </label>
  );
}

interface Picker {
  showDirectoryPicker(options: { id: string; mode: "read" | "readwrite" }): Promise<FileSystemDirectoryHandle>;
}

/** None: the user chose none. */
export async function pickFolder(): Promise<FileSystemDirectoryHandle | null> {
  try {
    return await (window as unknown as Picker).showDirectoryPicker({ id: "wardian", mode: "read" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return null;
    toast("error", `The folder cannot be opened: ${error instanceof Error ? error.message : String(error)}`);
    return null;
  }
}

async function pick(): Promise<void> {
  const handle = await pickFolder();
  if (handle) project.value = { kind: "directory", handle };
}

function uploaded(files: File[]): void {
  const name = files[0]?.webkitRelativePath.split("/", 1)[0];
  project.value = { kind: "files", files, ...(name ? { name } : {}) };
}

function zipped(files: File[]): void {
  const [blob] = files;
  if (blob) project.value = { kind: "zip", blob, name: blob.name.replace(/\.zip$/i, "") };
}

interface Dropped extends DataTransferItem {
  getAsFileSystemHandle?(): Promise<FileSystemHandle | null>;
}

async function drop(event: DragEvent): Promise<void> {
  const item = [...(event.dataTransfer?.items ?? [])].find((item) => item.kind === "file") as Dropped | undefined;
  const file = item?.getAsFile();
  const handle = await item?.getAsFileSystemHandle?.();
  if (handle?.kind === "directory") project.value = { kind: "directory", handle: handle as FileSystemDirectoryHandle };
  else if (file && /\.zip$/i.test(file.name)) zipped([file]);
  else toast("error", "Drop a folder or a zip archive.");
}
