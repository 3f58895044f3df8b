/** What every dialect's tokenize and detokenize routes come to. */
import type { DecodeResult, TokenizeResult } from '../core/engine.js';
import { wakeModel } from './keep-alive.js';
import { resolveModel } from './names.js';
import type { CallContext } from './route.js';

/** Throws what the engine throws. */
export async function tokenizeTexts(
  wish: { model: string | null; texts: readonly string[]; addSpecialTokens: boolean; promptName?: string | null },
  context: CallContext,
): Promise<TokenizeResult> {
  await wakeModel(wish.model, context);
  const { texts, addSpecialTokens, promptName = null } = wish;
  const model = resolveModel(wish.model, 'embedding', context).id;
  return context.engine.tokenize({ model, texts, addSpecialTokens, promptName, signal: context.signal });
}

/** Throws what the engine throws, `invalid_request` for ids of another vocabulary among it. */
export async function decodeIds(
  wish: { model: string | null; ids: readonly (readonly number[])[]; skipSpecialTokens: boolean },
  context: CallContext,
): Promise<DecodeResult> {
  await wakeModel(wish.model, context);
  const { ids, skipSpecialTokens } = wish;
  const model = resolveModel(wish.model, 'embedding', context).id;
  return context.engine.decode({ model, ids, skipSpecialTokens, signal: context.signal });
}
