import { useSignal } from "@preact/signals";
import { Fragment, type ComponentChildren } from "preact";
import { sessions } from "wardian";
import { download, tokens } from "../format.ts";
import { Icon } from "../icon.tsx";
import { trouble, type Session } from "../session.ts";
import { toast } from "../store.ts";
import { count } from "../transcript.ts";
import { PanelButtons } from "./panel-buttons.tsx";

export function Details({ session }: { session: Session }) {
  const { transcript } = session;
  const agent = session.agent.value;
  const usage = transcript.usage.value;
  const components = agent?.components ?? [
    { name: "agent", digest: transcript.agent.value, role: "agent" },
    ...Object.entries(transcript.components.value).map(([name, digest]) => ({ name, digest, role: "tool" })),
  ];
  return (
    <div class="details">
      <header class="bar">
        <h2 class="bar-title">Details</h2>
        <span class="grow" />
        <PanelButtons name="details" shortcut="I" />
      </header>
      <div class="details-body">
        <Section title="Session">
          <dl class="facts">
            <dt>Id</dt><dd class="mono">{session.id.value}</dd>
            <dt>Project</dt><dd>{session.name.value}</dd>
            <dt>Model</dt><dd>{transcript.model.value}</dd>
            <dt>Approval</dt><dd>{transcript.approve.value}</dd>
            <dt>Tokens</dt><dd>{tokens(usage.input)} in{usage.cached > 0 && ` (${tokens(usage.cached)} from the cache)`} · {tokens(usage.output)} out</dd>
          </dl>
        </Section>
        <Section title="Journal">
          <p class="quiet">
            {count(transcript.lines.value, "line")}, each with the digest of the one before it. The native <code>wardian log</code>,{" "}
            <code>replay</code> and <code>run --session</code> open what is exported here, and the other way round.
          </p>
          <JournalButtons id={session.id.value} isBusy={session.running.value} />
        </Section>
        <Section title="What runs">
          <p class="quiet">Digests (SHA-256) of the components. They are the bytes that the native host runs.</p>
          <table class="components">
            <thead class="visually-hidden"><tr><th scope="col">Component</th><th scope="col">Role</th><th scope="col">Digest</th></tr></thead>
            <tbody>
              {components.map(({ name, digest, role }) => (
                <tr key={name + digest}>
                  <th scope="row">{name}</th>
                  <td class="quiet">{role}</td>
                  <td><code title={digest}>{digest.slice(0, 16)}</code></td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
        <Section title="Limits of each call">
          <dl class="facts">
            {Object.entries(transcript.limits.value).map(([name, value]) => (
              <Fragment key={name}><dt><code>{name}</code></dt><dd>{Number(value).toLocaleString("en")}</dd></Fragment>
            ))}
          </dl>
        </Section>
        <Section title="Keys">
          <dl class="facts keys">
            <dt><kbd>/</kbd></dt><dd>to the task</dd>
            <dt><kbd>Alt</kbd> <kbd>C</kbd>, <kbd>F</kbd>, <kbd>I</kbd></dt><dd>changes, files, details</dd>
            <dt><kbd>Alt</kbd> <kbd>S</kbd></dt><dd>sessions</dd>
            <dt><kbd>Alt</kbd> <kbd>.</kbd></dt><dd>stop the run</dd>
            <dt><kbd>Y</kbd> <kbd>A</kbd> <kbd>N</kbd></dt><dd>answer a question</dd>
            <dt><kbd>J</kbd> <kbd>K</kbd> <kbd>X</kbd></dt><dd>next and previous change, in or out</dd>
          </dl>
        </Section>
      </div>
    </div>
  );
}

function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="section">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function JournalButtons({ id, isBusy }: { id: string; isBusy: boolean }) {
  const result = useSignal<{ isGood: boolean; text: string } | null>(null);
  const isWorking = useSignal(false);
  const run = async (work: () => Promise<{ isGood: boolean; text: string } | null>) => {
    isWorking.value = true;
    try {
      result.value = await work();
    } catch (error) {
      result.value = { isGood: false, text: trouble(error).message };
    } finally {
      isWorking.value = false;
    }
  };
  const verify = async () => {
    const { events, head } = await sessions().verify(id);
    return { isGood: true, text: `${count(events, "line")} are whole and in order; the last is ${head.slice(0, 16)}.` };
  };
  const replay = async () => {
    const difference = await sessions().replay(id);
    return difference
      ? { isGood: false, text: `Line ${difference.seq} differs when the session is run again.` }
      : { isGood: true, text: "Run again from the journal, the agent wrote the same lines, byte for byte." };
  };
  const save = async () => {
    download(await sessions().export(id), `wardian-${id}.zip`);
    toast("good", "The session is exported");
    return null;
  };
  return (
    <>
      <div class="buttons">
        <button type="button" class="button" disabled={isWorking.value} onClick={() => void run(verify)}>Verify</button>
        <button type="button" class="button" disabled={isWorking.value || isBusy} onClick={() => void run(replay)}>Replay</button>
        <button type="button" class="button" disabled={isWorking.value} onClick={() => void run(save)}><Icon name="download" />Export</button>
      </div>
      {result.value && (
        <p class={result.value.isGood ? "notice is-good" : "notice is-error"} role="status">
          <Icon name={result.value.isGood ? "check" : "alert"} /><span>{result.value.text}</span>
        </p>
      )}
    </>
  );
}
