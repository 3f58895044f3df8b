/** What every dialect's classify route comes to: labels with their scores, from a cross-encoder's head. */
import type { ClassifyResult } from '../core/engine.js';
import { type Computed, withCompute } from './compute.js';
import { useModel } from './keep-alive.js';
import type { CallContext } from './route.js';
import { toMaxTokens } from './truncation.js';

/** A request in no dialect. */
export interface ClassifyWish {
  model: string | null;
  inputs: readonly (string | readonly [string, string])[];
  /** True gives the logits. */
  rawScores?: boolean;
  /** False refuses what is too long; default true. */
  truncate?: boolean;
  truncateSide?: 'left' | 'right';
  /** Tokens to keep at most; more than the model takes is an error. */
  truncateTo?: number | null;
}

export interface LabelScore {
  score: number;
  label: string;
}

/** Throws what the engine throws. */
export async function classifyTexts(wish: ClassifyWish, context: CallContext): Promise<Computed<ClassifyResult>> {
  const result = await useModel(wish.model, { task: 'rerank', context }, async (model) =>
    context.engine.classify({
      model: model.id,
      inputs: wish.inputs,
      activation: wish.rawScores ? 'none' : 'probability',
      truncate: wish.truncate ?? true,
      truncateSide: wish.truncateSide ?? 'right',
      maxTokens: await toMaxTokens(wish.truncateTo, model, context),
      signal: context.signal,
      client: context.client,
      onProgress: context.onProgress,
    }),
  );
  return withCompute(result, wish.inputs.flat(), context);
}

/** The labels of each input in the model's order. */
export function labelScores({ labels, scores, count }: ClassifyResult): LabelScore[][] {
  return Array.from({ length: count }, (_, input) =>
    labels.map((label, at) => ({ score: scores[input * labels.length + at] ?? 0, label })),
  );
}

/** Best first. */
export function byScore(labels: readonly LabelScore[]): LabelScore[] {
  return [...labels].sort((a, b) => b.score - a.score);
}
