/** The options of a load that decide what is loaded: with others a model is another one. */
import type { LoadOptions } from './engine.js';

export type LoadChoice = Pick<LoadOptions, 'device' | 'dtype' | 'revision'>;

/** The choice alone, without what was left out. */
export function pickChoice({ device, dtype, revision }: LoadOptions): LoadChoice {
  const chosen = Object.entries({ device, dtype, revision }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(chosen);
}

/** Whether what is chosen is not what is there; what is left open is as it is. */
export function isOther(
  choice: LoadChoice,
  there: { [Name in keyof LoadChoice]: LoadChoice[Name] | undefined },
): boolean {
  return Object.entries(choice).some(([name, value]) => there[name as keyof LoadChoice] !== value);
}
