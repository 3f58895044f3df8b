import type { VecinityOptions } from '../../../src/index.js';

/** A flood asks for each text by itself, all at once. */
export type TextKind = 'embed' | 'fetch' | 'bulk' | 'cancel' | 'flood' | 'cancelled-flood';

/** One request, as plain data. */
export type Ask =
  | { kind: TextKind; texts: string[]; abortAfterMs?: number }
  | { kind: 'rerank' | 'fetch-rerank'; query: string; documents: string[] };

/** What came of it: float32 numbers as base64, row by row, or what was thrown; `code` is null where the error had none. */
export type Reply = { values: string } | { code: string | null; name: string; message: string };

export interface SoakSetup {
  options: VecinityOptions;
  reranker: string;
}

export type Harm =
  | 'terminate'
  | 'close'
  | 'throw'
  | 'kill-compute'
  | 'hang-compute'
  | 'trap'
  | 'out-of-memory'
  | 'compute-wrong-numbers';

/** What became of a device that computes wrong numbers; `replaced` names the one that computes in its place. */
export interface WrongDevice {
  wrongDevice: 'began' | 'refused' | 'replaced';
  /** Model, backend and device. */
  place: string;
}

export interface SoakPage {
  /** Loads both models and waits until plain `fetch` is answered. */
  open(setup: SoakSetup): Promise<Reply>;
  ask(ask: Ask): Promise<Reply>;
  /** Ends the engine worker of this tab, if it has one, in one of the ways in which a worker ends, or fails a run of it. */
  harm(how: Harm): boolean;
  updateServiceWorker(): Promise<void>;
}

declare global {
  interface Window {
    soak: SoakPage;
    /** To the soak itself. */
    tellOfDevice(event: WrongDevice): Promise<void>;
  }
}
