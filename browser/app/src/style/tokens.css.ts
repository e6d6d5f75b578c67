/** What the page's style sheet cannot reach: inside shadow roots its variables hold, its rules do not. */
const CSS = `
  .editor { height: 100%; }
  .cm-mergeView { height: 100%; overflow: auto; }
  .tok-comment { color: var(--tok-comment); font-style: italic; }
  .tok-string { color: var(--tok-string); }
  .tok-number { color: var(--tok-number); }
  .tok-keyword { color: var(--tok-keyword); }
  .tok-name { color: var(--tok-name); }
  .tok-type { color: var(--tok-type); }
  .tok-heading { font-weight: 600; }
  .tok-link { color: var(--accent-text); }
`;

let sheet: CSSStyleSheet | undefined;

export default function tokens(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
