/** What a request has used, in OpenAI's words. */
import type { ApiConfig } from '../config.js';
import type { EmbedResult } from '../core/engine.js';
import type { Computed } from './compute.js';
import type { EmbeddingsResponse } from './responses.js';

type WireUsage = EmbeddingsResponse['usage'];

/** Every token is one of the prompt. */
export function toUsage({ usage }: Pick<EmbedResult, 'usage'>): WireUsage {
  return { prompt_tokens: usage.promptTokens, total_tokens: usage.promptTokens };
}

/** The same in the units of whose rules hold: Infinity counts characters, vLLM also what was generated. */
export function usageOf(
  result: Computed<Pick<EmbedResult, 'usage'>>,
  { compat }: ApiConfig,
): WireUsage & { completion_tokens?: number } {
  const { characters } = result.compute;
  if (compat === 'infinity') return { prompt_tokens: characters, total_tokens: characters };
  return compat === 'vllm' ? { ...toUsage(result), completion_tokens: 0 } : toUsage(result);
}
