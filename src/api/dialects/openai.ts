/**
 * OpenAI's routes (`/v1/…`, GPUStack's `/v1-openai/…`, DashScope's `/compatible-mode/v1/…`) and the rerank route that
 * Jina, Cohere and vLLM share with them.
 */
import { fieldOf } from '../../json-object.js';
import { embeddingsAnswer, json, rerankAnswer } from '../answers.js';
import { embeddingsHead, toPlainDocuments } from '../compat.js';
import { embedBody, embedBodyTokens, embeddingsBody } from '../embeddings.js';
import { modelAnswer, modelsAnswer } from '../model-answers.js';
import { listModels, retrieveModel } from '../models.js';
import { passedOn } from '../remote/remote.js';
import { rerankBody, rerankBodyDocuments } from '../rerank.js';
import { jsonResponse, timingHeaders } from '../respond.js';
import type { Call, CallContext, Dialect } from '../route.js';
import { usageOf } from '../usage.js';
import { bytesResponse } from '../vectors/embeddings-bytes.js';
import { toTokenParts, writeEmbeddings, writeJson } from '../vectors/embeddings-json.js';
import { toRows } from '../vectors/vector-codes.js';
import type { Variant } from './shared-route.js';

const embeddingsExample = { input: ['What is the capital of Peru?', 'Lima'], model: 'all-MiniLM-L6-v2' };
const rerankExample = { query: 'capital of Peru', documents: ['Lima', 'Quito'], top_n: 1 };

/** vLLM's `encoding_format` bytes comes without JSON. */
const embeddingsAnswers = { ...json(embeddingsAnswer), 'application/octet-stream': null };

export const openai: Dialect = [
  {
    method: 'POST',
    paths: ['/v1/embeddings', '/v1-openai/embeddings', '/compatible-mode/v1/embeddings'],
    summary: 'Embeds texts or token ids.',
    body: embeddingsBody,
    examples: [embeddingsExample],
    answers: embeddingsAnswers,
    guarded: true,
    handle: passedOn({ path: '/embeddings' }, embeddings),
  },
  {
    method: 'POST',
    paths: ['/v1/rerank', '/v1-openai/rerank'],
    summary: 'Sorts documents by their relevance to a query.',
    body: rerankBody,
    examples: [rerankExample],
    answers: json(rerankAnswer),
    guarded: true,
    handle: passedOn({ path: '/rerank', orElse: true }, rerank),
  },
  {
    method: 'GET',
    paths: ['/v1/models', '/v1-openai/models', '/compatible-mode/v1/models', '/models'],
    summary: 'Lists the loaded models and their aliases.',
    body: null,
    answers: json(modelsAnswer),
    guarded: true,
    handle: ({ context }) => jsonResponse(listModels(context)),
  },
  {
    method: 'GET',
    paths: ['/v1/models/:id{.+}', '/v1-openai/models/:id{.+}', '/compatible-mode/v1/models/:id{.+}'],
    summary: 'Describes one model.',
    body: null,
    answers: json(modelAnswer),
    guarded: true,
    handle: ({ context, id }) => jsonResponse(retrieveModel(id, context)),
  },
];

/** The part of `/embeddings` that TEI and Infinity have from OpenAI. */
export const openaiEmbeddings: Variant = {
  key: 'input',
  body: embeddingsBody,
  example: embeddingsExample,
  answers: embeddingsAnswers,
  handle: passedOn({ path: '/embeddings' }, embeddings),
};

/** The part of `/rerank` that Jina, vLLM, Infinity and llama.cpp agree on. */
export const openaiRerank: Variant = {
  key: 'documents',
  body: rerankBody,
  example: rerankExample,
  answers: json(rerankAnswer),
  handle: passedOn({ path: '/rerank', orElse: true }, rerank),
};

async function embeddings({ body, context }: Call): Promise<Response> {
  if (asksForTokens(body)) return await tokenEmbeddings(body, context);
  const embedded = await embedBody(body, context);
  if (embedded.bytes !== null) return bytesResponse(embedded.bytes, embedded);
  const { result } = embedded;
  const tail = { ...embeddingsHead(context.api), model: result.model, usage: usageOf(result, context.api) };
  const itemTail = embedded.types.length === 1 && embedded.types[0] === 'base64' ? ',"encoding_format":"base64"' : '';
  const bytes = await writeEmbeddings(toRows(embedded), tail, itemTail);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

/** Jina's word for a vector a token; everything else about the body is checked where it is read. */
function asksForTokens(body: unknown): boolean {
  return fieldOf(body, 'return_multivector') === true;
}

async function tokenEmbeddings(body: unknown, context: CallContext): Promise<Response> {
  const result = await embedBodyTokens(body, context);
  const items = toTokenParts(result, (index) => [`{"object":"embedding","index":${index},"embedding":`, '}']);
  const head = embeddingsHead(context.api);
  const tail = JSON.stringify({ ...head, model: result.model, usage: usageOf(result, context.api) }).slice(1);
  const bytes = await writeJson(['{"object":"list","data":[', ...items, `],${tail}`]);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

async function rerank({ body, context }: Call): Promise<Response> {
  const { result, response, documentsAsked } = await rerankBodyDocuments(body, context);
  const answer = context.api.compat === 'infinity' ? toPlainDocuments(response, documentsAsked ?? false) : response;
  return jsonResponse(answer, { headers: timingHeaders(result) });
}
