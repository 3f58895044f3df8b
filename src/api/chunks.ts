/** Long documents in chunks, as Cohere reranks them (`max_chunks_per_doc`): a document is as relevant as its best chunk. */
import type { ModelStatus, RerankRequest, RerankResult, Token } from '../core/engine.js';
import { specOf } from './names.js';
import type { CallContext } from './route.js';

/** Special tokens around a pair, in any family. */
const pairSpecials = 4;

/** Scores every document by its first chunks, as many as are asked for. Throws what the engine throws. */
export async function scoreChunks(
  request: RerankRequest,
  { maxChunks, model, context }: { maxChunks: number; model: ModelStatus; context: CallContext },
): Promise<RerankResult> {
  const { engine, signal } = context;
  const { query, documents, maxTokensPerDocument } = request;
  const texts = [query, ...documents];
  const { tokens } = await engine.tokenize({
    model: model.id,
    texts,
    addSpecialTokens: false,
    promptName: null,
    signal,
  });
  const limit = request.maxTokens ?? (await specOf(model, context))?.maxTokens ?? Number.POSITIVE_INFINITY;
  const room = limit - (tokens[0]?.length ?? 0) - pairSpecials;
  const size = Math.max(1, Math.min(room, maxTokensPerDocument ?? room));
  const chunks = documents.map((text, at) => toChunks(text, tokens[at + 1] ?? [], { size, maxChunks }));
  const result = await engine.rerank({ ...request, documents: chunks.flat() });
  let next = 0;
  const best = chunks.map(({ length }) => {
    const own = result.scores.subarray(next, next + length);
    next += length;
    // A text can have more chunks than a call can have arguments.
    return own.reduce((most, score) => Math.max(most, score));
  });
  return { ...result, scores: Float32Array.from(best) };
}

/** Cuts between tokens; one whose place in the text is not known stays with the one before it. */
function toChunks(text: string, tokens: readonly Token[], { size, maxChunks }: { size: number; maxChunks: number }) {
  if (tokens.length <= size) return [text];
  const bytes = new TextEncoder().encode(text);
  const count = Math.min(maxChunks, Math.ceil(tokens.length / size));
  const starts = startsOf(tokens, bytes.length);
  const startOf = (chunk: number) => (chunk === 0 ? 0 : (starts[chunk * size] ?? bytes.length));
  return Array.from({ length: count }, (_, chunk) =>
    new TextDecoder().decode(bytes.subarray(startOf(chunk), startOf(chunk + 1))),
  ).filter((part) => part !== '');
}

/** Where each token begins, or the next one that has a place. */
function startsOf(tokens: readonly Token[], end: number): number[] {
  const starts = new Array<number>(tokens.length);
  let next = end;
  for (let at = tokens.length - 1; at >= 0; at -= 1) {
    next = tokens[at]?.start ?? next;
    starts[at] = next;
  }
  return starts;
}
