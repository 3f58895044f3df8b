/** How many tokens an input may keep: vLLM's `truncate_prompt_tokens` on every route that has it. */
import * as z from 'zod/mini';
import type { ModelStatus } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import { choice, integerFrom } from './fields.js';
import { specOf } from './names.js';
import type { CallContext } from './route.js';

/** Fields of a body; -1 cuts to what the model takes. */
export const truncationFields = {
  truncate_prompt_tokens: z.nullish(integerFrom(-1)),
  truncation_side: z.nullish(choice(['right', 'left'])),
};

/** Throws `invalid_request` for more tokens than the model takes; null, 0 and -1 leave the model's own limit. */
export async function toMaxTokens(
  asked: number | null | undefined,
  model: ModelStatus,
  context: CallContext,
): Promise<number | null> {
  if (asked === null || asked === undefined || asked < 1) return null;
  const limit = (await specOf(model, context))?.maxTokens ?? asked;
  if (asked <= limit) return asked;
  const message =
    `truncate_prompt_tokens value (${asked}) is greater than max_model_len (${limit}). Please, select a smaller ` +
    'truncation size.';
  throw new VecinityError('invalid_request', message, { param: 'truncate_prompt_tokens' });
}
