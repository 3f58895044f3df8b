/** What the engine is doing: loading with its progress, ready with what it runs on, or failed with the reason. */
import type { ComponentChildren } from 'preact';
import type { LoadProgress, ModelStatus } from 'vecinity';
import { formatBytes } from './bytes.js';
import { filesSource, type Session } from './engine.js';
import { describeProgress } from './progress.js';
import type { Similarity } from './use-similarity.js';

export function Loading({ model, progress }: { model: string; progress: LoadProgress | null }) {
  const { label, detail, share } = describeProgress(model, progress);
  return (
    <div class="loading">
      <p role="status">{label}</p>
      <progress aria-label={`Loading ${model}`} max={1} {...(share === null ? {} : { value: share })} />
      {/* Outside the live region: read out, it would never end. */}
      <p class="soft">{detail ?? '\u00a0'}</p>
    </div>
  );
}

export interface FailureProps {
  title: string;
  message: string;
  /** Ways out of it, the usual one first. */
  actions: readonly { label: string; onClick(): void }[];
}

export function Failure({ title, message, actions }: FailureProps) {
  return (
    <div class="failure" role="alert">
      <p>
        <strong>{title}</strong>
      </p>
      <p class="failure-message">{message}</p>
      <p class="failure-actions">
        {actions.map(({ label, onClick }) => (
          <button key={label} type="button" class="button" onClick={onClick}>
            {label}
          </button>
        ))}
      </p>
    </div>
  );
}

const backendNames = { onnx: 'ONNX Runtime', wasm: 'Vecinity’s own kernels' } as const;
const deviceNames = { webgpu: 'WebGPU', wasm: 'WebAssembly' } as const;

export function SessionStatus({ session }: { session: Session }) {
  const { status, route } = session;
  const { backend, spec, tried } = status;
  const source = filesSource(status);
  return (
    <dl class="facts">
      <Fact name="Model">
        {status.id}
        {spec !== null && `, ${describeSpec(spec)}`}
      </Fact>
      {backend !== null && (
        <Fact name="Runs on">
          {deviceNames[backend.device]}, {backend.dtype}
          {backend.device === 'wasm' && `, ${countOf(backend.threads, 'thread')}`} ({backendNames[backend.backend]})
        </Fact>
      )}
      {backend?.memoryBytes !== undefined && (
        <Fact name="Memory">{formatBytes(backend.memoryBytes)} for the model</Fact>
      )}
      {source !== null && <Fact name="Files from">{source}</Fact>}
      <Fact name="Reached by">
        {route.kind === 'service-worker' ? 'plain fetch through the Service Worker' : `vecinity.fetch: ${route.reason}`}
      </Fact>
      {tried.length > 0 && (
        <Fact name="Tried">
          {tried.map((attempt, index) => (
            <span key={index} class="attempt">
              {describeAttempt(attempt)}
            </span>
          ))}
        </Fact>
      )}
    </dl>
  );
}

function describeSpec({ task, dimensions, pooling }: NonNullable<ModelStatus['spec']>): string {
  return task === 'rerank' ? 'a reranker' : `${dimensions} dimensions, ${pooling.replace('_', ' ')} pooling`;
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

type Attempt = ModelStatus['tried'][number];

function describeAttempt({ backend, device, ok, reason }: Attempt): string {
  const what = `${backendNames[backend]} on ${deviceNames[device]}: ${ok ? 'taken' : 'not taken'}`;
  return reason === '' ? what : `${what}, ${reason}`;
}

/** Fewer texts tell more of the request's own time than of the device. */
const rateLeast = 8;

/** Texts, tokens, time and speed of the last answer. */
export function Timing({ similarity }: { similarity: Similarity }) {
  const { exchange, session, texts } = similarity;
  const device = session.status.backend?.device;
  return (
    <p class="timing" data-testid="timing">
      {countOf(texts.length, 'text')} · {countOf(exchange.answer.usage.total_tokens, 'token')} ·{' '}
      {formatMs(exchange.elapsedMs)}
      {texts.length >= rateLeast && ` · ${formatRate(texts.length, exchange.elapsedMs)} texts/s`}
      {device !== undefined && ` · ${deviceNames[device]}`}
    </p>
  );
}

function countOf(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

function formatRate(count: number, elapsedMs: number): string {
  return Math.round((count * 1_000) / Math.max(1, elapsedMs)).toLocaleString('en');
}

function formatMs(elapsedMs: number): string {
  return elapsedMs < 10 ? `${elapsedMs.toFixed(1)} ms` : `${Math.round(elapsedMs).toLocaleString('en')} ms`;
}
