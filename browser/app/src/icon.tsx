import {
  ArrowUp, Ban, Check, ChevronDown, ChevronRight, CircleAlert, Columns2, Download, Ellipsis, FileDiff, FileText,
  Files, Folder, FolderOpen, FileArchive, Info, LoaderCircle, Maximize2, Menu, MessageSquare, Minimize2, Moon,
  PanelLeft, Plus, RefreshCw, Rows2, Search, ShieldAlert, ShieldCheck, Sparkles, Sun, SunMoon,
  Trash2, TriangleAlert, Undo2, Upload, X, type IconNode,
} from "lucide";
import { h } from "preact";

const ICONS = {
  alert: CircleAlert, archive: FileArchive, ban: Ban, check: Check, columns: Columns2, diff: FileDiff, down: ChevronDown,
  download: Download, file: FileText, files: Files, folder: Folder, folderOpen: FolderOpen, 
  grow: Maximize2, info: Info, loader: LoaderCircle, menu: Menu, chat: MessageSquare, moon: Moon, more: Ellipsis, panel: PanelLeft,
  plus: Plus, refresh: RefreshCw, right: ChevronRight, rows: Rows2, search: Search,
  send: ArrowUp, shield: ShieldAlert, shieldCheck: ShieldCheck, shrink: Minimize2, sparkles: Sparkles,
  sun: Sun, sunMoon: SunMoon, trash: Trash2, undo: Undo2, upload: Upload,
  warning: TriangleAlert, x: X,
} satisfies Record<string, IconNode>;

export type IconName = keyof typeof ICONS;

/** For the eye alone: what it says is in the text or the label beside it. */
export function Icon({ name, size = 16, class: extra = "" }: { name: IconName; size?: number; class?: string }) {
  return (
    <svg
      class={`icon ${extra}`}
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.75"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {ICONS[name].map(([tag, attributes]) => h(tag, attributes))}
    </svg>
  );
}

/** A glass case with a plant in it. */
export function Mark({ size = 22 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path class="mark-case" d="M5 28V13L16 4l11 9v15Z" />
      <path class="mark-stem" d="M16 28V17" />
      <path class="mark-leaf" d="M16 22c-4.500 0-6-2.500-6-5.500 4.500 0 6 2.500 6 5.500Z" />
      <path class="mark-leaf" d="M16 18.500c0-3 1.500-5.500 6-5.500 0 3-1.500 5.500-6 5.500Z" />
    </svg>
  );
}
