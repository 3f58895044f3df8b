/** What the option `compat` changes where neither the route nor the body decides whose rules hold. */
import type { ApiConfig } from '../config.js';
import type { EngineInput, ModelStatus } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import { type ErrorFormat, toOpenaiError } from './error-response.js';
import { createId, nowSeconds } from './ids.js';
import { specOf } from './names.js';
import type { RerankResponse } from './responses.js';
import type { CallContext } from './route.js';
import { invalidField } from './validate.js';

/** OpenAI takes no empty text. */
export function checkTexts(inputs: readonly EngineInput[], { api }: CallContext): void {
  if (api.compat !== 'openai') return;
  const index = inputs.indexOf('');
  if (index >= 0) throw invalidField(['input', index], 'a string that is not empty', '');
}

const openaiRequestTokens = 300_000;

/** Tokens of one embedding request at most; null sets no limit. */
export function maxRequestTokens({ maxRequestTokens: own, compat }: ApiConfig): number | null {
  return own ?? (compat === 'openai' ? openaiRequestTokens : null);
}

/** What vLLM and Infinity put before their embeddings. */
export function embeddingsHead({ compat }: ApiConfig): { id?: string; created?: number } {
  if (compat !== 'vllm' && compat !== 'infinity') return {};
  return { id: createId(compat === 'vllm' ? 'embd-' : 'infinity-'), created: nowSeconds() };
}

/** vLLM cuts only models that were trained for it. */
export async function checkDimensions(
  asked: number | null | undefined,
  model: ModelStatus,
  context: CallContext,
): Promise<void> {
  if (context.api.compat !== 'vllm' || asked === null || asked === undefined) return;
  const spec = await specOf(model, context);
  if (spec === null || spec.matryoshkaDimensions.length > 0) return;
  const message =
    `dimensions is ${asked}, but the model ${model.id} does not support matryoshka representation: it declares no ` +
    'widths that its vectors can be cut to.';
  throw new VecinityError('invalid_request', message, { param: 'dimensions' });
}

/** Infinity's documents are bare strings, and come back only when they were asked for. */
export function toPlainDocuments({ results: ranked, ...response }: RerankResponse, asked: boolean): object {
  const results = ranked.map(({ document, ...rest }) =>
    asked && document ? { ...rest, document: document.text } : rest,
  );
  return { ...response, object: 'rerank', created: nowSeconds(), results };
}

/** Infinity's status for fields that are wrong, where a dialect has no words of its own. */
export function compatFormat({ compat }: ApiConfig, format: ErrorFormat | undefined): ErrorFormat {
  return (error, request) => {
    const own = format?.(error, request) ?? null;
    const isUnprocessable = compat === 'infinity' && error.code === 'invalid_request';
    return own === null && isUnprocessable ? { status: 422, body: toOpenaiError(error) } : own;
  };
}
