/** What every dialect's tokenize and detokenize routes come to. */
import type { DecodeResult, TokenizeResult } from '../core/engine.js';
import { useModel } from './keep-alive.js';
import type { CallContext } from './route.js';

/** Throws what the engine throws. */
export async function tokenizeTexts(
  wish: { model: string | null; texts: readonly string[]; addSpecialTokens: boolean; promptName?: string | null },
  context: CallContext,
): Promise<TokenizeResult> {
  const { model, promptName = null, ...rest } = wish;
  return await useModel(model, { task: 'embedding', context }, ({ id }) =>
    context.engine.tokenize({ ...rest, model: id, promptName, signal: context.signal }),
  );
}

/** Throws what the engine throws, `invalid_request` for ids of another vocabulary among it. */
export async function decodeIds(
  wish: { model: string | null; ids: readonly (readonly number[])[]; skipSpecialTokens: boolean },
  context: CallContext,
): Promise<DecodeResult> {
  return await useModel(wish.model, { task: 'embedding', context }, ({ id }) =>
    context.engine.decode({ ...wish, model: id, signal: context.signal }),
  );
}
