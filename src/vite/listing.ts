/** The names of the models in mounted folders: what `index.json` of a mount answers, so that a page can offer them. */
import { access, readdir } from 'node:fs/promises';
import path from 'node:path';

/** `{ "models": ["all-MiniLM-L6-v2"] }` */
export interface ModelListing {
  models: string[];
}

/** Every folder with a `config.json` directly below one of `folders`, by name; a folder that is not there has none. */
export async function listModels(folders: readonly string[]): Promise<ModelListing> {
  const found = await Promise.all(folders.map(modelsIn));
  return { models: [...new Set(found.flat())].sort() };
}

async function modelsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const checked = await Promise.all(
    names.map(async (name) => ((await isModel(path.join(folder, name))) ? [name] : [])),
  );
  return checked.flat();
}

async function isModel(folder: string): Promise<boolean> {
  return await access(path.join(folder, 'config.json')).then(
    () => true,
    () => false,
  );
}
