/** One text that two threads compute together, whoever of them does what: the very bits that one thread gives alone. */
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ensureKernels } from '../../scripts/kernels.js';
import { describeModel } from '../../src/backend/wasm/architectures.js';
import { loadKernels } from '../../src/backend/wasm/assets.js';
import { bindNames } from '../../src/backend/wasm/bound-names.js';
import { Computer, type ModelSetup, scratchBytes } from '../../src/backend/wasm/computer.js';
import { createMemory, Heap } from '../../src/backend/wasm/heap.js';
import { type Gemm, instantiate } from '../../src/backend/wasm/kernels.js';
import type { GemmForm } from '../../src/backend/wasm/plan.js';
import { cutSlices, type Slice } from '../../src/backend/wasm/slices.js';
import * as team from '../../src/backend/wasm/team.js';
import { planWeights } from '../../src/backend/wasm/weights.js';
import { enableRelaxedSimd } from '../../src/edge/relaxed-simd.js';
import { openSafetensors, type Safetensors } from '../../src/models/safetensors.js';
import { openFixture } from './golden.js';

/** Called whenever a thread is through with a product, and may not be through with its part. */
const between = vi.hoisted(() => vi.fn());

vi.mock(import('../../src/backend/wasm/kernels.js'), async (original) => {
  const kernels = await original();
  return {
    ...kernels,
    instantiate: (...place) => {
      const { gemm, ...others } = kernels.instantiate(...place);
      const watched = Object.entries(gemm).map(([form, product]): [string, Gemm] => [
        form,
        (...job) => {
          product(...job);
          between();
        },
      ]);
      // Made of its own entries, so it has the names that it had.
      return { ...others, gemm: Object.fromEntries(watched) as typeof gemm };
    },
  };
});
vi.mock(import('../../src/backend/wasm/team.js'), async (original) => ({ ...(await original()), followTeam: vi.fn() }));

enableRelaxedSimd();
beforeAll(ensureKernels);
afterEach(() => {
  vi.mocked(team.followTeam).mockReset();
  between.mockReset();
});

type Work = (task: team.Task) => void;

interface Dealing {
  name: string;
  /** By the number of a part. */
  isFollowers: (part: number) => boolean;
  /** The follower does every other part in the middle of one of the lead's. */
  isNested?: boolean;
}

/** Deals the parts of every step out between the lead and a follower, and notes how many there were. */
class Dealer {
  readonly steps: number[] = [];
  readonly #follow: Work;
  readonly #dealing: Dealing;
  #order: team.Order = [0, 0, 0];

  constructor(follow: Work, dealing: Dealing) {
    this.#follow = follow;
    this.#dealing = dealing;
  }

  begin(order: team.Order): void {
    this.#order = order;
  }

  run(work: (share: team.Share) => void, asked?: number): void {
    const parts = asked ?? 2;
    const { isFollowers, isNested = false } = this.#dealing;
    // Backwards: nothing may depend on who is first.
    for (let index = parts - 1; index >= 0; index--) {
      const share = { index, parts };
      if (isFollowers(index)) this.#give(share);
      else if (isNested && index > 0) this.#interrupt(() => work(share), { index: --index, parts });
      else work(share);
    }
    this.steps.push(parts);
  }

  end(): void {}

  #give(share: team.Share): void {
    this.#follow({ order: this.#order, step: this.steps.length, share });
  }

  /** Has the follower do a share behind the first product of what the lead does, or after it where it has none. */
  #interrupt(lead: () => void, share: team.Share): void {
    let isDone = false;
    const follow = (): void => {
      if (!isDone) {
        isDone = true;
        this.#give(share);
      }
    };
    between.mockImplementation(follow);
    lead();
    follow();
    between.mockReset();
  }
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
const dealings: Dealing[] = [
  { name: 'the lead does all', isFollowers: () => false },
  { name: 'the follower does all', isFollowers: () => true },
  { name: 'they take turns', isFollowers: (part) => part % 2 === 1 },
  { name: 'they work at the same time', isFollowers: () => false, isNested: true },
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
        for (const dealing of dealings) {
          // What an earlier run has left must not help.
          heap.i8.fill(0x7f, base, heap.usedBytes);
          const dealer = new Dealer(follow, dealing);
          const together = lead.lead(slice, { base, threads: 2 }, dealer as unknown as team.TeamLead);
          expect(together, `${tokens} tokens, ${dealing.name}`).toEqual(alone);
          expect(Math.max(...dealer.steps)).toBeGreaterThan(1);
        }
      }
    },
  );
});
