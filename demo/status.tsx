/** What the engine is doing: loading with its progress, ready with what it runs on, or failed with the reason. */
import type { ComponentChildren } from 'preact';
import type { LoadProgress, ModelStatus } from 'vecinity';
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
  onRetry(): void;
}

export function Failure({ title, message, onRetry }: FailureProps) {
  return (
    <div class="failure" role="alert">
      <p>
        <strong>{title}</strong>
      </p>
      <p class="failure-message">{message}</p>
      <button type="button" class="button" onClick={onRetry}>
        Try again
      </button>
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
        {spec !== null && `, ${spec.dimensions} dimensions, ${spec.pooling.replace('_', ' ')} pooling`}
      </Fact>
      {backend !== null && (
        <Fact name="Runs on">
          {deviceNames[backend.device]}, {backend.dtype}
          {backend.device === 'wasm' && `, ${countOf(backend.threads, 'thread')}`} ({backendNames[backend.backend]})
        </Fact>
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

/** Texts, tokens and time of the last answer. */
export function Timing({ similarity }: { similarity: Similarity }) {
  const { exchange, session, texts } = similarity;
  const device = session.status.backend?.device;
  return (
    <p class="timing" data-testid="timing">
      {countOf(texts.length, 'text')} · {countOf(exchange.answer.usage.total_tokens, 'token')} ·{' '}
      {formatMs(exchange.elapsedMs)}
      {device !== undefined && ` · ${deviceNames[device]}`}
    </p>
  );
}

function countOf(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

function formatMs(elapsedMs: number): string {
  return elapsedMs < 10 ? `${elapsedMs.toFixed(1)} ms` : `${Math.round(elapsedMs).toLocaleString('en')} ms`;
}
