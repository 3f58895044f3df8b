/** What one request has cost, beside the times that the engine measures: what computed it, and how much text it was. */
import type { Engine, EngineInput } from '../core/engine.js';

export interface Compute {
  /** Null for a model of another server. */
  type: 'cpu' | 'gpu' | null;
  /** In UTF-16 units; token ids are none. */
  characters: number;
}

/** A result together with its cost. */
export type Computed<Result> = Result & { compute: Compute };

/** The same result with its cost. */
export function withCompute<Result extends { model: string }>(
  result: Result,
  inputs: readonly EngineInput[],
  { engine }: { engine: Engine },
): Computed<Result> {
  const device = engine.status().models.find(({ id }) => id === result.model)?.backend?.device ?? null;
  const type = device === null ? null : device === 'webgpu' ? 'gpu' : 'cpu';
  const characters = inputs.reduce((sum, input) => sum + (typeof input === 'string' ? input.length : 0), 0);
  return { ...result, compute: { type, characters } };
}
