/** Whether the engine's options can work; told before anything is loaded, in a page's worker, on Node and at the edge. */
import type { EngineConfig } from '../config.js';
import { VecinityError } from '../errors.js';
import type { LoadChoice } from './load-choice.js';

export type Check = (value: unknown) => boolean;
/** What an option must be, in words, and whether a value is that. */
type Rule = readonly [allowed: string, check: Check];

export const isText: Check = (value) => typeof value === 'string' && value !== '';
const isTextOrNull: Check = (value) => value === null || typeof value === 'string';

const rules: Readonly<Record<keyof EngineConfig, Rule>> = {
  device: oneOf(['auto', 'webgpu', 'wasm']),
  dtype: oneOf(['auto', 'f32', 'f16', 'q8']),
  threads: ['an integer of at least 0', (value) => Number.isInteger(value) && Number(value) >= 0],
  hubUrl: ['an address', isText],
  hubToken: ['a string or null', isTextOrNull],
  modelsUrl: ['an address or null', isTextOrNull],
  assetsUrl: ['an address or null', isTextOrNull],
  storageFull: oneOf(['error', 'evict', 'memory']),
  maxBatchTokens: atLeastOne(),
  maxQueue: atLeastOne(),
  runTimeoutMs: atLeastOne(),
};

/** Throws `invalid_request` that names the option, what came and what is allowed. */
export function checkEngineConfig(config: EngineConfig): void {
  for (const [name, [allowed, check]] of Object.entries(rules)) {
    const value: unknown = config[name as keyof EngineConfig];
    if (!check(value)) throw wrongOption(name, allowed, value);
  }
}

/** Throws `invalid_request` for what cannot be the name of a model. */
export function checkModelName(model: unknown): void {
  if (!isText(model)) throw wrongOption('model', "a model's name, hub id or address", model);
}

/** Throws `invalid_request` for a device or dtype that no load can have. */
export function checkLoadChoice(choice: LoadChoice): void {
  for (const name of ['device', 'dtype'] as const) {
    const [[allowed, check], value] = [rules[name], choice[name]];
    if (value !== undefined && !check(value)) throw wrongOption(name, allowed, value);
  }
}

/** Throws `invalid_request` for what has no members to read. */
export function checkObject(value: unknown, param: string): void {
  if (typeof value !== 'object' || value === null) throw wrongOption(param, 'an object', value);
}

/** The error of an option or a request's field; `allowed` completes the sentence "`name` must be …". */
export function wrongOption(name: string, allowed: string, value: unknown): VecinityError {
  return new VecinityError('invalid_request', `\`${name}\` must be ${allowed}; got ${describe(value)}.`, {
    param: name,
  });
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? 'an object' : (JSON.stringify(value) ?? String(value));
}

function oneOf(words: readonly string[]): Rule {
  return [`one of ${words.join(', ')}`, (value) => typeof value === 'string' && words.includes(value)];
}

function atLeastOne(): Rule {
  return ['a number of at least 1', (value) => typeof value === 'number' && value >= 1];
}
