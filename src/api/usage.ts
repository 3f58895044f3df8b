/** What a request has used, in OpenAI's words. */
import type { EmbedResult } from '../core/engine.js';
import type { EmbeddingsResponse } from '../protocol.js';

/** Every token is one of the prompt. */
export function toUsage({ usage }: Pick<EmbedResult, 'usage'>): EmbeddingsResponse['usage'] {
  return { prompt_tokens: usage.promptTokens, total_tokens: usage.promptTokens };
}
