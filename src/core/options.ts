/** Whether the engine's options can work; told before anything is loaded, in a page's worker, on Node and at the edge. */
import type { EngineConfig } from '../config.js';
import {
  checkRules,
  integerFrom,
  isString,
  isText,
  numberFrom,
  oneOf,
  orNull,
  type Rule,
  type Rules,
  wrongOption,
} from '../rules.js';
import type { LoadChoice } from './load-choice.js';

const anAddress: Rule = ['an address', isText];
const atLeastOne = numberFrom(1);

const rules = {
  device: oneOf(['auto', 'webgpu', 'wasm']),
  dtype: oneOf(['auto', 'f32', 'f16', 'q8']),
  threads: integerFrom(0),
  hubUrl: anAddress,
  hubToken: orNull(['a string', isString]),
  modelsUrl: orNull(anAddress),
  assetsUrl: orNull(anAddress),
  storageFull: oneOf(['error', 'evict', 'memory']),
  maxBatchTokens: atLeastOne,
  maxQueue: atLeastOne,
  runTimeoutMs: atLeastOne,
} satisfies Rules<keyof EngineConfig>;

const loadRules: Rules<keyof LoadChoice> = {
  device: rules.device,
  dtype: rules.dtype,
  revision: ['a branch, tag or commit', isText],
};

/** Throws `invalid_request` that names the option, what came and what is allowed. */
export function checkEngineConfig(config: EngineConfig): void {
  checkRules(rules, config);
}

/** Throws `invalid_request` for what cannot be the name of a model. */
export function checkModelName(model: unknown): void {
  if (!isText(model)) throw wrongOption('model', "a model's name, hub id or address", model);
}

/** Throws `invalid_request` for a device, dtype or revision that no load can have. */
export function checkLoadChoice(choice: LoadChoice): void {
  checkRules(loadRules, choice);
}
