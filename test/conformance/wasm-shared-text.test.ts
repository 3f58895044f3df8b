/** One text that two threads compute together, whoever of them does what: the very bits that one thread gives alone. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { describeModel } from '../../src/backend/wasm/architectures.js';
import { loadKernels } from '../../src/backend/wasm/assets.js';
import { bindNames } from '../../src/backend/wasm/bound-names.js';
import { Computer, type ModelSetup, scratchBytes } from '../../src/backend/wasm/computer.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import { instantiate } from '../../src/backend/wasm/kernels.js';
import type { GemmForm } from '../../src/backend/wasm/plan.js';
import { cutSlices, type Slice } from '../../src/backend/wasm/slices.js';
import * as team from '../../src/backend/wasm/team.js';
import { planWeights } from '../../src/backend/wasm/weights.js';
import { enableRelaxedSimd } from '../../src/edge/relaxed-simd.js';
import { openSafetensors, type Safetensors } from '../../src/models/safetensors.js';
import { openFixture } from './golden.js';

vi.mock(import('../../src/backend/wasm/team.js'), async (original) => ({ ...(await original()), followTeam: vi.fn() }));

enableRelaxedSimd();
beforeAll(ensureKernels);
afterEach(() => {
  vi.mocked(team.followTeam).mockReset();
});

type Work = (task: team.Task) => void;

/** Deals the parts of every step out between the lead and a follower, and notes how many there were. */
class Dealer {
  readonly steps: number[] = [];
  readonly #follow: Work;
  readonly #isFollowers: (part: number) => boolean;
  #order: team.Order = [0, 0, 0];

  constructor(follow: Work, isFollowers: (part: number) => boolean) {
    this.#follow = follow;
    this.#isFollowers = isFollowers;
  }

  begin(order: team.Order): void {
    this.#order = order;
  }

  run(work: (share: team.Share) => void, asked?: number): void {
    const parts = asked ?? 2;
    // Backwards: nothing may depend on who is first.
    for (let index = parts - 1; index >= 0; index--) {
      const share = { index, parts };
      if (this.#isFollowers(index)) this.#follow({ order: this.#order, step: this.steps.length, share });
      else work(share);
    }
    this.steps.push(parts);
  }

  end(): void {}
}

interface Threads {
  setup: ModelSetup;
  heap: Heap;
  lead: Computer;
  follow: Work;
  sliceOf(tokens: number): Slice;
}

async function startThreads(family: string, form: GemmForm): Promise<Threads> {
  const { files, spec } = await openFixture(family);
  const weights = (await openSafetensors(files)) as Safetensors;
  const described = describeModel(spec.config);
  if (described === null) throw new Error('the engine does not know the model');
  const description = bindNames(described, (name) => weights.tensors.has(name));
  const module = await loadKernels('relaxed', { shared: false, assetsUrl: null });
  const heap = new Heap(createMemory(false));
  const precision = { form, block: 32, attention: 'floats' as const };
  const target = { description, heap, precision, kernels: instantiate(module, heap.memory) };
  const planned = planWeights(weights, target);
  await planned.load({});
  const setup: ModelSetup = { plan: planned.plan, task: spec.task, pooling: spec.pooling };
  const [lead, follower] = [new Computer(module, heap, setup), new Computer(module, heap, setup)];
  follower.follow({ memory: heap.memory, address: 0, term: 0 }, { threads: 2, index: 1 });
  const follow = vi.mocked(team.followTeam).mock.calls[0]?.[1] as Work;
  const sliceOf = (tokens: number): Slice => {
    const inputIds = Int32Array.from({ length: tokens }, (_, at) => 5 + ((at * 37) % 90));
    const batch = { inputIds, typeIds: null, offsets: Int32Array.of(0, tokens) };
    return cutSlices(description, batch, 1)[0] as Slice;
  };
  return { setup, heap, lead, follow, sliceOf };
}

const lengths = [5, 8, 13, 16, 17, 40];
const dealings: [name: string, isFollowers: (part: number) => boolean][] = [
  ['the lead does all', () => false],
  ['the follower does all', () => true],
  ['they take turns', (part) => part % 2 === 1],
];

/**
 * Floats as they are, 16 bits with one scale a row, 16 bits in blocks, 7 bits in blocks. Not 'add', which hosts that are
 * not asked first compute differently before and after they have optimised it.
 */
const forms = ['f32', 'i16', 'w16', 'single', 'pair', 'quad'] as const;

// Pooled from all rows and from the first.
describe.each(forms)('a text that two threads share, in %s,', (form) => {
  it.each(['bert-mean-unnormalized', 'bert-cls', 'mpnet-mean', 'bert-reranker'])(
    'has the bits of one: %s',
    async (family) => {
      const { setup, heap, lead, follow, sliceOf } = await startThreads(family, form);
      for (const tokens of lengths) {
        const slice = sliceOf(tokens);
        const base = heap.allocate(scratchBytes(setup.plan, [slice], 2));
        const alone = lead.runSlice(slice, base);
        for (const [name, isFollowers] of dealings) {
          // What an earlier run has left must not help.
          heap.i8.fill(0x7f, base, heap.usedBytes);
          const dealer = new Dealer(follow, isFollowers);
          const together = lead.lead(slice, { base, threads: 2 }, dealer as unknown as team.TeamLead);
          expect(together, `${tokens} tokens, ${name}`).toEqual(alone);
          expect(Math.max(...dealer.steps)).toBeGreaterThan(1);
        }
      }
    },
  );
});
