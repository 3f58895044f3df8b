/** What every dialect's embedding route comes to: which model, which prompt, which limits, and the engine's answer. */
import type { EmbedResult, EngineInput } from '../core/engine.js';
import { useModel } from './keep-alive.js';
import { choosePrompt, type PromptWish } from './prompts.js';
import type { CallContext } from './route.js';
import { toMaxTokens } from './truncation.js';

/** A request in no dialect; what is left out takes the engine's default. */
export interface EmbedWish {
  model: string | null;
  inputs: readonly EngineInput[];
  prompt?: Partial<PromptWish>;
  dimensions?: number | null;
  normalize?: boolean | null;
  /** True cuts what is too long; default false. */
  truncate?: boolean;
  truncateSide?: 'left' | 'right';
  /** Tokens to keep at most; more than the model takes means the model's own limit. */
  maxTokens?: number | null;
  /** The same of vLLM's, where more than the model takes is an error. */
  truncateTo?: number | null;
}

/** Throws what the engine throws, and `invalid_request` for a prompt that is not known. */
export async function embedInputs(wish: EmbedWish, context: CallContext): Promise<EmbedResult> {
  const { prompt = null, promptName = null, role = null } = wish.prompt ?? {};
  return await useModel(wish.model, { task: 'embedding', context }, async (model) =>
    context.engine.embed({
      model: model.id,
      inputs: wish.inputs,
      ...(await choosePrompt({ prompt, promptName, role }, model, context)),
      dimensions: wish.dimensions ?? null,
      normalize: wish.normalize ?? null,
      truncate: wish.truncate ?? false,
      truncateSide: wish.truncateSide ?? 'right',
      maxTokens: wish.maxTokens ?? (await toMaxTokens(wish.truncateTo, model, context)),
      signal: context.signal,
      onProgress: context.onProgress,
    }),
  );
}

/** TEI's spelling of the side. */
export function toSide(direction: string | null | undefined): 'left' | 'right' {
  return direction?.toLowerCase() === 'left' ? 'left' : 'right';
}
