/** `vecinity serve` as a process of its own: what it prints, what it answers while it loads, and how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { runCommand } from './command.js';
import { cosine, type EmbeddingGolden, readGolden } from './golden.js';
import { bundleNodePackage, fixtureModels, type NodePackage } from './node-package.js';

let built: NodePackage;

beforeAll(async () => {
  built = await bundleNodePackage();
  await writeFile(path.join(built.folder, 'package.json'), '{"type":"module"}');
});
afterAll(() => built.remove());

interface LogLine {
  event: string;
  [field: string]: unknown;
}

class Program {
  readonly child: ChildProcess;
  readonly #lines: LogLine[] = [];
  #wake: () => void = () => {};

  constructor(args: readonly string[]) {
    const all = [path.join(built.folder, 'cli.js'), 'serve', '--port', '0', '--models-dir', fixtureModels, ...args];
    this.child = spawn(process.execPath, all, { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: process.env.PATH } });
    onTestFinished(() => void this.child.kill('SIGKILL'));
    if (!this.child.stderr) throw new Error('the process has no output');
    createInterface(this.child.stderr).on('line', (line) => {
      // What the command says at its end is no event.
      if (line.startsWith('{')) this.#lines.push(JSON.parse(line));
      this.#wake();
    });
  }

  /** The first line of that event, or the one at that place, now or later. */
  async line(event: string, place = 0): Promise<LogLine> {
    for (;;) {
      const found = this.#lines.filter((line) => line.event === event)[place];
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const embed = (url: unknown, body: object, headers: Record<string, string> = {}) =>
  fetch(`${url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

describe('vecinity serve', () => {
  it('prints its port and its models, answers, logs each request and ends when it is told to', async () => {
    const program = new Program(['--model', 'bert-cls,bert-reranker', '--dtype', 'f32', '--threads', '1']);
    const { url, port } = await program.line('listening');
    expect(url).toBe(`http://127.0.0.1:${port}`);
    const golden = readGolden<EmbeddingGolden>('bert-cls');
    const { data } = await (await embed(url, { model: 'bert-cls', input: golden.inputs[0] })).json();
    expect(cosine(data[0].embedding, golden.embeddings[0] ?? [])).toBeGreaterThanOrEqual(0.99999);
    expect(await program.line('model_ready')).toMatchObject({ backend: 'wasm', dtype: 'f32', threads: 1 });
    expect(await program.line('request')).toMatchObject({
      ...{ method: 'POST', path: '/v1/embeddings', status: 200 },
      ...{ tokens: expect.any(Number), durationMs: expect.any(Number), requestId: expect.stringMatching(/^req-/) },
    });
    program.child.kill('SIGTERM');
    const [code] = await once(program.child, 'exit');
    expect(code).toBe(0);
    await expect(fetch(`${url}/health`)).rejects.toThrow();
  });

  it('asks for its key below its prefix', async () => {
    const program = new Program(['--model', 'bert-cls', '--api-key', 'k', '--route-prefix', '/ai', '--threads', '1']);
    const { url } = await program.line('listening');
    await program.line('model_ready');
    expect((await fetch(`${url}/v1/models`)).status).toBe(404);
    expect((await embed(`${url}/ai`, { input: 'a' })).status).toBe(401);
    expect((await embed(`${url}/ai`, { input: 'a' }, { authorization: 'Bearer k' })).status).toBe(200);
    expect((await fetch(`${url}/ai/health`)).status).toBe(200);
  });

  it('answers for more models than its memory holds', async () => {
    const limit = ['--memory-budget', '1', '--dtype', 'f32', '--threads', '1'];
    const program = new Program(['--model', 'bert-cls,bert-reranker', ...limit]);
    const { url } = await program.line('listening');
    await program.line('model_ready', 1);
    const golden = readGolden<EmbeddingGolden>('bert-cls');
    for (let round = 0; round < 2; round++) {
      const { data } = await (await embed(url, { model: 'bert-cls', input: golden.inputs[0] })).json();
      expect(cosine(data[0].embedding, golden.embeddings[0] ?? [])).toBeGreaterThanOrEqual(0.99999);
      const body = JSON.stringify({ model: 'bert-reranker', query: 'a', documents: ['b'] });
      const headers = { 'content-type': 'application/json' };
      expect((await fetch(`${url}/v1/rerank`, { method: 'POST', headers, body })).status).toBe(200);
    }
    const { data: models } = await (await fetch(`${url}/v1/models`)).json();
    const { models: running } = await (await fetch(`${url}/api/ps`)).json();
    expect(running.map(({ name }: { name: string }) => name)).toEqual(['bert-reranker']);
    expect((await embed(url, { model: 'bert', input: 'a' })).status).toBe(404);
    const backends = models.map(({ id, backend }: { id: string; backend: string | null }) => [id, backend]);
    expect(Object.fromEntries(backends)).toEqual({ 'bert-cls': null, 'bert-reranker': 'wasm' });
  });

  it('answers for models of another server, whichever dialect asks, and by no name that neither has', async () => {
    const other = new Program(['--model', 'bert-cls', '--dtype', 'f32', '--threads', '1', '--api-key', 'k']);
    const { url: there } = await other.line('listening');
    const upstream = ['--upstream', `big=${there}/v1#bert-cls`, '--upstream-key', 'k'];
    const program = new Program([...upstream, '--model', 'bert-reranker', '--dtype', 'f32', '--threads', '1']);
    const { url } = await program.line('listening');
    await Promise.all([other.line('model_ready'), program.line('model_ready')]);
    const { inputs, embeddings } = readGolden<EmbeddingGolden>('bert-cls');
    const body = JSON.stringify({ model: 'big', inputs: inputs[0] });
    const headers = { 'content-type': 'application/json' };
    const [vector] = await (await fetch(`${url}/embed`, { method: 'POST', headers, body })).json();
    expect(cosine(vector, embeddings[0] ?? [])).toBeGreaterThanOrEqual(0.99999);
    expect((await embed(url, { model: 'big', input: inputs[0] })).status).toBe(200);
    expect((await embed(url, { model: 'bigger', input: 'a' })).status).toBe(404);
  });

  it('says so when its port is in use', async () => {
    const other = createServer();
    onTestFinished(() => void other.close());
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await runCommand(built.folder, ['serve', '--port', `${port}`]);
    const message = `vecinity serve: Cannot listen: port ${port} of 127.0.0.1 is in use; \`--port 0\` takes a free one.\n`;
    expect({ code, stderr }).toEqual({ code: 1, stderr: message });
  });

  it('fails when a model is not there', async () => {
    const program = new Program(['--model', './no-such-model']);
    const [code] = await once(program.child, 'exit');
    expect(code).toBe(1);
  });
});
