/** What every dialect's embedding route comes to: which model, which prompt, which limits, and the engine's answer. */
import type { EmbedResult, EmbedTokensRequest, EmbedTokensResult, ModelStatus } from '../core/engine.js';
import { checkDimensions, maxRequestTokens } from './compat.js';
import { type Computed, withCompute } from './compute.js';
import { useModel } from './keep-alive.js';
import { choosePrompt } from './prompts.js';
import { remoteNameOf } from './remote/remote.js';
import { embedRemotely } from './remote/remote-engine.js';
import type { CallContext } from './route.js';
import { toMaxTokens } from './truncation.js';
import type { EmbedWish } from './wishes.js';

/** Throws what the engine throws, and `invalid_request` for a prompt that is not known. */
export async function embedInputs(wish: EmbedWish, context: CallContext): Promise<Computed<EmbedResult>> {
  const remote = remoteNameOf(wish.model, context);
  if (remote !== null) return withCompute(await embedRemotely(wish, remote, context), wish.inputs, context);
  const result = await useModel(wish.model, { task: 'embedding', context }, async (model) => {
    await checkDimensions(wish.dimensions, model, context);
    return await context.engine.embed({
      ...(await toTokensRequest(wish, model, context)),
      dimensions: wish.dimensions ?? null,
      normalize: wish.normalize ?? null,
      ...(wish.lateChunking ? { lateChunking: true } : {}),
    });
  });
  return withCompute(result, wish.inputs, context);
}

/** The vectors of every token. Throws as `embedInputs` does. */
export async function embedTokens(
  wish: Omit<EmbedWish, 'dimensions' | 'normalize' | 'lateChunking'>,
  context: CallContext,
): Promise<Computed<EmbedTokensResult>> {
  const result = await useModel(wish.model, { task: 'embedding', context }, async (model) =>
    context.engine.embedTokens(await toTokensRequest(wish, model, context)),
  );
  return withCompute(result, wish.inputs, context);
}

async function toTokensRequest(wish: EmbedWish, model: ModelStatus, context: CallContext): Promise<EmbedTokensRequest> {
  const { prompt = null, promptName = null, role = null } = wish.prompt ?? {};
  return {
    model: model.id,
    inputs: wish.inputs,
    ...(await choosePrompt({ prompt, promptName, role }, model, context)),
    truncate: wish.truncate ?? false,
    truncateSide: wish.truncateSide ?? 'right',
    ...(wish.addSpecialTokens === false ? { addSpecialTokens: false } : {}),
    ...maxTotalOf(context),
    maxTokens: wish.maxTokens ?? (await toMaxTokens(wish.truncateTo, model, context)),
    signal: context.signal,
    client: context.client,
    onProgress: context.onProgress,
  };
}

function maxTotalOf({ api }: CallContext): { maxTotalTokens?: number } {
  const maxTotalTokens = maxRequestTokens(api);
  return maxTotalTokens === null ? {} : { maxTotalTokens };
}

/** TEI's spelling of the side. */
export function toSide(direction: string | null | undefined): 'left' | 'right' {
  return direction?.toLowerCase() === 'left' ? 'left' : 'right';
}
