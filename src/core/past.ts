/** What an engine is told of the engines whose place it takes, as plain data. */
import type { ErrorData } from '../errors.js';
import type { FormerEngine } from './engine.js';

/** A model that was asked for and could not be loaded. */
export interface FailedLoad {
  model: string;
  error: ErrorData;
}

export interface EnginePast {
  ended: readonly FormerEngine[];
  failed: readonly FailedLoad[];
}
