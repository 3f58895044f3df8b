/** Starts the kernel benchmark (`node bench/kernels/run.mjs`): Vite loads the TypeScript of this folder. */
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const main = fileURLToPath(new URL('./main.ts', import.meta.url));
const { module } = await runnerImport(main, { configFile: false, logLevel: 'error' });
process.exitCode = await module.main();
