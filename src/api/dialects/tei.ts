/** The native routes of TEI: bare arrays as answers, flat errors, and texts that are cut unless the request says no. */
import * as z from 'zod/mini';
import { maxInputs } from '../../config.js';
import { cosine } from '../../core/similarity.js';
import { VecinityError } from '../../errors.js';
import { fieldOf } from '../../json-object.js';
import {
  json,
  teiDecodeAnswer,
  teiEmbedAnswer,
  teiOwnAnswer,
  teiPredictAnswer,
  teiRerankAnswer,
  teiSimilarityAnswer,
  teiSparseAnswer,
  teiTokenizeAnswer,
  teiTokensAnswer,
  vertexAnswer,
} from '../answers.js';
import { byScore, classifyTexts, labelScores } from '../classify.js';
import { embedInputs, embedTokens, toSide } from '../embed-inputs.js';
import { choice, flag, inputs, positiveInteger, text, texts, tokenSequences } from '../fields.js';
import { useModel } from '../keep-alive.js';
import { specOf } from '../names.js';
import { passedOn, remoteNameOf } from '../remote/remote.js';
import { rank, scoreDocuments } from '../rerank.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { Call, Dialect, Route } from '../route.js';
import { decodeIds, tokenizeTexts } from '../tokens.js';
import { invalidField, parseBody } from '../validate.js';
import { embeddingAt, toJsonRows, toTokenParts, writeJson } from '../vectors/embeddings-json.js';
import type { Variant } from './shared-route.js';
import { formatError } from './tei-error.js';
import { vertex, vertexBody } from './vertex.js';

const directions = ['right', 'left', 'Right', 'Left'] as const;

/** Fields that most routes have. TEI serves one model; with several, `model` chooses. */
const common = {
  model: z.nullish(text()),
  truncate: z.nullish(flag()),
  truncation_direction: z.nullish(choice(directions)),
};
const prompted = { ...common, prompt_name: z.nullish(text()) };

const embedBody = z.object({
  ...prompted,
  inputs: inputs('inputs'),
  normalize: z.nullish(flag()),
  dimensions: z.nullish(positiveInteger()),
});
/** Of `/embed_all` and `/embed_sparse`. */
const tokensBody = z.object({ ...prompted, inputs: inputs('inputs') });
const rerankBody = z.object({
  ...common,
  query: text(),
  texts: texts('texts'),
  raw_scores: z.nullish(flag()),
  return_text: z.nullish(flag()),
});
const similarityBody = z.object({
  model: z.nullish(text()),
  inputs: z.object({ source_sentence: text(), sentences: texts('inputs.sentences') }, 'an object'),
  parameters: z.nullish(z.object(prompted, 'an object')),
});
const tokenizeBody = z.object({
  model: z.nullish(text()),
  inputs: texts('inputs'),
  add_special_tokens: z.nullish(flag()),
  prompt_name: z.nullish(text()),
});
const decodeBody = z.object({
  model: z.nullish(text()),
  ids: tokenSequences('ids'),
  skip_special_tokens: z.nullish(flag()),
});
const textSequence = { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 2 };
const sequences = z.unknown().register(z.globalRegistry, {
  anyOf: [{ type: 'string' }, textSequence, { type: 'array', items: textSequence, minItems: 1, maxItems: maxInputs }],
});
const predictBody = z.object({ ...common, inputs: sequences, raw_scores: z.nullish(flag()) });
/** Of `/` and `/invocations`. */
const ownTaskBody = z.union([embedBody, rerankBody, predictBody, similarityBody]);

const tasks = 'embeds, reranks, classifies, or compares when the inputs say so';
const similarityExample = { inputs: { source_sentence: 'Lima', sentences: ['Quito', 'a river'] } };

export const tei: Dialect = [
  {
    ...post(['/embed'], 'Embeds texts or token ids; the answer is an array of vectors.', embed),
    ...{ body: embedBody, examples: [{ inputs: ['Lima', 'Quito'] }], answers: json(teiEmbedAnswer) },
  },
  {
    ...post(['/similarity'], 'Cosines of one sentence with others.', similarity),
    ...{ body: similarityBody, examples: [similarityExample], answers: json(teiSimilarityAnswer) },
  },
  {
    ...post(['/decode'], 'Turns token ids into texts.', native('/decode', decode)),
    ...{ body: decodeBody, examples: [{ ids: [[101, 102]] }], answers: json(teiDecodeAnswer) },
  },
  {
    ...post(
      ['/predict'],
      'Classifies texts or pairs of texts, with a model that has labels.',
      native('/predict', predict),
    ),
    ...{ body: predictBody, examples: [{ inputs: [['I like it.']] }], answers: json(teiPredictAnswer) },
  },
  {
    ...post(['/embed_all'], 'Embeds texts; the answer has a vector for every token.', native('/embed_all', embedAll)),
    ...{ body: tokensBody, examples: [{ inputs: ['Lima'] }], answers: json(teiTokensAnswer) },
  },
  {
    ...post(
      ['/embed_sparse'],
      'Embeds texts sparsely, with a model that has a head for it.',
      native('/embed_sparse', embedSparse),
    ),
    ...{ body: tokensBody, examples: [{ inputs: ['Lima'] }], answers: json(teiSparseAnswer) },
  },
  {
    ...post(['/vertex'], 'Answers several requests of the model’s own task.', (call) => vertex(call, ownTask)),
    ...{ body: vertexBody, examples: [{ instances: [{ inputs: 'Lima' }] }], answers: json(vertexAnswer) },
  },
  {
    ...post(['/'], `Does what the model is made for: ${tasks}.`, ownTask),
    body: ownTaskBody,
    examples: [{ inputs: 'Lima' }, similarityExample],
    answers: json(teiOwnAnswer),
  },
];

/** TEI's part of `/invocations`: bodies with `inputs`, and with `texts`. */
export const teiInvocation: Variant = {
  key: 'inputs',
  body: ownTaskBody,
  example: { inputs: 'Lima' },
  answers: json(teiOwnAnswer),
  formatError,
  handle: ownTask,
};

/** TEI's half of `/rerank`. */
export const teiRerank: Variant = {
  key: 'texts',
  body: rerankBody,
  example: { query: 'capital of Peru', texts: ['Lima', 'Quito'] },
  answers: json(teiRerankAnswer),
  formatError,
  handle: rerank,
};

/** TEI's part of `/tokenize`. */
export const teiTokenize: Variant = {
  key: 'inputs',
  body: tokenizeBody,
  example: { inputs: ['Lima'] },
  answers: json(teiTokenizeAnswer),
  formatError,
  handle: native('/tokenize', tokenize),
};

/** What only a server with TEI's own routes answers for a model that it has. */
function native(path: string, handle: Route['handle']): Route['handle'] {
  return passedOn({ path, fromRoot: true }, handle);
}

function post(paths: readonly string[], summary: string, handle: Route['handle']) {
  return { method: 'POST' as const, paths, summary, guarded: true, formatError, handle };
}

async function embed({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(embedBody, body);
  const { normalize, dimensions } = parsed;
  const wish = {
    ...toWish(parsed),
    inputs: parsed.inputs,
    normalize: normalize ?? true,
    dimensions: dimensions ?? null,
  };
  const result = await embedInputs(wish, context);
  const bytes = await writeJson(['[', toJsonRows(result, 'float'), ']']);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

async function rerank({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(rerankBody, body);
  const { model, query, texts: documents, truncate } = parsed;
  const rawScores = parsed.raw_scores ?? false;
  const wish = { model: model ?? null, query, documents, rawScores, truncate: truncate ?? true };
  const result = await scoreDocuments(wish, context);
  const withText = (entry: { index: number; score: number }) => ({ ...entry, text: documents[entry.index] });
  const ranked = rank(result.scores);
  return jsonResponse(parsed.return_text ? ranked.map(withText) : ranked, { headers: timingHeaders(result) });
}

async function similarity({ body, context }: Call): Promise<Response> {
  const { model, inputs: asked, parameters } = parseBody(similarityBody, body);
  const wish = { ...toWish({ ...parameters, model }), inputs: [asked.source_sentence, ...asked.sentences] };
  const result = await embedInputs(wish, context);
  const source = embeddingAt(result, 0);
  const scores = asked.sentences.map((_, index) => cosine(source, embeddingAt(result, index + 1)));
  return jsonResponse(scores, { headers: timingHeaders(result) });
}

async function tokenize({ body, context }: Call): Promise<Response> {
  const { model = null, inputs, add_special_tokens, prompt_name } = parseBody(tokenizeBody, body);
  const wish = { model, texts: inputs, addSpecialTokens: add_special_tokens ?? true, promptName: prompt_name ?? null };
  const result = await tokenizeTexts(wish, context);
  return jsonResponse(result.tokens, { headers: timingHeaders(result) });
}

async function decode({ body, context }: Call): Promise<Response> {
  const { model = null, ids, skip_special_tokens } = parseBody(decodeBody, body);
  const wish = { model, ids, skipSpecialTokens: skip_special_tokens ?? true };
  const result = await decodeIds(wish, context);
  return jsonResponse(result.texts, { headers: timingHeaders(result) });
}

async function predict({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(predictBody, body);
  const { batch, sequences } = parseSequences(parsed.inputs);
  const { model, truncate, truncateSide } = toWish(parsed);
  const wish = { model, truncate, truncateSide, inputs: sequences, rawScores: parsed.raw_scores ?? false };
  const result = await classifyTexts(wish, context);
  const sorted = labelScores(result).map(byScore);
  return jsonResponse(batch ? sorted : (sorted[0] ?? []), { headers: timingHeaders(result) });
}

async function embedAll({ body, context }: Call): Promise<Response> {
  const parsed = parseBody(tokensBody, body);
  const result = await embedTokens({ ...toWish(parsed), inputs: parsed.inputs }, context);
  const bytes = await writeJson(['[', ...toTokenParts(result), ']']);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

/** Sparse vectors come from a masked-language-model head (SPLADE), which no model has that can be loaded here. */
async function embedSparse({ body, context }: Call): Promise<Response> {
  const { model } = parseBody(tokensBody, body);
  const id = await useModel(model ?? null, { task: 'embedding', context }, async (chosen) => chosen.id);
  const message = `The model ${id} is not an embedding model with SPLADE pooling, so it has no sparse embeddings.`;
  throw new VecinityError('unsupported_task', message, { param: 'model' });
}

/** Clients of Hugging Face's task for similarity send its body to the root, whatever the model is. */
async function ownTask(call: Call): Promise<Response> {
  if (asksForSimilarity(call.body)) return await similarity(call);
  if (isRemote(call)) return await (fieldOf(call.body, 'texts') === undefined ? embed(call) : rerank(call));
  const { context } = call;
  const spec = await useModel(null, { task: 'embedding', context }, (model) => specOf(model, context));
  if (spec?.task !== 'rerank') return await embed(call);
  return spec.dimensions === 1 ? await rerank(call) : await predict(call);
}

interface CommonFields {
  model?: string | null | undefined;
  truncate?: boolean | null | undefined;
  truncation_direction?: (typeof directions)[number] | null | undefined;
  prompt_name?: string | null | undefined;
}

function toWish({ model, truncate, truncation_direction, prompt_name }: CommonFields) {
  return {
    model: model ?? null,
    truncate: truncate ?? true,
    truncateSide: toSide(truncation_direction),
    prompt: { promptName: prompt_name ?? null },
  };
}

type Sequence = string | [string, string];

/** `"a"` is one text, `["a", "b"]` one pair, and `[["a"], ["a", "b"]]` a batch of both. */
function parseSequences(value: unknown): { batch: boolean; sequences: Sequence[] } {
  const single = toSequence(value);
  if (single !== null) return { batch: false, sequences: [single] };
  const items: unknown[] = Array.isArray(value) && value.length <= maxInputs ? value : [];
  const sequences = items.map((item) => (Array.isArray(item) ? toSequence(item) : null));
  const known = sequences.filter((sequence) => sequence !== null);
  if (known.length > 0 && known.length === sequences.length) return { batch: true, sequences: known };
  throw invalidField(['inputs'], 'a string, an array of two strings (a pair), or an array of such arrays', value);
}

function toSequence(value: unknown): Sequence | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) return null;
  const [first, second, ...more] = value;
  if (first === undefined || more.length > 0) return null;
  return second === undefined ? first : [first, second];
}

function isRemote({ body, context }: Call): boolean {
  const model = fieldOf(body, 'model');
  return remoteNameOf(typeof model === 'string' ? model : null, context) !== null;
}

function asksForSimilarity(body: unknown): boolean {
  return fieldOf(fieldOf(body, 'inputs'), 'source_sentence') !== undefined;
}
