/** Which names are those of one model, as far as an engine has told: the list of all names is the engine's alone. */
import type { ModelStatus } from '../core/engine.js';

export class ModelNames {
  /** A model's id by its names. */
  readonly #ids = new Map<string, string>();

  /** What was loaded by this name. */
  learn(name: string, { id, spec }: ModelStatus): void {
    for (const own of [name, spec?.repository ?? id]) this.#ids.set(own, id);
  }

  /** Whether another name is the same model's. */
  same(name: string): (other: string) => boolean {
    const idOf = (given: string) => this.#ids.get(given) ?? given;
    return (other) => idOf(other) === idOf(name);
  }
}
