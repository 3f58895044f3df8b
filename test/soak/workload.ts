/** What is asked, and what is right: texts with the vectors of another implementation, and the undisturbed engine's own. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { cosine } from '../../src/core/similarity.js';
import type { ErrorCode } from '../../src/errors.js';
import type { Ask, Reply, TextKind } from './page/subject.js';
import type { Random } from './random.js';
import type { Outcome } from './tally.js';

/** The same of a score; the engine computes with 8 bits. */
const maxScoreError = 0.01;
/** Devices differ by their rounding; the same device does not. */
const minCosineToOtherDevice = 0.9999;

const at = (file: string) => fileURLToPath(new URL(file, import.meta.url));

interface Model {
  /** On the hub of the soak. */
  name: string;
  folder: string;
}

export interface Subject {
  embedding: Model;
  reranker: Model;
  goldens: string;
  /** Of a vector to its golden. */
  minCosine: number;
  /** Whether an answer has to have the bits of the undisturbed engine. */
  exact: boolean;
  /** Texts of a bulk job or a flood: what the device computes in seconds. */
  textsOfBulk: { least: number; most: number };
}

const fixture = (name: string): Model => ({ name: `soak/${name}`, folder: at(`../fixtures/models/${name}`) });
const reranker = fixture('bert-reranker');

/** The repository's own 8-bit model against float32: its rounding, and nothing more. */
export const cpuSubject: Subject = {
  // By this name the engine knows the vector of its check text.
  embedding: { name: 'sentence-transformers/all-MiniLM-L6-v2', folder: at('../../public/models/all-MiniLM-L6-v2') },
  reranker,
  goldens: at('../fixtures/goldens/all-MiniLM-L6-v2.json'),
  minCosine: 0.99,
  exact: true,
  textsOfBulk: { least: 40, most: 160 },
};

/**
 * A model with ONNX weights; after crashes of the GPU the CPU takes over, with other last bits. Chromium's software GPU
 * compiles for seconds after each crash and then computes some ten texts a second, beside all the rest on the same cores.
 */
const gpuSubject: Subject = {
  embedding: fixture('bert-cls'),
  reranker,
  goldens: at('../fixtures/models/bert-cls/golden.json'),
  minCosine: 0.999,
  exact: false,
  textsOfBulk: { least: 4, most: 16 },
};

interface Ranking {
  query: string;
  documents: string[];
  scores_sigmoid: number[];
}

/** Codes of a request that is wrong, or of a defect of ours; no fault explains them. */
const blaming: ReadonlySet<string> = new Set<ErrorCode>([
  ...(['invalid_request', 'invalid_json', 'context_length_exceeded', 'payload_too_large', 'unsupported_task'] as const),
  ...(['invalid_api_key', 'not_found', 'method_not_allowed', 'unsupported_media_type'] as const),
  ...(['model_not_found', 'internal_error'] as const),
]);

/** By their frequency. */
const kinds = [
  ...(['embed', 'embed', 'embed', 'embed', 'fetch', 'fetch', 'fetch', 'fetch'] as const),
  ...(['fetch-rerank', 'fetch-rerank', 'rerank', 'rerank', 'bulk', 'bulk', 'cancel', 'cancel'] as const),
  ...(['flood', 'cancelled-flood'] as const),
];

function isCancelled(kind: string): boolean {
  return kind === 'cancel' || kind === 'cancelled-flood';
}

export class Workload {
  readonly subject: Subject;
  readonly #golden: ReadonlyMap<string, readonly number[]>;
  readonly #ranking: Ranking;
  /** Bits of the undisturbed engine, by text. */
  readonly #vectors = new Map<string, Buffer>();
  readonly #scores = new Map<string, Buffer>();

  constructor(subject: Subject, golden: ReadonlyMap<string, readonly number[]>, ranking: Ranking) {
    this.subject = subject;
    this.#golden = golden;
    this.#ranking = ranking;
  }

  /**
   * Asks an undisturbed engine for everything once and keeps its bits. Throws when they are not near the goldens, or
   * when a text's vector depends on the texts beside it: then no later answer could be judged.
   */
  async learn(ask: (ask: Ask) => Promise<Reply>): Promise<void> {
    const texts = [...this.#golden.keys()];
    for (const text of texts) this.#vectors.set(text, bytesOf(await ask({ kind: 'embed', texts: [text] })));
    for (const document of this.#ranking.documents) {
      const { query } = this.#ranking;
      this.#scores.set(document, bytesOf(await ask({ kind: 'rerank', query, documents: [document] })));
    }
    for (const question of [this.#embed('bulk', texts), this.#rank('rerank', this.#ranking.documents)]) {
      const outcome = this.judge(question, await ask(question));
      if (outcome.type !== 'answered') throw new Error(`The undisturbed engine: ${JSON.stringify(outcome)}`);
    }
  }

  /** The next request of a tab. */
  next(random: Random): Ask {
    const kind = random.pick(kinds);
    if (kind === 'rerank' || kind === 'fetch-rerank') {
      return this.#rank(kind, this.#some(this.#ranking.documents, random.between(1, 8), random));
    }
    const { least, most } = this.subject.textsOfBulk;
    const isShort = kind === 'embed' || kind === 'fetch';
    const count = isShort ? random.between(1, 4) : random.between(least, most);
    const question = this.#embed(kind, this.#some([...this.#golden.keys()], count, random));
    return isCancelled(kind) ? { ...question, abortAfterMs: random.between(0, 400) } : question;
  }

  /** Compares every number of an answer with its golden, and with what the undisturbed engine said. */
  judge(ask: Ask, reply: Reply): Outcome {
    if ('code' in reply) return judgeFailure(reply, ask.kind);
    const bytes = Buffer.from(reply.values, 'base64');
    const detail = 'documents' in ask ? this.#wrongScore(ask, bytes) : this.#wrongVector(ask, bytes);
    return detail === null ? { type: 'answered' } : { type: 'wrong', detail: `${ask.kind}: ${detail}` };
  }

  #embed(kind: TextKind, texts: string[]): Extract<Ask, { texts: string[] }> {
    return { kind, texts };
  }

  #rank(kind: 'rerank' | 'fetch-rerank', documents: string[]): Ask {
    return { kind, query: this.#ranking.query, documents };
  }

  #some(texts: readonly string[], count: number, random: Random): string[] {
    return Array.from({ length: count }, () => random.pick(texts));
  }

  #wrongVector({ texts }: Extract<Ask, { texts: string[] }>, bytes: Buffer): string | null {
    const width = bytes.length / texts.length;
    for (const [index, text] of texts.entries()) {
      const row = bytes.subarray(index * width, (index + 1) * width);
      const name = `text ${index} of ${texts.length}`;
      const golden = this.#golden.get(text) ?? [];
      if (width !== golden.length * Float32Array.BYTES_PER_ELEMENT) return `${name} has ${width} bytes`;
      const nearness = cosine(floatsOf(row), golden);
      if (!(nearness >= this.subject.minCosine)) return `${name} has a cosine of ${nearness} to its golden`;
      if (!this.#isAsLearned(row, this.#vectors.get(text))) return `${name} is not what the undisturbed engine gave`;
    }
    return null;
  }

  #isAsLearned(row: Buffer, learned: Buffer | undefined): boolean {
    if (!learned) return false;
    return (
      row.equals(learned) || (!this.subject.exact && cosine(floatsOf(row), floatsOf(learned)) > minCosineToOtherDevice)
    );
  }

  #wrongScore({ documents }: Extract<Ask, { documents: string[] }>, bytes: Buffer): string | null {
    const scores = floatsOf(bytes);
    if (scores.length !== documents.length) return `${scores.length} scores for ${documents.length} documents`;
    for (const [index, document] of documents.entries()) {
      const right = this.#ranking.scores_sigmoid[this.#ranking.documents.indexOf(document)] ?? Number.NaN;
      const error = Math.abs((scores[index] ?? Number.NaN) - right);
      if (!(error <= maxScoreError)) return `score ${index} is ${error} from its golden`;
      const isSame = this.#scores.get(document)?.equals(bytes.subarray(index * 4, index * 4 + 4));
      if (this.subject.exact && !isSame) return `score ${index} is not what the undisturbed engine gave`;
    }
    return null;
  }
}

/** Reads the goldens of the models that are asked on this device. */
export async function readWorkload({ gpu }: { gpu: boolean }): Promise<Workload> {
  const subject = gpu ? gpuSubject : cpuSubject;
  const { texts, inputs = texts ?? [], embeddings } = await readJson<Goldens>(subject.goldens);
  const golden = new Map(inputs.map((text, index) => [text, embeddings[index] ?? []] as const));
  return new Workload(subject, golden, await readJson<Ranking>(path.join(subject.reranker.folder, 'golden.json')));
}

/** The files of the real model and of the small ones name the texts differently. */
interface Goldens {
  texts?: string[];
  inputs?: string[];
  embeddings: number[][];
}

async function readJson<T>(file: string): Promise<T> {
  return JSON.parse(await readFile(file, 'utf8'));
}

/**
 * A refusal says why by its code. Without one the caller has no answer, and with one that finds fault with the request
 * no right answer: every request of the soak is well made, and only some kinds are ever aborted.
 */
export function judgeFailure(
  { code, name, message }: Extract<Reply, { name: string }>,
  kind: Ask['kind'] | 'open',
): Outcome {
  if (code === null) return { type: 'lost', detail: `${name}: ${message}` };
  const isHonest = code === 'aborted' ? isCancelled(kind) : !blaming.has(code);
  return isHonest ? { type: 'refused', code, message } : { type: 'lost', detail: `refused as ${code}: ${message}` };
}

function bytesOf(reply: Reply): Buffer {
  if ('values' in reply) return Buffer.from(reply.values, 'base64');
  throw new Error(`The undisturbed engine failed: ${reply.name} ${reply.code}: ${reply.message}`);
}

function floatsOf(bytes: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
