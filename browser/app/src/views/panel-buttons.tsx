import { Icon } from "../icon.tsx";
import { isWide, show } from "../store.ts";

/** At the end of each panel's bar. */
export function PanelButtons({ name, shortcut }: { name: string; shortcut: string }) {
  const wide = isWide.value ? "Beside the conversation" : "As wide as the page";
  return (
    <>
      <button type="button" class="bare only-wide" aria-label={wide} title={wide} aria-pressed={isWide.value} onClick={() => (isWide.value = !isWide.value)}>
        <Icon name={isWide.value ? "shrink" : "grow"} />
      </button>
      <button type="button" class="bare" aria-label={`Close the ${name}`} title={`Close (Alt+${shortcut})`} onClick={() => show(null)}>
        <Icon name="x" />
      </button>
    </>
  );
}
