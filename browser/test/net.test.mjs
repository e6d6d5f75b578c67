// Requests of a page: to whom the policy allows, with what it allows, and within its limits.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { open } from "./harness.mjs";

let browser;
let page;
let server;
const seen = [];

/** A model's server and a few places of the web; whatever is asked for is kept. */
function answer(request, response) {
  const { pathname } = new URL(request.url, "http://x");
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    if (request.method !== "OPTIONS") {
      seen.push({ method: request.method, path: pathname, headers: request.headers, body: Buffer.concat(chunks).toString() });
    }
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "authorization, content-type, accept, user-agent, x-proxy-token");
    response.setHeader("Set-Cookie", "taken=yes");
    if (request.method === "OPTIONS") return response.end();
    if (pathname === "/v1/chat/completions") {
      response.setHeader("Content-Type", "text/event-stream");
      const say = (delta, more = {}) => response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta, ...more }] })}\n\n`);
      say({ role: "assistant", content: "Hel" });
      setTimeout(() => {
        say({ content: "lo." });
        say({}, { finish_reason: "stop" });
        response.end("data: [DONE]\n\n");
      }, 50);
    } else if (pathname === "/page") {
      response.setHeader("Content-Type", "text/plain");
      response.end("the page's text");
    } else if (pathname === "/moved") {
      response.statusCode = 302;
      response.setHeader("Location", "/page");
      response.end();
    } else if (pathname === "/endless") {
      response.setHeader("Content-Type", "text/plain");
      const more = setInterval(() => response.write("x".repeat(10_000)), 1);
      response.on("close", () => clearInterval(more));
    } else if (pathname === "/silent") {
      response.setHeader("Content-Type", "text/plain");
      response.write("a beginning");
    } else {
      response.statusCode = 404;
      response.end();
    }
  });
}

before(async () => {
  server = createServer(answer);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  browser = await open();
  page = browser.page;
});

after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

const port = () => server.address().port;

/** Has a model make calls, and gives their results and the requests that the journal has. */
function called(calls, net) {
  return page.evaluate(
    async ({ scenario, net, name }) => {
      const handle = await t.folder(name, { "a.txt": "a\n" });
      const model = { kind: "script", scenario };
      const agent = await t.createAgent({ project: { kind: "directory", handle }, model, approve: "all", net });
      const events = await t.run(agent, "Go.");
      await agent.close();
      const of = (type) => events.filter((event) => event.type === type);
      return { results: of("tool.result"), requests: of("net.request") };
    },
    { scenario: JSON.stringify({ turns: [{ text: "a", calls }, { text: "b" }] }), net, name: `net-${seen.length}-${Math.random()}` },
  );
}

/** Runs one fetch of a tool's. */
async function fetched(path, net, host = "127.0.0.1") {
  const call = { tool: "WebFetch", input: { url: `http://${host}:${port()}${path}` } };
  const { results, requests } = await called([call], net);
  return { result: results[0], requests };
}

const allow = (more = {}) => ({ name: "test", verdict: "allow", host: "127.0.0.1", port: "*", networks: "*", ...more });

test("a model's answer streams, and the key goes to its server alone", { timeout: 60_000 }, async () => {
  const events = await page.evaluate(async (baseUrl) => {
    const handle = await t.folder("model", { "a.txt": "a\n" });
    const model = { kind: "service", protocol: "chat", name: "some-model", baseUrl, key: "sk-secret-1" };
    const agent = await t.createAgent({ project: { kind: "directory", handle }, model });
    const events = await t.run(agent, "Hello?");
    const journal = await agent.events();
    await agent.close();
    return { events, journal: JSON.stringify(journal) };
  }, `http://127.0.0.1:${port()}/v1`);
  const deltas = events.events.filter((event) => event.type === "text.delta").map((event) => event.text);
  assert.deepEqual(deltas, ["Hel", "lo."]);
  assert.equal(events.events.at(-1).text, "Hello.");
  const asked = seen.find((request) => request.path === "/v1/chat/completions");
  assert.equal(asked.headers.authorization, "Bearer sk-secret-1");
  assert.equal(asked.headers.cookie, undefined);
  assert.ok(!asked.body.includes("sk-secret-1"));
  assert.ok(!events.journal.includes("sk-secret-1"));
  const sent = events.events.filter((event) => event.type === "net.request");
  assert.deepEqual(sent.map(({ decision, rule, status }) => [decision, rule, status]), [["allow", "models.chat", 200]]);
});

test("what a rule allows is sent, and nothing else", { timeout: 60_000 }, async () => {
  const { result, requests } = await fetched("/page", { rules: [allow()] });
  assert.equal(result.error, null);
  assert.match(result.output.text, /the page's text/);
  assert.deepEqual(requests.map(({ decision, status }) => [decision, status]), [["allow", 200]]);
  assert.equal(seen.at(-1).headers.cookie, undefined);
  assert.equal(seen.at(-1).headers.referer, undefined);
  const before = seen.length;
  const none = await fetched("/page", undefined);
  assert.equal(none.result.error.kind, "not-permitted");
  const other = await fetched("/page", { rules: [allow({ host: "elsewhere.example" })] });
  assert.equal(other.requests[0].decision, "deny");
  const denied = await fetched("/page", { rules: [allow(), { ...allow(), name: "no", verdict: "deny" }] });
  assert.equal(denied.requests[0].rule, "no");
  const method = await fetched("/page", { rules: [allow({ methods: ["POST"] })] });
  assert.equal(method.requests[0].decision, "deny");
  assert.equal(seen.length, before, "something was sent that no rule allows");
  const type = await fetched("/page", { rules: [allow({ content_types: ["text/html"] })] });
  assert.equal(type.requests.at(-1).decision, "deny");
});

/** Policies of the corpus that are about addresses, which a page does not see, about a tool's own bounds, or about a user's answer. */
const NOT_HERE = ["intranet", "ceiling", "asks", "unlisted"];

test("places that the corpus has refused are refused here, too, by the same rule", { timeout: 120_000 }, async () => {
  const corpus = JSON.parse(readFileSync(new URL("../../tests/cases/net/corpus.json", import.meta.url), "utf8"));
  let decided = 0;
  for (const [name, policy] of Object.entries(corpus.policies)) {
    // What an address is refused for only a host can see: the page's rules are for all networks.
    const isHere = (each) => each.policy === name && each.deny !== undefined && each.deny !== "address";
    const cases = corpus.cases.filter((each) => isHere(each) && !each.hops && !each.resolves && each.method === undefined);
    if (NOT_HERE.includes(name) || cases.length === 0) continue;
    const rules = policy.rules.map(({ reach, ...rule }) => ({
      ...{ verdict: "allow", ...rule, networks: "*" },
      name: rule.port === undefined ? rule.host : `${rule.host}:${rule.port}`,
    }));
    const calls = cases.map(({ url }) => ({ tool: "WebFetch", input: { url } }));
    const { results, requests } = await called(calls, { rules });
    assert.equal(results.length, cases.length);
    for (const [at, each] of cases.entries()) {
      // Calls are numbered in the order in which the model made them.
      const result = results.find(({ id }) => Number(id.match(/(\d+)$/)[1]) === at + 1);
      assert.ok(result.error, JSON.stringify(each));
      for (const { decision, rule } of requests.filter(({ id }) => id === result.id)) {
        // What is no URL to the guest's own bindings does not even get to the policy.
        assert.deepEqual([decision, rule], ["deny", each.deny], JSON.stringify(each));
        decided += 1;
      }
    }
  }
  console.log(`${decided} requests were decided`);
  assert.ok(decided >= 30, `${decided} were decided`);
});

test("a redirect is an answer that a page cannot follow by rules", { timeout: 60_000 }, async () => {
  const { result, requests } = await fetched("/moved", { rules: [allow()] });
  assert.notEqual(result.error, null);
  assert.deepEqual(requests.map(({ decision, rule }) => [decision, rule]), [["deny", "redirect"]]);
  assert.equal(seen.at(-1).path, "/moved");
});

test("rules that a page cannot enforce are refused, by name", { timeout: 60_000 }, async () => {
  const refused = await page.evaluate(async () => {
    const handle = await t.folder("refused", { "a.txt": "a\n" });
    const make = (net) =>
      t.createAgent({ project: { kind: "directory", handle }, net }).then(
        () => "opened",
        (error) => `${error.kind}: ${error.message}`,
      );
    const rule = { name: "public only", verdict: "allow", host: "docs.example" };
    return [
      await make({ rules: [rule] }),
      await make({ rules: [{ ...rule, networks: "*" }], redirects: "follow" }),
      await make({ rules: [{ ...rule, networks: "*", host: "a b" }] }),
    ];
  });
  assert.match(refused[0], /^usage: a page cannot enforce the network rule public only: .*`addresses`/);
  assert.match(refused[1], /^usage: .*`redirects`/);
  assert.match(refused[2], /^usage: the network rule public only: /);
});

test("limits end a request and are named", { timeout: 60_000 }, async () => {
  const endless = await fetched("/endless", { rules: [allow()], limits: { response_bytes_max: 200_000 } });
  assert.notEqual(endless.result.error, null);
  const [cut] = endless.requests;
  assert.deepEqual([cut.error.kind, cut.error.message, cut.error.at], ["limit", "response-bytes-max", 200_000]);
  const silent = await fetched("/silent", { rules: [allow()], limits: { between_bytes_ms_max: 200 } });
  assert.deepEqual([silent.requests[0].error.kind, silent.requests[0].error.message], ["limit", "between-bytes-ms-max"]);
  const total = await fetched("/silent", { rules: [allow()], limits: { total_ms_max: 200 } });
  assert.deepEqual([total.requests[0].error.kind, total.requests[0].error.message], ["limit", "total-ms-max"]);
  const gone = await fetched("/page", { rules: [allow()] }, "127.0.0.2");
  assert.equal(gone.requests[0].decision, "deny");
});

test("a flood of requests ends at its limit, and the page answers meanwhile", { timeout: 120_000 }, async () => {
  const url = `http://127.0.0.1:${port()}/page`;
  const code = [
    "import urllib.request",
    "for n in range(1000):",
    `    try: urllib.request.urlopen(${JSON.stringify(url)}).read()`,
    "    except Exception as error:",
    "        print('after', n, error)",
    "        break",
  ].join("\n");
  await page.evaluate(() => {
    globalThis.longest = 0;
    let last = performance.now();
    globalThis.timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 10);
  });
  const before = seen.length;
  const { results, requests } = await called([{ tool: "Python", input: { code } }], { rules: [allow()], limits: { requests_max: 25 } });
  const longest = await page.evaluate(() => {
    clearInterval(timer);
    return globalThis.longest;
  });
  assert.equal(seen.length - before, 25);
  assert.match(results[0].output.text, /after 25 .*connection limit reached/i);
  assert.equal(requests.filter(({ status }) => status === 200).length, 25);
  assert.ok(longest < 1000, `the page stood still for ${longest} ms`);
});
