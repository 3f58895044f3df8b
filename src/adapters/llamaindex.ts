/** `vecinity/llamaindex`: LlamaIndex's embedding and a node postprocessor that reranks, on `@llamaindex/core`. */
import { BaseEmbedding } from '@llamaindex/core/embeddings';
import type { MessageContent, MessageContentDetail } from '@llamaindex/core/llms';
import type { BaseNodePostprocessor } from '@llamaindex/core/postprocessor';
import { MetadataMode, type NodeWithScore } from '@llamaindex/core/schema';
import { extractSingleText, extractText } from '@llamaindex/core/utils';
import type { EmbedOptions, RerankOptions } from '../api/client-bodies.js';
import { VecinityError } from '../errors.js';
import { checkObject, checkRules, integerFrom, isFunction, type Rules } from '../rules.js';
import { checkList, checkSource, embedTexts, firstOf, rankDocuments, type VecinitySource } from './source.js';

export type { VecinitySource } from './source.js';

export interface VecinityEmbeddingOptions extends Omit<EmbedOptions, 'promptName'> {
  source: VecinitySource;
  /** Texts of one call; default 256. */
  embedBatchSize?: number;
  /** The model's prompt for queries, for example `query`; default the model's own. */
  queryPromptName?: string;
  /** The model's prompt for nodes, for example `passage`; default the model's own. */
  documentPromptName?: string;
}

const embeddingRules: Rules<keyof VecinityEmbeddingOptions> = { embedBatchSize: integerFrom(1) };

/** Vectors for LlamaIndex's stores and retrievers, as `Settings.embedModel` or an index's `embedModel`. */
export class VecinityEmbedding extends BaseEmbedding {
  readonly #source: VecinitySource;
  readonly #options: EmbedOptions;
  readonly #promptNames: { query: string | undefined; document: string | undefined };

  constructor(given: VecinityEmbeddingOptions) {
    super();
    checkObject(given);
    checkRules(embeddingRules, given);
    checkSource(given.source);
    const { source, embedBatchSize = 256, queryPromptName, documentPromptName, ...options } = given;
    this.#source = source;
    this.#options = options;
    this.#promptNames = { query: queryPromptName, document: documentPromptName };
    this.embedBatchSize = embedBatchSize;
  }

  override async getTextEmbedding(text: string): Promise<number[]> {
    return toNumbers(firstOf(await this.#embed([text], 'document')));
  }

  /** A member, not a method: the base class has it so. */
  override getTextEmbeddings = async (texts: string[]): Promise<number[][]> =>
    (await this.#embed(texts, 'document')).map(toNumbers);

  /** Null for a query without text, such as an image. */
  override async getQueryEmbedding(query: MessageContentDetail): Promise<number[] | null> {
    const text = query == null ? null : extractSingleText(query);
    return text ? toNumbers(firstOf(await this.#embed([text], 'query'))) : null;
  }

  async #embed(texts: string[], role: 'query' | 'document'): Promise<Float32Array[]> {
    const promptName = this.#promptNames[role];
    const options = promptName === undefined ? this.#options : { ...this.#options, promptName };
    return (await embedTexts(this.#source, texts, options)).vectors;
  }
}

export interface VecinityRerankOptions extends RerankOptions {
  source: VecinitySource;
}

/** Sorts retrieved nodes by how well they fit the query; the score of a node becomes the reranker's. */
export class VecinityRerank implements BaseNodePostprocessor {
  readonly #source: VecinitySource;
  readonly #options: RerankOptions;

  constructor(given: VecinityRerankOptions) {
    checkObject(given);
    checkSource(given.source);
    const { source, ...options } = given;
    this.#source = source;
    this.#options = options;
  }

  /** Best first, `topN` at most. Throws `invalid_request` without a query. */
  async postprocessNodes(nodes: NodeWithScore[], query?: MessageContent): Promise<NodeWithScore[]> {
    if (query == null) {
      throw new VecinityError('invalid_request', '`query` is missing: nodes are ranked against one.', {
        param: 'query',
      });
    }
    checkList(nodes, { name: 'nodes', items: 'nodes with a score', check: isNode });
    const texts = nodes.map(({ node }) => node.getContent(MetadataMode.EMBED));
    const { ranking } = await rankDocuments(this.#source, extractText(query), texts, this.#options);
    return ranking.flatMap(({ index, score }) => {
      const found = nodes[index];
      return found ? [{ node: found.node, score }] : [];
    });
  }
}

function isNode(value: unknown): boolean {
  return isFunction(Object(Object(value).node).getContent);
}

function toNumbers(vector: Float32Array): number[] {
  return [...vector];
}
