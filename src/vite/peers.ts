/**
 * What the adapters import of packages that have CommonJS behind their modules, for Vite's development server: it serves
 * the imports of an installed package as they are, and browsers do not take CommonJS, so these have to be bundled first.
 */
import { createRequire } from 'node:module';

/** Every value that `src/adapters` imports of LangChain and LlamaIndex; the AI SDK's modules reach browsers as they are. */
export const peerModules = [
  '@langchain/core/embeddings',
  '@langchain/core/retrievers/document_compressors',
  '@llamaindex/core/embeddings',
  '@llamaindex/core/schema',
  '@llamaindex/core/utils',
] as const;

/** Those that the site has installed, as `optimizeDeps.include` names a package's own imports; Vite warns of absent ones. */
export function installedPeers(): string[] {
  const { resolve } = createRequire(import.meta.url);
  return peerModules.filter((name) => isThere(() => resolve(name))).map((name) => `vecinity > ${name}`);
}

function isThere(resolve: () => string): boolean {
  try {
    resolve();
    return true;
  } catch {
    return false;
  }
}
