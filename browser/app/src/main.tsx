import { render } from "preact";
import { App } from "./app.tsx";
import { start, toast } from "./store.ts";

const root = document.getElementById("app");
if (root) render(<App />, root);

addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective !== "connect-src" || !event.blockedURI.startsWith("http")) return;
  const origin = new URL(event.blockedURI).origin;
  toast("error", `This page may not speak to ${origin}. Start it with: wardian serve --connect ${origin}`);
});

void start();
