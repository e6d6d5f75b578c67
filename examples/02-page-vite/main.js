import { createAgent } from "wardian";

const output = document.querySelector("#output");
const print = (text) => output.append(text);

/** What the model will do, so that the example needs no key. With a service: `{ kind: "service", … }`. */
const scenario = JSON.stringify({
  turns: [
    { text: "I write it.\n", calls: [{ tool: "Bash", input: { command: "echo Hello from a page > hello.txt; cat hello.txt" } }] },
    { text: "Done: look at the change and commit it.\n" },
  ],
});

document.querySelector("#run").onclick = async () => {
  output.textContent = "";
  const agent = await createAgent({
    project: { kind: "empty" },
    model: { kind: "script", scenario },
    // A person would be asked: see `onAsk`.
    approve: "all",
    // Where `npm run assets` has put the package's workers and components.
    assets: "/wardian/",
  });
  try {
    for await (const event of agent.run(document.querySelector("#task").value)) {
      if (event.type === "text.delta") print(event.text);
      if (event.type === "tool.result") print(event.output?.text ?? event.error.message);
    }
    print(await agent.review.unified("hello.txt"));
    await agent.review.commit();
  } finally {
    await agent.close();
  }
};
