/**
 * OpenAI's routes (`/v1/…`, GPUStack's `/v1-openai/…`, DashScope's `/compatible-mode/v1/…`) and the rerank route that
 * Jina, Cohere and vLLM share with them.
 */
import { toPlainDocuments } from './compat.js';
import { embedBody, embeddingsBody, toUsage } from './embeddings.js';
import { bytesResponse } from './embeddings-bytes.js';
import { writeEmbeddings } from './embeddings-json.js';
import { listModels, retrieveModel } from './models.js';
import { answerRemotely } from './remote.js';
import { rerankBody, rerankBodyDocuments } from './rerank.js';
import { jsonResponse, timingHeaders } from './respond.js';
import type { Call, Dialect } from './route.js';
import type { Variant } from './shared-route.js';
import { toManyTypedRows, toTypedRows } from './vector-codes.js';

export const openai: Dialect = [
  {
    method: 'POST',
    paths: ['/v1/embeddings', '/v1-openai/embeddings', '/compatible-mode/v1/embeddings'],
    summary: 'Embeds texts or token ids.',
    body: embeddingsBody,
    guarded: true,
    handle: embeddings,
  },
  {
    method: 'POST',
    paths: ['/v1/rerank', '/v1-openai/rerank'],
    summary: 'Sorts documents by their relevance to a query.',
    body: rerankBody,
    guarded: true,
    handle: rerank,
  },
  {
    method: 'GET',
    paths: ['/v1/models', '/v1-openai/models', '/compatible-mode/v1/models', '/models'],
    summary: 'Lists the loaded models and their aliases.',
    body: null,
    guarded: true,
    handle: ({ context }) => jsonResponse(listModels(context)),
  },
  {
    method: 'GET',
    paths: ['/v1/models/:id{.+}', '/v1-openai/models/:id{.+}', '/compatible-mode/v1/models/:id{.+}'],
    summary: 'Describes one model.',
    body: null,
    guarded: true,
    handle: ({ context, id }) => jsonResponse(retrieveModel(id, context)),
  },
];

/** The part of `/embeddings` that TEI and Infinity have from OpenAI. */
export const openaiEmbeddings: Variant = { key: 'input', body: embeddingsBody, handle: embeddings };

/** The part of `/rerank` that Jina, vLLM, Infinity and llama.cpp agree on. */
export const openaiRerank: Variant = { key: 'documents', body: rerankBody, handle: rerank };

async function embeddings(call: Call): Promise<Response> {
  const remote = await answerRemotely('/embeddings', call);
  if (remote) return remote;
  const { body, context } = call;
  const { result, types, bytes: format } = await embedBody(body, context);
  if (format !== null) return bytesResponse(result, format);
  const tail = { model: result.model, usage: toUsage(result) };
  const rows = types.length > 1 ? toManyTypedRows(result, types) : toTypedRows(result, types[0]);
  const bytes = await writeEmbeddings(rows, tail);
  return jsonResponse(bytes, { headers: timingHeaders(result) });
}

async function rerank(call: Call): Promise<Response> {
  const remote = await answerRemotely('/rerank', call);
  if (remote) return remote;
  const { body, context } = call;
  const { result, response, documentsAsked } = await rerankBodyDocuments(body, context);
  const answer = context.api.compat === 'infinity' ? toPlainDocuments(response, documentsAsked ?? false) : response;
  return jsonResponse(answer, { headers: timingHeaders(result) });
}
