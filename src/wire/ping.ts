/** Asks a Service Worker which build of the package it runs. Used by pages, and by the worker that is to follow it. */
import type { ToPage, ToServiceWorker } from '../protocol.js';
import { parsePeer, protocolVersion } from './engine-port.js';

/** It may have to be started first. */
const pongMs = 5_000;

/** The build; null where nobody answers who speaks our version of the protocol. */
export function askVersion(worker: Pick<ServiceWorker, 'postMessage'>): Promise<string | null> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    const settle = (version: string | null) => {
      clearTimeout(timer);
      port1.close();
      resolve(version);
    };
    const timer = setTimeout(settle, pongMs, null);
    port1.addEventListener('message', (event: MessageEvent) => {
      const pong = parsePeer<ToPage>(event.data);
      if (pong?.type === 'pong') settle(pong.build);
    });
    port1.start();
    worker.postMessage({ vecinity: protocolVersion, type: 'ping' } satisfies ToServiceWorker, [port2]);
  });
}
