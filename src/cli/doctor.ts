/** `vecinity doctor`: what this machine has for models, and what to do where something is amiss. */
import { constants } from 'node:fs';
import { access, mkdir, readdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { probeWebGpu } from '../backend/adapter.js';
import { canShareMemory, detectLevel } from '../backend/wasm/features.js';
import { enableRelaxedSimd } from '../edge/relaxed-simd.js';
import { toVecinityError, VecinityError } from '../errors.js';
import { listModels } from '../vite/listing.js';
import { pulledModels } from './cache.js';
import { cacheFolder } from './engine-flags.js';
import { type Arguments, describeFlags, type Flag, readArguments, usageError } from './flags.js';
import { formatTable } from './table.js';
import { type Terminal, write } from './terminal.js';
import { modelFlags, withModel } from './with-model.js';

const flags = {
  output: { value: 'FORMAT', help: 'json or table (default: table)' },
  ...modelFlags,
  model: { ...modelFlags.model, help: 'a model to load and run as a trial (default: none)' },
} as const satisfies Record<string, Flag>;

export const doctorUsage = `Usage: vecinity doctor [options]

Tells what is there to compute with, where models are looked for, and what to do about what is missing. Asks nothing of
the network unless a model has to be loaded from there. Exit code 1 when something does not work.

${describeFlags(flags)}`;

export interface Finding {
  check: string;
  state: 'ok' | 'warning' | 'failure';
  detail: string;
  /** What to do; empty where all is well. */
  advice: string;
}

type Given = Arguments<keyof typeof flags>;

/** The oldest version that the package takes. */
const oldestNode = [20, 16] as const;
const smallMemoryBytes = 512 * 2 ** 20;

/** Runs the command. Throws `device_unavailable` when a check failed, after all were printed. */
export async function doctor(args: readonly string[], terminal: Terminal): Promise<void> {
  const given = readArguments(flags, args, { environment: terminal.environment, positionals: true });
  if (given.positionals.length > 0) throw usageError('`doctor` takes no arguments.');
  const format = given.word('output', ['json', 'table']) ?? 'table';
  const findings = [
    checkNode(process.versions.node),
    checkSimd(),
    checkThreads(availableParallelism(), canShareMemory()),
    checkMemory(process.availableMemory()),
    await checkWebGpu(),
    await checkModelsFolder(given.text('models-dir')),
    await checkCache(cacheFolder(given, terminal.environment)),
    ...(given.has('model') ? [await checkModel(given, terminal)] : []),
  ];
  await write(terminal.stdout, format === 'json' ? `${JSON.stringify(findings, null, 2)}\n` : toTable(findings));
  const failed = findings.filter(({ state }) => state === 'failure').map(({ check }) => check);
  if (failed.length > 0) throw new VecinityError('device_unavailable', `does not work: ${failed.join(', ')}`);
}

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1]);
  if (!isOld) return fine('node', version);
  return { check: 'node', state: 'failure', detail: version, advice: `install Node ${oldestNode.join('.')} or newer` };
}

function checkSimd(): Finding {
  enableRelaxedSimd();
  try {
    const level = detectLevel();
    if (level === 'relaxed') return fine('wasm', 'relaxed SIMD, the fastest level');
    const advice = 'works; a newer Node has relaxed SIMD, which is faster by almost half';
    return { check: 'wasm', state: 'warning', detail: 'SIMD without relaxed instructions', advice };
  } catch (thrown) {
    const { message: detail } = toVecinityError(thrown);
    return { check: 'wasm', state: 'failure', detail, advice: 'use a runtime whose WebAssembly has 128-bit SIMD' };
  }
}

export function checkThreads(cores: number, sharesMemory: boolean): Finding {
  const detail = `${cores} cores, memory ${sharesMemory ? 'can' : 'cannot'} be shared between threads`;
  if (sharesMemory && cores > 1) return fine('threads', detail);
  const advice = sharesMemory ? 'one thread computes; more cores make it faster' : 'one thread computes';
  return { check: 'threads', state: 'warning', detail, advice };
}

export function checkMemory(freeBytes: number): Finding {
  const detail = `${(freeBytes / 2 ** 20).toFixed(0)} MiB free`;
  if (freeBytes >= smallMemoryBytes) return fine('memory', detail);
  return { check: 'memory', state: 'warning', detail, advice: 'take a small model, and `--dtype q8`' };
}

async function checkWebGpu(): Promise<Finding> {
  const support = await probeWebGpu();
  return fine(
    'webgpu',
    support.kind === 'none' ? 'none here; the CPU computes' : `${support.kind} (${support.adapter})`,
  );
}

async function checkModelsFolder(folder: string | undefined): Promise<Finding> {
  if (folder === undefined) return fine('models folder', 'none is named with --models-dir');
  const { models } = await listModels([folder]);
  if (models.length > 0) return fine('models folder', `${folder}: ${models.join(', ')}`);
  const advice = 'put models there, one folder each with a config.json, or name another folder';
  return { check: 'models folder', state: 'failure', detail: `${folder} has no models`, advice };
}

async function checkCache(cache: string): Promise<Finding> {
  const folder = pulledModels(cache);
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (cause) {
    const detail = `${cache} cannot be written (${cause instanceof Error && 'code' in cause ? cause.code : cause})`;
    return {
      check: 'cache',
      state: 'warning',
      detail,
      advice: 'name another folder with --cache-dir or VECINITY_CACHE',
    };
  }
  const owners = (await readdir(folder)).sort();
  const pulled = await Promise.all(
    owners.map(async (owner) => {
      const { models } = await listModels([join(folder, owner)]);
      return models.map((name) => `${owner}/${name}`);
    }),
  );
  const names = pulled.flat();
  if (names.length > 0) return fine('cache', `${cache}: ${names.join(', ')}`);
  return { ...fine('cache', `${cache} is empty`), advice: '`vecinity pull MODEL` puts a model there' };
}

/** Loads the model and embeds or reranks one word: what no look at the machine can promise. */
async function checkModel(given: Given, terminal: Terminal): Promise<Finding> {
  try {
    return await withModel(given, terminal, async ({ engine, status: { id, backend, spec } }) => {
      const request = { model: id, signal: terminal.signal, truncate: true };
      if (spec?.task === 'rerank') {
        const rest = { scoreActivation: 'sigmoid', maxTokensPerDocument: null } as const;
        await engine.rerank({ ...request, query: 'trial', documents: ['trial'], ...rest });
      } else {
        const rest = { promptName: null, prompt: null, dimensions: null, normalize: null, maxTokens: null };
        await engine.embed({ ...request, ...rest, inputs: ['trial'], truncateSide: 'right' });
      }
      const kernel = backend?.details.kernel === undefined ? '' : `, kernel ${backend.details.kernel}`;
      const place = `${backend?.backend} on ${backend?.device}, ${backend?.dtype}, ${backend?.threads} threads${kernel}`;
      return fine('model', `${id} works: ${place}`);
    });
  } catch (thrown) {
    if (terminal.signal.aborted) throw thrown;
    const { code, message } = toVecinityError(thrown);
    const advice =
      code === 'model_not_found' ? 'pull it, or name its folder with --models-dir' : `see the error (${code})`;
    return { check: 'model', state: 'failure', detail: message, advice };
  }
}

function fine(check: string, detail: string): Finding {
  return { check, state: 'ok', detail, advice: '' };
}

/** Details are not cut: they are what the command is asked for. */
function toTable(findings: readonly Finding[]): string {
  const rows = findings.map(({ check, state }) => [check, state]);
  const lines = formatTable(['check', 'state'], rows).split('\n').slice(1, -1);
  const width = Math.max(...lines.map((line) => line.length));
  return findings
    .map(({ detail, advice }, row) => {
      const first = `${(lines[row] ?? '').padEnd(width)}  ${detail}\n`;
      return advice === '' ? first : `${first}${' '.repeat(width)}  -> ${advice}\n`;
    })
    .join('');
}
