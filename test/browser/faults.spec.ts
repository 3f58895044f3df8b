/**
 * The compute worker in trouble: it dies, hangs, traps, gets no memory or computes nonsense. The request is answered
 * all the same or says why not, the next one works, and the status says what happened.
 */
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { expectGolden, failures, openEngine, recoveries, startJob } from './engine-page.js';
import { runEverywhere } from './everywhere.js';

/** What a compute worker does to itself when it is told to, or, with `always`, from its start. */
type Trouble = 'die' | 'hang' | 'trap' | 'no memory' | 'nonsense';

/** Compute workers that obey: kernels and memory fail by command, once in a worker's life. */
async function prepare(context: BrowserContext, always: Trouble | null = null): Promise<void> {
  await runEverywhere(
    context,
    (initial: Trouble | null) => {
      if (self.name !== 'vecinity-compute') return;
      let trouble = initial;
      new BroadcastChannel('trouble').onmessage = ({ data }) => {
        if (data === 'die') throw new Error('a defect of the compute worker');
        trouble = data;
      };
      const { grow } = WebAssembly.Memory.prototype;
      WebAssembly.Memory.prototype.grow = function (this: WebAssembly.Memory, pages: number) {
        // Our own kernels begin with one page, the runtime of the next device with many.
        const isOurs = this.buffer.byteLength < 2 ** 20;
        if (trouble === 'no memory' && isOurs) throw new RangeError('WebAssembly.Memory.grow(): out of memory');
        return grow.call(this, pages);
      };
      const wrap = (name: string, work: (...given: unknown[]) => unknown, memory: WebAssembly.Memory) =>
        function (this: unknown, ...given: unknown[]) {
          if (trouble === 'trap') throw new WebAssembly.RuntimeError('unreachable');
          // As an endless loop of a kernel does it: no message comes in or out any more.
          while (trouble === 'hang');
          const result = work.apply(this, given);
          // What the layers hand on, by the arguments of the kernel `normalize`.
          const [out = 0, rows = 0, , stride = 0] = given.slice(4) as number[];
          if (trouble === 'nonsense' && name === 'normalize') new Uint8Array(memory.buffer, out, rows * stride).fill(0);
          return result;
        };
      WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
        construct(Instance, [module, imports]: [WebAssembly.Module, WebAssembly.Imports]) {
          const { exports } = new Instance(module, imports);
          // The kernels' only import.
          const memory = imports.env?.memory as WebAssembly.Memory;
          const wrapped = Object.entries(exports).map(([name, value]) => [
            name,
            typeof value === 'function' ? wrap(name, value as (...given: unknown[]) => unknown, memory) : value,
          ]);
          return { exports: Object.fromEntries(wrapped) };
        },
      });
    },
    always,
  );
}

function tell(page: Page, trouble: Trouble): Promise<void> {
  return page.evaluate((word) => new BroadcastChannel('trouble').postMessage(word), trouble);
}

const inBatch: [trouble: Trouble, reason: RegExp][] = [
  ['die', /^wasm: .*a defect of the compute worker/],
  ['hang', /^wasm: .*did not finish a run within 5000 ms/],
  ['trap', /^wasm: .*unreachable/],
];

for (const [trouble, reason] of inBatch) {
  test(`a compute worker with the trouble '${trouble}' in a batch is replaced, and the job goes on`, async ({
    page,
    context,
  }) => {
    await prepare(context);
    await openEngine(page, { threads: 1, runTimeoutMs: 5_000 });
    await startJob(page);
    await tell(page, trouble);
    expect(await page.evaluate(() => window.pending)).toBe(1_500);
    expect(await failures(page)).toEqual([expect.stringMatching(reason)]);
    expect(await recoveries(page)).toBe(1);
    await expectGolden(page);
  });
}

/** A trap may have come from outside, and memory may come back: a second worker is asked before the next engine is. */
const fromStart: [trouble: Trouble, workers: number, reason: RegExp][] = [
  ['trap', 2, /^wasm: .*unreachable/],
  ['no memory', 2, /^wasm: The model bert-cls \(a file of 2 MiB\) does not fit into memory: .* needs \d+ MiB/],
  ['nonsense', 1, /^wasm: The check text came out wrong: a vector of no length/],
];

for (const [trouble, workers, reason] of fromStart) {
  test(`an engine with the trouble '${trouble}' from the start serves nothing: the next one on the ladder does`, async ({
    page,
    context,
  }) => {
    await prepare(context, trouble);
    await openEngine(page, { threads: 1 });
    await expectGolden(page);
    expect(await failures(page)).toEqual(Array(workers).fill(expect.stringMatching(reason)));
    const backend = await page.evaluate(async () => (await window.vecinity.status()).models[0]?.backend?.backend);
    expect(backend).toBe('onnx');
  });
}

test('an engine that gets its check text wrong after the start is replaced, and gives no vector of it', async ({
  page,
  context,
}) => {
  await prepare(context);
  await openEngine(page, { threads: 1 });
  await expectGolden(page);
  await tell(page, 'nonsense');
  const ask = () =>
    page.evaluate(() =>
      window.vecinity.embed('a').then(
        () => 'answered',
        ({ code }) => code,
      ),
    );
  // The first run that fails may be the input's fault; after the second the check text is run again.
  await expect.poll(ask).toBe('backend_failed');
  await expectGolden(page);
  expect(await failures(page)).toEqual([expect.stringMatching(/^wasm: A run gave only zeros/)]);
  expect(await recoveries(page)).toBe(1);
});
