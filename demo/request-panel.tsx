/** The request that drew the map, as code in four forms, and the answer that came back. */
import { useRef, useState } from 'preact/hooks';
import { type Exchange, embeddingsPath } from './exchange.js';
import { CheckIcon, CopyIcon } from './icons.js';
import { type SnippetName, shortAnswer, snippet, snippetNames } from './snippets.js';

export function RequestPanel({ exchange }: { exchange: Exchange }) {
  const [name, setName] = useState<SnippetName>('fetch');
  const code = snippet(name, exchange.body, location.origin);
  return (
    <section class="request" aria-labelledby="request-title">
      <div class="section-head">
        <h2 id="request-title">The request behind this map</h2>
        <p class="soft">
          <code>POST {embeddingsPath}</code>, answered by this tab
        </p>
      </div>
      <div class="request-columns">
        <div class="panel">
          <div class="panel-head">
            <Tabs name={name} onName={setName} />
            <CopyCode code={code} />
          </div>
          <div role="tabpanel" id="request-code" aria-labelledby={tabId(name)}>
            <Code label="Request" text={code} />
          </div>
        </div>
        <div class="panel">
          <div class="panel-head">
            <h3>Answer</h3>
            <p class="soft" data-testid="answer-status">
              {exchange.status}, vectors shortened
            </p>
          </div>
          <Code label="Answer" text={shortAnswer(exchange)} />
        </div>
      </div>
    </section>
  );
}

/** Long code scrolls, so it must be reachable by keyboard. */
function Code({ label, text }: { label: string; text: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: see above.
    <section aria-label={label} tabIndex={0} class="code">
      <pre>
        <code>{text}</code>
      </pre>
    </section>
  );
}

interface TabsProps {
  name: SnippetName;
  onName(name: SnippetName): void;
}

/** ARIA's tabs pattern: one tab stop, arrow keys choose. */
function Tabs({ name, onName }: TabsProps) {
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const count = snippetNames.length;
    const next = snippetNames[(snippetNames.indexOf(name) + step + count) % count] ?? name;
    onName(next);
    list.current?.querySelector<HTMLElement>(`#${tabId(next)}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Form of the request" ref={list} onKeyDown={onKeyDown}>
      {snippetNames.map((choice) => (
        <button
          key={choice}
          id={tabId(choice)}
          type="button"
          role="tab"
          aria-selected={choice === name}
          aria-controls="request-code"
          tabIndex={choice === name ? 0 : -1}
          onClick={() => onName(choice)}
        >
          {choice}
        </button>
      ))}
    </div>
  );
}

function tabId(name: SnippetName): string {
  return `tab-${name.toLowerCase().replace(' ', '-')}`;
}

function CopyCode({ code }: { code: string }) {
  const [copied, setCopied] = useState<string | null>(null);
  const copy = () => {
    navigator.clipboard.writeText(code).then(
      () => setCopied(code),
      () => setCopied(null),
    );
  };
  const done = copied === code;
  return (
    <button type="button" class="button" onClick={copy}>
      {done ? <CheckIcon /> : <CopyIcon />}
      <span>{done ? 'Copied' : 'Copy'}</span>
    </button>
  );
}
