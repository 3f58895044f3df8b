/** The tiny models of `test/fixtures/models`, opened as users open a folder, and what another implementation made of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TokenBatch } from '../../src/backend/backend.js';
import { loadTokenizer } from '../../src/core/load-tokenizer.js';
import type { Encoding, Tokenizer } from '../../src/core/tokenizer.js';
import type { ModelFiles, ModelLocation } from '../../src/models/files.js';
import { openFolder } from '../../src/models/folder.node.js';
import { openModelFiles, setFolderOpener } from '../../src/models/open-files.js';
import type { ModelSpec } from '../../src/models/spec.js';
import { loadModelSpec } from '../../src/models/spec-files.js';

setFolderOpener(openFolder);

export interface EmbeddingGolden {
  kind: 'embedding';
  pooling: string;
  normalize: boolean;
  max_seq_length: number;
  inputs: string[];
  input_ids: number[][];
  embeddings: number[][];
  prompted?: Record<string, number[][]>;
}

export interface RerankGolden {
  kind: 'rerank';
  query: string;
  documents: string[];
  input_ids: number[][];
  token_type_ids: (number[] | null)[];
  logits: number[];
}

export interface FixtureModel {
  location: ModelLocation;
  files: ModelFiles;
  spec: ModelSpec;
  tokenizer: Tokenizer;
}

const fixtures = join(import.meta.dirname, '../fixtures/models');

export function fixtureLocation(family: string): ModelLocation {
  return { kind: 'folder', base: `${join(fixtures, family)}/`, headers: {}, cache: false };
}

export async function openFixture(family: string): Promise<FixtureModel> {
  return openModel(family, fixtureLocation(family));
}

export async function openModel(id: string, location: ModelLocation): Promise<FixtureModel> {
  const files = openModelFiles(location);
  const spec = await loadModelSpec(files, { id, repository: id, revision: 'local', entry: null });
  return { location, files, spec, tokenizer: await loadTokenizer(files, spec) };
}

/** The golden file of a fixture; its kind is what the caller names. */
export function readGolden<Golden extends EmbeddingGolden | RerankGolden>(family: string): Golden {
  return JSON.parse(readFileSync(join(fixtures, family, 'golden.json'), 'utf8'));
}

export function packBatch(encodings: readonly Encoding[]): TokenBatch {
  const offsets = new Int32Array(encodings.length + 1);
  encodings.forEach((encoding, text) => {
    offsets[text + 1] = (offsets[text] ?? 0) + encoding.inputIds.length;
  });
  return {
    inputIds: Int32Array.from(encodings.flatMap(({ inputIds }) => [...inputIds])),
    typeIds: Int32Array.from(
      encodings.flatMap(({ typeIds, inputIds }) => [...(typeIds ?? new Int32Array(inputIds.length))]),
    ),
    offsets,
    skippedTokens: Int32Array.from(encodings.map(({ skippedTokens }) => skippedTokens)),
  };
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let dot = 0;
  let lengthA = 0;
  let lengthB = 0;
  for (let place = 0; place < a.length; place++) {
    const x = a[place] ?? 0;
    const y = b[place] ?? 0;
    dot += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  return dot / Math.sqrt(lengthA * lengthB);
}
