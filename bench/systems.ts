/** What is compared: every system, how its users call it, and what is measured on it. One table, no measuring. */
import { UsageError } from '../scripts/command-line.js';
import type { Form, Setup, VecinitySetup } from './page/subject.js';

export type Task = 'bulk' | 'query' | 'text128';

/** A way to hand texts over, with the name that the tables show. */
export interface NamedForm extends Form {
  name: string;
}

export interface System {
  /** Word for `--systems`. */
  key: string;
  name: string;
  config: string;
  setup: Setup;
  /** Ways of handing over a list of texts; the first one is its main form. */
  forms: readonly [NamedForm, ...NamedForm[]];
  tasks: readonly Task[];
  /** What the system must say that serves it; null takes whatever it chose by itself. */
  servedBy: string | null;
  /** Vectors further from the references than this are a fault and not a result. */
  minCosine: number;
}

export interface SystemsContext {
  model: string;
  pooling: 'mean' | 'cls' | 'last_token';
  maxTokens: number;
  /** Threads that a system may use at most: the cores of the machine. */
  cores: number;
  /** Whether `/models/` has the original weights and the ONNX files, which transformers.js needs. */
  peerModels: boolean;
  /** Whether the model that Vecinity ships is there, at `/committed-models/`. */
  committedModel: boolean;
}

const oneByOne: NamedForm = { name: 'one text at a time', batchSize: 1, sorted: false };
const sortedBatches: NamedForm = { name: 'sorted batches of 16', batchSize: 16, sorted: true };
const givenOrder: NamedForm = { name: 'batches of 16 as given', batchSize: 16, sorted: false };
const oneCall: NamedForm = { name: 'one call', batchSize: 0, sorted: false };

/** All systems, peers first. */
export function listSystems(context: SystemsContext): System[] {
  return [...(context.peerModels ? listTransformers(context) : []), ...listVecinity(context)];
}

/** Keeps the systems whose key contains one of the words; throws `UsageError` when a word fits none. */
export function selectSystems(systems: readonly System[], words: readonly string[] | null): System[] {
  if (words === null) return [...systems];
  for (const word of words) {
    if (systems.some(({ key }) => key.includes(word))) continue;
    const keys = systems.map(({ key }) => key).join(', ');
    throw new UsageError(`--systems: no system matches "${word}"; there are: ${keys}.`);
  }
  return systems.filter(({ key }) => words.some((word) => key.includes(word)));
}

function listTransformers({ model, pooling, maxTokens, cores }: SystemsContext): System[] {
  const system = (dtype: 'q8' | 'fp32', threads: number, forms: System['forms'], tasks: Task[]): System => ({
    key: `transformers-${dtype}-${threads}t`,
    name: 'transformers.js',
    config: `${dtype}, ${countThreads(threads)}`,
    setup: { driver: 'transformers', model, dtype, threads, pooling, maxTokens },
    forms,
    tasks,
    servedBy: null,
    // fp32 is not nearer because its truncation cuts the final [SEP] off: 0.997 on texts of over 256 tokens.
    minCosine: dtype === 'fp32' ? 0.99 : 0.9,
  });
  const all: Task[] = ['bulk', 'query'];
  const single: Task[] = cores === 1 ? [...all, 'text128'] : all;
  const systems = [
    system('q8', cores, [oneByOne, sortedBatches], single),
    system('fp32', cores, [oneByOne, sortedBatches, givenOrder], single),
  ];
  if (cores === 1) return systems;
  return [
    ...systems,
    system('q8', 1, [oneByOne], ['bulk', 'query', 'text128']),
    system('fp32', 1, [oneByOne], ['query', 'text128']),
  ];
}

function listVecinity({ model, cores, peerModels, committedModel }: SystemsContext): System[] {
  const system = ({ key, config, options, minCosine, servedBy = null }: VecinityRow): System => ({
    key: `vecinity-${key}`,
    name: 'Vecinity',
    config: `${config}, ${countThreads(options.threads ?? cores)}`,
    setup: { driver: 'vecinity', model, options },
    forms: [oneCall],
    tasks: (options.threads ?? cores) === 1 ? ['bulk', 'query', 'text128'] : ['bulk', 'query'],
    servedBy,
    minCosine,
  });
  const original = '/models/';
  const byDefault = { modelsUrl: committedModel ? '/committed-models/' : original };
  const exact = { modelsUrl: original, dtype: 'f32' } as const;
  const onnx = { modelsUrl: '/onnx-models/' };
  const rows: VecinityRow[] = [
    { key: 'default', config: 'default', options: byDefault, minCosine: 0.99 },
    { key: 'default-1t', config: 'default', options: { ...byDefault, threads: 1 }, minCosine: 0.99 },
  ];
  if (peerModels && committedModel) {
    rows.push({
      key: 'q8-at-load',
      config: 'q8 made while loading',
      options: { modelsUrl: original, dtype: 'q8' },
      minCosine: 0.99,
    });
  }
  if (peerModels) {
    rows.push(
      { key: 'f32', config: 'f32', options: exact, minCosine: 0.9999 },
      { key: 'f32-1t', config: 'f32', options: { ...exact, threads: 1 }, minCosine: 0.9999 },
      { key: 'onnx-f32', config: 'onnx f32', options: { ...onnx, dtype: 'f32' }, minCosine: 0.9999, servedBy: 'onnx' },
      { key: 'onnx-q8', config: 'onnx q8', options: { ...onnx, dtype: 'q8' }, minCosine: 0.9, servedBy: 'onnx' },
    );
  }
  return rows.map(system);
}

interface VecinityRow {
  key: string;
  config: string;
  options: VecinitySetup['options'];
  minCosine: number;
  servedBy?: string | null;
}

function countThreads(threads: number): string {
  return threads === 1 ? '1 thread' : `${threads} threads`;
}
