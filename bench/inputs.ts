/** Finds what a run needs on this disk: models, corpora, references, the peer's package. Says clearly what is missing. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { UsageError } from '../scripts/command-line.js';
import { repositoryRoot } from '../src/vite/bundle.js';
import {
  type Corpus,
  createTokenCounter,
  type Goldens,
  makeTextsOfLength,
  readCorpus,
  readGoldens,
  readKnownItem,
  repeatTo,
} from './corpus.js';
import type { BenchOptions } from './options.js';
import { longTokens, queryTokens } from './report.js';
import type { Workload } from './rounds.js';
import type { Mount } from './server.js';
import type { SystemsContext } from './systems.js';

const root = repositoryRoot;
const shared = path.join(root, '../shared');
const committedModels = path.join(root, 'public/models');
const queryCount = 64;
const longTextCount = 32;

export interface Inputs {
  corpus: Corpus;
  workload: Workload;
  model: Omit<SystemsContext, 'cores'>;
  /** Models and the peer's files. */
  mounts: Mount[];
  /** What is missing and what that means for the run. */
  notes: string[];
}

/** Reads everything that a run needs; throws `UsageError` when a file that was asked for is not there. */
export async function readInputs(options: BenchOptions): Promise<Inputs> {
  const notes: string[] = [];
  const modelsFolder = findModels(options, notes);
  const goldens = await findGoldens(options, notes);
  const corpus = await readCorpus(findCorpus(options));
  const model = goldens?.model ?? 'all-MiniLM-L6-v2';
  const modelFolder = [modelsFolder, committedModels].map((folder) => path.join(folder ?? '', model)).find(existsSync);
  if (modelFolder === undefined) throw new UsageError(`There is no folder of the model "${model}" in ${modelsFolder}.`);
  const countTokens = await createTokenCounter(modelFolder);
  const cut = (tokens: number, count: number) => {
    const texts = makeTextsOfLength(corpus.texts, tokens, count, countTokens);
    if (texts.length === 0) notes.push(`The corpus gives no text of exactly ${tokens} tokens: none is timed.`);
    return repeatTo(texts, count);
  };
  const bulk = options.quick ? corpus.texts.filter((_, index) => index % 4 === 0) : corpus.texts;
  return {
    corpus: { name: corpus.name, texts: bulk },
    workload: {
      bulk,
      queries: cut(queryTokens, queryCount),
      texts128: cut(longTokens, longTextCount),
      goldens,
      knownItem: options.quality ? await readKnownItem(requireFile(path.join(shared, 'bench/known-item.json'))) : null,
    },
    model: {
      model,
      pooling: await readPooling(modelFolder),
      maxTokens: goldens?.maxTokens ?? 256,
      peerModels: modelsFolder !== null,
      committedModel: existsSync(path.join(committedModels, model)),
    },
    mounts: listMounts(modelsFolder),
    notes,
  };
}

function findModels(options: BenchOptions, notes: string[]): string | null {
  if (options.models !== null) return requireFile(path.resolve(options.models));
  const folder = path.join(shared, 'models');
  if (existsSync(folder)) return folder;
  notes.push('../shared/models is missing: only the committed model is measured, without transformers.js.');
  return null;
}

async function findGoldens(options: BenchOptions, notes: string[]): Promise<Goldens | null> {
  if (options.goldens !== null) return readGoldens(requireFile(path.resolve(options.goldens)));
  const file = path.join(shared, 'goldens/all-MiniLM-L6-v2.json');
  if (existsSync(file)) return readGoldens(file);
  notes.push('../shared/goldens is missing: vectors are not checked and no cosines are shown.');
  return null;
}

function findCorpus(options: BenchOptions): string {
  if (options.corpus !== null) return requireFile(path.resolve(options.corpus));
  const file = path.join(shared, 'bench/mixed.json');
  if (existsSync(file)) return file;
  throw new UsageError('../shared/bench/mixed.json is missing: name another JSON list of texts with --corpus FILE.');
}

function requireFile(file: string): string {
  if (existsSync(file)) return file;
  throw new UsageError(`There is no ${file}.`);
}

async function readPooling(modelFolder: string): Promise<SystemsContext['pooling']> {
  const file = path.join(modelFolder, '1_Pooling/config.json');
  if (!existsSync(file)) return 'mean';
  const config: Record<string, unknown> = JSON.parse(await readFile(file, 'utf8'));
  if (config.pooling_mode_cls_token === true) return 'cls';
  return config.pooling_mode_lasttoken === true ? 'last_token' : 'mean';
}

function listMounts(modelsFolder: string | null): Mount[] {
  const require = createRequire(path.join(root, 'package.json'));
  const transformers = require.resolve('@huggingface/transformers');
  const onnxruntime = createRequire(transformers).resolve('onnxruntime-web');
  const models = modelsFolder ?? committedModels;
  return [
    { prefix: '/models/', folder: models },
    // A model that has only ONNX files is the way to the onnx backend where the engine knows the architecture.
    { prefix: '/onnx-models/', folder: models, hide: /\.safetensors$/ },
    { prefix: '/committed-models/', folder: committedModels },
    { prefix: '/transformers/', folder: path.dirname(transformers) },
    { prefix: '/onnxruntime/', folder: path.dirname(onnxruntime) },
  ];
}
