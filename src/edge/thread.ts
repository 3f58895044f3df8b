/** A thread of Node in the form of a browser's Worker, and its inside in the form of a worker's global scope. */

import { parentPort, type TransferListItem, Worker } from 'node:worker_threads';
import { wordsOf } from '../errors.js';

type Listener = (event: { readonly data?: unknown; readonly message?: string }) => void;

/** What compute and WASM threads have in common, seen from the outside. */
export interface Thread {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  /** Resolves when the thread is gone. */
  terminate(): Promise<unknown>;
  addEventListener(type: 'message' | 'error' | 'messageerror', listener: Listener): void;
}

/** Starts a module as a thread. A thread that ends by itself is an `error`, as every end is that nobody asked for. */
export function startThread(file: URL): Thread {
  const worker = new Worker(file);
  let ended = false;
  return {
    postMessage: (message, transfer = []) => worker.postMessage(message, toTransferList(transfer)),
    terminate() {
      ended = true;
      return worker.terminate();
    },
    addEventListener(type, listener) {
      if (type === 'message') worker.on('message', (data: unknown) => listener({ data }));
      if (type === 'messageerror') worker.on('messageerror', (error) => listener({ message: error.message }));
      if (type !== 'error') return;
      worker.on('error', (error) => listener({ message: wordsOf(error) }));
      worker.on('exit', (code) => {
        if (!ended) listener({ message: `the thread ended with exit code ${code}` });
      });
    },
  };
}

/** The other side of `startThread`, in the thread itself. Throws outside of a thread. */
export function ownPort() {
  const port = parentPort;
  if (port === null) throw new Error('This module is started as a thread, not by itself.');
  return {
    postMessage: (message: unknown, transfer: Transferable[] = []) =>
      port.postMessage(message, toTransferList(transfer)),
    addEventListener: (_: 'message', listener: (event: { readonly data: unknown }) => void) => {
      port.on('message', (data: unknown) => listener({ data }));
    },
  };
}

/** Only buffers are ever transferred here; the types of the browser and of Node name different other things. */
function toTransferList(transfer: Transferable[]): TransferListItem[] {
  return transfer as unknown as TransferListItem[];
}
