/** The OpenAI embeddings call: body → engine request → response object. Used over HTTP and by the page's typed API. */
import * as z from 'zod/mini';
import { encodeFloats } from '../core/encoding.js';
import type { EmbedResult } from '../core/engine.js';
import type { EmbeddingsResponse } from '../protocol.js';
import { embedInputs, toSide } from './embed-inputs.js';
import { type EncodingFormat, embeddingAt } from './embeddings-json.js';
import { choice, flag, inputs, positiveInteger, text } from './fields.js';
import type { CallContext } from './route.js';
import { parseBody } from './validate.js';

/** Body of `POST /v1/embeddings`; fields that are not named here are ignored. */
export const embeddingsBody = z.object({
  input: inputs('input'),
  model: z.nullish(text()),
  encoding_format: z.nullish(choice(['float', 'base64'])),
  dimensions: z.nullish(positiveInteger()),
  user: z.nullish(text()),
  prompt: z.nullish(text()),
  prompt_name: z.nullish(text()),
  input_type: z.nullish(text()),
  task: z.nullish(text()),
  truncate: z.nullish(flag()),
  truncation_direction: z.nullish(choice(['right', 'left', 'Right', 'Left'])),
  normalize: z.nullish(flag()),
});

type EmbeddingsBody = z.output<typeof embeddingsBody>;

export interface Embedded {
  result: EmbedResult;
  /** Null when the request did not name one. */
  encodingFormat: EncodingFormat | null;
}

/** Validates the body and embeds its inputs. Throws what the engine throws, and `invalid_request`. */
export async function embedBody(body: unknown, context: CallContext): Promise<Embedded> {
  const parsed = parseBody(embeddingsBody, body);
  const result = await embedInputs(
    {
      model: parsed.model ?? null,
      inputs: parsed.input,
      prompt: toPromptWish(parsed),
      dimensions: parsed.dimensions ?? null,
      normalize: parsed.normalize ?? null,
      truncate: parsed.truncate ?? false,
      truncateSide: toSide(parsed.truncation_direction),
    },
    context,
  );
  return { result, encodingFormat: parsed.encoding_format ?? null };
}

/** OpenAI's `embeddings.create`: vectors are views of the result's one buffer, or strings when `base64` was asked for. */
export async function createEmbeddings(body: unknown, context: CallContext): Promise<EmbeddingsResponse> {
  const { result, encodingFormat } = await embedBody(body, context);
  const data = Array.from({ length: result.count }, (_, index) => {
    const row = embeddingAt(result, index);
    return { object: 'embedding' as const, index, embedding: encodingFormat === 'base64' ? encodeFloats(row) : row };
  });
  return { object: 'list', data, model: result.model, usage: toUsage(result) };
}

/** Usage in OpenAI's words. */
export function toUsage({ usage }: Pick<EmbedResult, 'usage'>): EmbeddingsResponse['usage'] {
  return { prompt_tokens: usage.promptTokens, total_tokens: usage.promptTokens };
}

function toPromptWish(body: EmbeddingsBody) {
  const field = body.input_type ? 'input_type' : 'task';
  const value = body[field];
  return {
    prompt: body.prompt ?? null,
    promptName: body.prompt_name ?? null,
    role: value ? { field, value } : null,
  };
}
