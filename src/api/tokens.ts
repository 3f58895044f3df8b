/** What every dialect's tokenize and detokenize routes come to. */
import type { DecodeResult, EngineInput, Timing, TokenizeResult, Usage } from '../core/engine.js';
import { type Computed, withCompute } from './compute.js';
import { useModel } from './keep-alive.js';
import type { CallContext } from './route.js';

/** A result with what the headers tell of it; all of its time is the tokenizer's. */
type Tallied<Result> = Computed<Result & { timing: Timing; usage: Usage; truncated: number }>;

/** Throws what the engine throws. */
export async function tokenizeTexts(
  wish: { model: string | null; texts: readonly string[]; addSpecialTokens: boolean; promptName?: string | null },
  context: CallContext,
): Promise<Tallied<TokenizeResult>> {
  const { model, promptName = null, ...rest } = wish;
  const startedAt = performance.now();
  const result = await useModel(model, { task: 'embedding', context }, ({ id }) =>
    context.engine.tokenize({ ...rest, model: id, promptName, signal: context.signal }),
  );
  const promptTokens = result.tokens.reduce((sum, tokens) => sum + tokens.length, 0);
  return tally(result, { startedAt, promptTokens, inputs: wish.texts, context });
}

/** Throws what the engine throws, `invalid_request` for ids of another vocabulary among it. */
export async function decodeIds(
  wish: { model: string | null; ids: readonly (readonly number[])[]; skipSpecialTokens: boolean },
  context: CallContext,
): Promise<Tallied<DecodeResult>> {
  const startedAt = performance.now();
  const result = await useModel(wish.model, { task: 'embedding', context }, ({ id }) =>
    context.engine.decode({ ...wish, model: id, signal: context.signal }),
  );
  const promptTokens = wish.ids.reduce((sum, ids) => sum + ids.length, 0);
  return tally(result, { startedAt, promptTokens, inputs: result.texts, context });
}

interface Spent {
  startedAt: number;
  promptTokens: number;
  inputs: readonly EngineInput[];
  context: CallContext;
}

function tally<Result extends { model: string }>(result: Result, spent: Spent): Tallied<Result> {
  const { startedAt, promptTokens, inputs, context } = spent;
  const totalMs = performance.now() - startedAt;
  const timing = { tokenizeMs: totalMs, queueMs: 0, inferenceMs: 0, totalMs };
  return withCompute({ ...result, timing, usage: { promptTokens }, truncated: 0 }, inputs, context);
}
