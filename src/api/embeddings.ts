/** The OpenAI embeddings call: body → engine request → response object. Used over HTTP and by the page's typed API. */
import * as z from 'zod/mini';
import type { EmbedResult, EmbedTokensResult } from '../core/engine.js';
import { VecinityError } from '../errors.js';
import { type Check, isBoolean, isString } from '../rules.js';
import { checkTexts } from './compat.js';
import type { Computed } from './compute.js';
import { embedInputs, embedTokens, toSide } from './embed-inputs.js';
import { choice, flag, inputs, integerFrom, oneOrMore, positiveInteger, text } from './fields.js';
import type { EmbeddingsResponse } from './responses.js';
import type { CallContext } from './route.js';
import { truncationFields } from './truncation.js';
import { toUsage } from './usage.js';
import { invalidField, parseBody } from './validate.js';
import type { BytesFormat } from './vectors/embeddings-bytes.js';
import { embeddingAt } from './vectors/embeddings-json.js';
import { scaleRows } from './vectors/norms.js';
import { endiannesses, plainForm, vectorDtypes } from './vectors/vector-bytes.js';
import { type TypedVectors, toTypedVector, vectorTypes } from './vectors/vector-codes.js';

/** Body of `POST /v1/embeddings`; fields that are not named here are ignored. */
export const embeddingsBody = z.object({
  input: inputs('input'),
  model: z.nullish(text()),
  encoding_format: z.nullish(choice(['float', 'base64', 'bytes', 'bytes_only'])),
  // Of `base64` and `bytes`: vLLM's words for the form of their numbers.
  embed_dtype: z.nullish(choice(vectorDtypes)),
  endianness: z.nullish(choice(endiannesses)),
  dimensions: z.nullish(positiveInteger()),
  user: z.nullish(text()),
  prompt: z.nullish(text()),
  prompt_name: z.nullish(text()),
  input_type: z.nullish(text()),
  task: z.nullish(text()),
  truncate: z.nullish(flag()),
  truncation_direction: z.nullish(choice(['right', 'left', 'Right', 'Left'])),
  normalize: z.nullish(flag()),
  // llama.cpp's word: none, the largest value, taxicab, Euclid's, and higher norms.
  embd_normalize: z.nullish(integerFrom(-1)),
  // Jina's words.
  embedding_type: z.nullish(oneOrMore(vectorTypes)),
  embedding_types: z.nullish(oneOrMore(vectorTypes)),
  normalized: z.nullish(flag()),
  late_chunking: z.nullish(flag()),
  return_multivector: z.nullish(flag()),
  // vLLM's words.
  use_activation: z.nullish(flag()),
  add_special_tokens: z.nullish(flag()),
  ...truncationFields,
});

type EmbeddingsBody = z.output<typeof embeddingsBody>;

export interface Embedded extends TypedVectors {
  result: Computed<EmbedResult>;
  /** Not null when the whole answer shall be bytes instead of JSON. */
  bytes: BytesFormat | null;
}

/** Validates the body and embeds its inputs. Throws what the engine throws, and `invalid_request`. */
export async function embedBody(body: unknown, context: CallContext): Promise<Embedded> {
  refuseMessages(body);
  const parsed = readPlain(body) ?? parseBody(embeddingsBody, body);
  if (parsed.return_multivector)
    throw invalidField(['return_multivector'], 'false where an input has one vector', true);
  checkTexts(parsed.input, context);
  const result = await embedInputs(
    {
      model: parsed.model ?? null,
      inputs: parsed.input,
      prompt: toPromptWish(parsed),
      dimensions: parsed.dimensions ?? null,
      normalize: toNormalize(parsed),
      lateChunking: parsed.late_chunking ?? false,
      addSpecialTokens: parsed.add_special_tokens ?? true,
      ...toTruncation(parsed, context.api.compat === 'infinity'),
    },
    context,
  );
  if (scalesItself(parsed)) scaleRows(result, parsed.embd_normalize ?? -1);
  const { encoding_format: format } = parsed;
  const bytes = format === 'bytes' || format === 'bytes_only' ? format : null;
  const own = format === 'base64' ? format : 'float';
  const [first = own, ...more] = parsed.embedding_type ?? parsed.embedding_types ?? [];
  const form = { dtype: parsed.embed_dtype ?? plainForm.dtype, bigEndian: parsed.endianness === 'big' };
  return { result, types: [first, ...more], bytes, form };
}

/** What the fields of nearly all bodies are; none of them can be wrong in another way. */
const plainFields = new Map<string, Check>([
  ['model', isString],
  ['truncate', isBoolean],
  ['normalize', isBoolean],
]);

/** One text with nothing unusual: all validators together take it as long as its tokens. Null for any other body. */
function readPlain(body: unknown): EmbeddingsBody | null {
  if (typeof body !== 'object' || body === null || !('input' in body)) return null;
  const { input, ...rest } = body;
  const [only = input, ...more] = Array.isArray(input) ? input : [];
  if (more.length > 0 || !isString(only)) return null;
  for (const [name, value] of Object.entries(rest)) {
    if (value !== undefined && !plainFields.get(name)?.(value)) return null;
  }
  // What is left has just been checked, field by field.
  return { ...rest, input: [only] } as EmbeddingsBody;
}

/** vLLM makes one text of a chat by the model's own template; models that embed texts here have none. */
function refuseMessages(body: unknown): void {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'messages') || Object.hasOwn(body, 'input'))
    return;
  const message = '`messages` need a model with a chat template, which no model here has; send the text as `input`.';
  throw new VecinityError('invalid_request', message, { param: 'messages' });
}

const whereTokens = 'where every token has a vector';

/** The vectors of all tokens of the inputs. Throws as `embedBody` does, and for fields that shape one vector an input. */
export async function embedBodyTokens(body: unknown, context: CallContext): Promise<Computed<EmbedTokensResult>> {
  const parsed = parseBody(embeddingsBody, body);
  const { encoding_format: format, embedding_type: type = parsed.embedding_types } = parsed;
  if (format && format !== 'float') throw invalidField(['encoding_format'], `"float" ${whereTokens}`, format);
  if (type?.some((name) => name !== 'float')) throw invalidField(['embedding_type'], `"float" ${whereTokens}`, type);
  const unfit = (['dimensions', 'late_chunking', 'normalize'] as const).find((field) => parsed[field]);
  if (unfit) throw invalidField([unfit], `left out ${whereTokens}`, parsed[unfit]);
  checkTexts(parsed.input, context);
  const addSpecialTokens = parsed.add_special_tokens ?? true;
  const wish = { model: parsed.model ?? null, inputs: parsed.input, prompt: toPromptWish(parsed), addSpecialTokens };
  return await embedTokens({ ...wish, ...toTruncation(parsed, context.api.compat === 'infinity') }, context);
}

/** OpenAI's `embeddings.create`: vectors are views of the result's one buffer, unless another type was asked for. */
export async function createEmbeddings(body: unknown, context: CallContext): Promise<EmbeddingsResponse> {
  const { result, types } = await embedBody(body, context);
  const data = Array.from({ length: result.count }, (_, index) => {
    const row = embeddingAt(result, index);
    return {
      object: 'embedding' as const,
      index,
      embedding: types[0] === 'float' ? row : toTypedVector(row, types[0]),
    };
  });
  return { object: 'list', data, model: result.model, usage: toUsage(result) };
}

/** Whether vectors get the length 1, in whichever dialect's words; null leaves it to the model. */
function toNormalize({ normalize, normalized, use_activation, embd_normalize }: EmbeddingsBody): boolean | null {
  return normalize ?? normalized ?? use_activation ?? (embd_normalize == null ? null : embd_normalize === 2);
}

/** True for a norm that the engine has not. */
function scalesItself({ normalize, normalized, use_activation, embd_normalize }: EmbeddingsBody): boolean {
  const isAsked = embd_normalize != null && embd_normalize !== 2;
  return isAsked && (normalize ?? normalized ?? use_activation) == null;
}

/** Whoever says to how many tokens wants to have inputs cut. */
function toTruncation(body: EmbeddingsBody, cuts: boolean) {
  const truncateTo = body.truncate_prompt_tokens ?? null;
  return {
    truncate: truncateTo === null ? (body.truncate ?? cuts) : true,
    truncateSide: toSide(body.truncation_direction ?? body.truncation_side),
    truncateTo,
  };
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
