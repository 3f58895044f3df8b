/**
 * What a link holds. Sentences live in the fragment, which browsers never send; the query may name a model or device.
 * The fragment wins over the query.
 */
import type { EngineChoice } from './engine.js';

export interface Opening {
  /** Null: the link holds no sentences. */
  text: string | null;
  choice: EngineChoice;
}

export const defaultChoice: EngineChoice = { model: 'all-MiniLM-L6-v2', device: 'auto', dtype: 'auto' };

const devices = ['auto', 'webgpu', 'wasm'] as const satisfies readonly EngineChoice['device'][];
const dtypes = ['auto', 'f32', 'f16', 'q8'] as const satisfies readonly EngineChoice['dtype'][];

/** A link to `page` that opens with these sentences and this model. Inverse of `readLink`. */
export function toLink(page: string, text: string, choice: EngineChoice): string {
  const url = new URL(page);
  const fragment = new URLSearchParams({ text });
  for (const name of ['model', 'device', 'dtype'] as const) {
    url.searchParams.delete(name);
    if (choice[name] !== defaultChoice[name]) fragment.set(name, choice[name]);
  }
  url.hash = fragment.toString();
  return url.href;
}

/** What a link asks for; anything that is missing or unknown takes its default. */
export function readLink(link: string): Opening {
  const url = new URL(link);
  const fragment = new URLSearchParams(url.hash.slice(1));
  const asked = (name: string) => fragment.get(name) ?? url.searchParams.get(name);
  return {
    text: fragment.get('text'),
    choice: {
      model: asked('model')?.trim() || defaultChoice.model,
      device: devices.find((device) => device === asked('device')) ?? defaultChoice.device,
      dtype: dtypes.find((dtype) => dtype === asked('dtype')) ?? defaultChoice.dtype,
    },
  };
}
