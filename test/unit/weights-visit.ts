/** A browser with an empty disk before a hub that serves one file of weights, and the visits of a page there. */
import { vi } from 'vitest';
import type { ModelFiles, ModelLocation } from '../../src/models/files.js';
import { openModelFiles } from '../../src/models/open-files.js';
import { createFakeDisk, type FakeDisk } from './fake-opfs.js';
import { type FaultServer, faultServer, hubBase } from './fault-server.js';

/** The file that the hub serves. */
export const weightsPath = 'model.safetensors';
export const weightsLocation: ModelLocation = { kind: 'url', base: hubBase, headers: {}, cache: true };

export interface Browser {
  disk: FakeDisk;
  server: FaultServer;
  /** Puts the machine's own globals back, the clock too. */
  close(): void;
}

export function openBrowser(weights: Uint8Array<ArrayBuffer>): Browser {
  const disk = createFakeDisk();
  vi.stubGlobal('navigator', { storage: disk.storage });
  vi.stubGlobal('caches', undefined);
  const close = () => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  };
  return { disk, server: faultServer(weights), close };
}

/** Each call is a new visit of the page. */
export function visit(server: FaultServer, given: Partial<ModelLocation> = {}): ModelFiles {
  return openModelFiles({ ...weightsLocation, ...given }, { fetch: server.fetch });
}
