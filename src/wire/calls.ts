/**
 * What Comlink cannot carry by itself: errors that keep their code, an `AbortSignal`, a progress callback, and vectors
 * that are moved instead of copied. Both ends call `installTransferHandlers` once before they talk, the called one also
 * `installReceiver` of `received-calls.ts`.
 */
import { type TransferHandler, transfer, transferHandlers } from 'comlink';
import type { EmbeddingsResponse } from '../api/responses.js';
import { type ErrorData, fromErrorData, toErrorData } from '../errors.js';
import { isObject } from '../json-object.js';
import { isSignal } from '../rules.js';

/** Options of a call with the two members that cannot be cloned. */
export interface Live {
  signal?: AbortSignal;
  onProgress?: (progress: unknown) => void;
}

/** `Live` while it crosses: plain members, and one port for "abort" and "release" one way, progress the other way. */
export interface Wire {
  plain: Record<string, unknown>;
  port: MessagePort;
  aborted: boolean;
  wantsProgress: boolean;
}

/** Set by the end that is called; a page never is, and counts its bytes. */
let receive: (wire: Wire) => Live = ({ plain }) => plain;

export function setReceiver(receiver: typeof receive): void {
  receive = receiver;
}

const releases = new WeakMap<object, () => void>();

/** Closes the port behind a call's options; the caller does this once the call has settled. */
export function releaseCall(options: object): void {
  releases.get(options)?.();
  releases.delete(options);
}

/** Marks the one buffer behind the response's vectors to be moved to the page. */
export function moveVectors(response: EmbeddingsResponse): EmbeddingsResponse {
  const buffers = new Set<ArrayBuffer>();
  for (const { embedding } of response.data) {
    if (embedding instanceof Float32Array && embedding.buffer instanceof ArrayBuffer) buffers.add(embedding.buffer);
  }
  return transfer(response, [...buffers]);
}

export function installTransferHandlers(): void {
  transferHandlers.set('vecinity-call', callHandler);
  const standard = transferHandlers.get('throw');
  if (standard) transferHandlers.set('throw', { ...throwHandler, canHandle: standard.canHandle });
}

const throwHandler: Omit<TransferHandler<{ value: unknown }, ErrorData>, 'canHandle'> = {
  serialize: ({ value }) => [toErrorData(value), []],
  deserialize: (data) => {
    throw fromErrorData(data);
  },
};

const callHandler: TransferHandler<Live, Wire> = {
  canHandle: (value): value is Live =>
    isObject(value) && (isSignal(value.signal) || typeof value.onProgress === 'function'),
  serialize: (live) => {
    const wire = openCall(live);
    return [wire, [wire.port]];
  },
  deserialize: (wire) => receive(wire),
};

function openCall(live: Live): Wire {
  const { signal, onProgress, ...plain } = live;
  const { port1, port2 } = new MessageChannel();
  const onAbort = () => port1.postMessage('abort');
  signal?.addEventListener('abort', onAbort, { once: true });
  if (onProgress) port1.onmessage = (event: MessageEvent<unknown>) => onProgress(event.data);
  releases.set(live, () => {
    signal?.removeEventListener('abort', onAbort);
    port1.postMessage('release');
    port1.close();
  });
  return { plain, port: port2, aborted: signal?.aborted ?? false, wantsProgress: onProgress !== undefined };
}
