/** `vecinity/langchain`: LangChain's `Embeddings` and a document compressor that reranks, on `@langchain/core`. */
import type { DocumentInterface } from '@langchain/core/documents';
import { Embeddings, type EmbeddingsParams } from '@langchain/core/embeddings';
import { BaseDocumentCompressor } from '@langchain/core/retrievers/document_compressors';
import type { EmbedOptions, RerankOptions } from '../api/client-bodies.js';
import { VecinityError } from '../errors.js';
import { checkObject, isString } from '../rules.js';
import { checkList, checkSource, embedTexts, firstOf, rankDocuments, type VecinitySource } from './source.js';

export type { VecinitySource } from './source.js';

export interface VecinityEmbeddingsOptions extends EmbeddingsParams, Omit<EmbedOptions, 'promptName'> {
  source: VecinitySource;
  /** The model's prompt for `embedQuery`, for example `query`; default the model's own. */
  queryPromptName?: string;
  /** The model's prompt for `embedDocuments`, for example `passage`; default the model's own. */
  documentPromptName?: string;
}

/** Vectors for LangChain's stores and retrievers. Calls are retried as `maxRetries` of LangChain says. */
export class VecinityEmbeddings extends Embeddings {
  readonly #source: VecinitySource;
  readonly #query: EmbedOptions;
  readonly #document: EmbedOptions;

  constructor(options: VecinityEmbeddingsOptions) {
    checkObject(options);
    checkSource(options.source);
    const { source, queryPromptName, documentPromptName, ...rest } = options;
    const { maxConcurrency, maxRetries, onFailedAttempt, ...embed } = rest;
    super(rest);
    this.#source = source;
    this.#query = withPrompt(embed, queryPromptName);
    this.#document = withPrompt(embed, documentPromptName);
  }

  /** Vectors of `[dimensions]`, in the order of the texts. */
  async embedDocuments(texts: string[]): Promise<number[][]> {
    return (await this.#embed(texts, this.#document)).map((vector) => [...vector]);
  }

  /** The vector of a query. */
  async embedQuery(text: string): Promise<number[]> {
    return [...firstOf(await this.#embed([text], this.#query))];
  }

  async #embed(texts: string[], options: EmbedOptions): Promise<Float32Array[]> {
    const { vectors } = await this.caller.call(() => embedTexts(this.#source, texts, options).catch(throwWithHeader));
    return vectors;
  }
}

export interface VecinityRerankOptions extends RerankOptions {
  source: VecinitySource;
}

/** Keeps the documents that fit a query best, with `metadata.relevanceScore`; the documents given stay as they were. */
export class VecinityRerank extends BaseDocumentCompressor {
  readonly #source: VecinitySource;
  readonly #options: RerankOptions;

  constructor(given: VecinityRerankOptions) {
    super();
    checkObject(given);
    checkSource(given.source);
    const { source, ...options } = given;
    this.#source = source;
    this.#options = options;
  }

  /** Best first, `topN` at most. */
  async compressDocuments(documents: DocumentInterface[], query: string): Promise<DocumentInterface[]> {
    checkList(documents, { name: 'documents', items: 'documents', check: isDocument });
    const texts = documents.map(({ pageContent }) => pageContent);
    const { ranking } = await rankDocuments(this.#source, query, texts, this.#options);
    return ranking.flatMap(({ index, score }) => {
      const document = documents[index];
      return document ? [{ ...document, metadata: { ...document.metadata, relevanceScore: score } }] : [];
    });
  }
}

function isDocument(value: unknown): boolean {
  return isString(Object(value).pageContent);
}

/** LangChain repeats a 429 only when it finds, as on an HTTP error, a header that says when. */
function throwWithHeader(thrown: unknown): never {
  if (!(thrown instanceof VecinityError) || thrown.retryAfterMs === null) throw thrown;
  throw Object.assign(thrown, { headers: { 'retry-after': String(thrown.retryAfterMs / 1_000) } });
}

function withPrompt(options: EmbedOptions, promptName: string | undefined): EmbedOptions {
  return promptName === undefined ? options : { ...options, promptName };
}
