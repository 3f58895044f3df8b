/** Starts a benchmark: Vite loads the TypeScript of this folder, so that no build step of its own is needed. */
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const commands = ['handler', 'load', 'memory', 'serve'];
const [first = '', ...rest] = process.argv.slice(2);
const [name, args] = commands.includes(first) ? [first, rest] : ['main', process.argv.slice(2)];
const { module } = await runnerImport(fileURLToPath(new URL(`./${name}.ts`, import.meta.url)), {
  configFile: false,
  logLevel: 'error',
});
process.exitCode = await module.main(args);
