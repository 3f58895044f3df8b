/**
 * The compute worker in trouble: it dies, hangs, traps or gets no memory. The request is answered
 * all the same or says why not, the next one works, and the status says what happened.
 */
import { type BrowserContext, expect, type Page, test } from '@playwright/test';
import { expectGolden, openEngine } from './engine-page.js';
import { runEverywhere } from './everywhere.js';

/** What a compute worker does to itself when it is told to, or, with `always`, from its start. */
type Trouble = 'die' | 'hang' | 'trap' | 'no memory';

/** Compute workers that obey: kernels and memory fail by command, once in a worker's life. */
async function prepare(context: BrowserContext, always: Trouble | null = null): Promise<void> {
  await runEverywhere(
    context,
    (initial: Trouble | null) => {
      if (self.name !== 'vecinity-compute') return;
      let trouble = initial;
      new BroadcastChannel('trouble').onmessage = ({ data }) => {
        if (data === 'die') throw new Error('a defect of the compute worker');
        if (data === 'hang') self.close();
        trouble = data;
      };
      const { grow } = WebAssembly.Memory.prototype;
      WebAssembly.Memory.prototype.grow = function (this: WebAssembly.Memory, pages: number) {
        if (trouble === 'no memory' && pages > 0) throw new RangeError('WebAssembly.Memory.grow(): out of memory');
        return grow.call(this, pages);
      };
      const wrap = (work: (...given: unknown[]) => unknown) =>
        function (this: unknown, ...given: unknown[]) {
          if (trouble === 'trap') throw new WebAssembly.RuntimeError('unreachable');
          return work.apply(this, given);
        };
      WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
        construct(Instance, [module, imports]: [WebAssembly.Module, WebAssembly.Imports]) {
          const { exports } = new Instance(module, imports);
          const wrapped = Object.entries(exports).map(([name, value]) => [
            name,
            typeof value === 'function' ? wrap(value as (...given: unknown[]) => unknown) : value,
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

/** A job that is at work when this resolves; `window.pending` ends with its number of vectors or its error's code. */
function startJob(page: Page): Promise<void> {
  return page.evaluate(async () => {
    const { vecinity } = window;
    const texts = Array.from({ length: 1_500 }, (_, at) => `text ${at} `.repeat(40));
    const started = new Promise<void>((resolve) => {
      vecinity.addEventListener('progress', () => resolve(), { once: true });
    });
    window.pending = vecinity.embed(texts, { truncate: true }).then(
      ({ length }) => length,
      ({ code }) => code,
    );
    await started;
  });
}

function failures(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const tried = (await window.vecinity.status()).models[0]?.tried ?? [];
    return tried.filter(({ ok }) => !ok).map(({ backend, reason }) => `${backend}: ${reason}`);
  });
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
    await expectGolden(page);
  });
}

test('a compute worker that gets no more memory fails its request or is replaced, and the next one works', async ({
  page,
  context,
}) => {
  await prepare(context);
  await openEngine(page, { threads: 1 });
  await tell(page, 'no memory');
  await startJob(page);
  expect([1_500, 'backend_failed', 'engine_crashed']).toContain(await page.evaluate(() => window.pending));
  await expectGolden(page);
});

test('an engine that traps from the start serves nothing: the next one on the ladder does', async ({
  page,
  context,
}) => {
  await prepare(context, 'trap');
  await openEngine(page, { threads: 1 });
  await expectGolden(page);
  expect(await failures(page)).toEqual([expect.stringMatching(/^wasm: .*unreachable/)]);
  const backend = await page.evaluate(async () => (await window.vecinity.status()).models[0]?.backend?.backend);
  expect(backend).toBe('onnx');
});
