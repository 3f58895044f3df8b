/**
 * Keeps hold of the compute workers that the engine worker starts, ends things here when the page says so, and lets the
 * next device that replaces one compute wrong numbers. Tells the page what became of such a device.
 */
import type { WrongDevice } from './subject.js';

const started = new Set<WatchedWorker>();
const page = new BroadcastChannel(self.name);

/** Models that a device of ours has computed, with that device: only in the place of one is a wrong device known as such. */
const served = new Set<string>();
/** Models whose wrong device was refused, until the next device has their place. */
const refused = new Set<string>();
let isNextWrong = false;

const tell = (event: WrongDevice): void => page.postMessage(event);

/** What is read of the messages between engine worker and compute worker. */
interface Message {
  type: string;
  request?: { backend: string; device: string; spec: { id: string; task: string } };
}

class WatchedWorker extends Worker {
  #model = '';
  #place = '';
  #isWrong = false;
  #hasAnswered = false;

  constructor(url: string | URL, options?: WorkerOptions) {
    const isCompute = String(url).endsWith('/compute-worker.js');
    // Under the name of our own, by which it finds the page's messages.
    super(isCompute ? '/soak/compute-worker.js' : url, isCompute ? { ...options, name: self.name } : options);
    started.add(this);
    this.addEventListener('message', ({ data }: MessageEvent<Message>) => {
      if (data.type === 'result') this.#answered();
    });
  }

  override postMessage(message: Message, options: Transferable[] | StructuredSerializeOptions = []): void {
    if (message.type === 'load' && message.request) this.#beginLoad(message.request);
    // The two forms of the method take the same argument in this place.
    super.postMessage(message, options as Transferable[]);
  }

  override terminate(): void {
    if (this.#isWrong && this.#hasAnswered && started.has(this)) {
      refused.add(this.#model);
      tell({ wrongDevice: 'refused', place: this.#place });
    }
    this.end();
  }

  /** Ends as if the system had done it. */
  end(): void {
    started.delete(this);
    super.terminate();
  }

  #answered(): void {
    this.#hasAnswered = true;
    if (this.#isWrong) return;
    served.add(this.#place);
    if (refused.delete(this.#model)) tell({ wrongDevice: 'replaced', place: this.#place });
  }

  #beginLoad({ spec, backend, device }: NonNullable<Message['request']>): void {
    this.#model = spec.id;
    this.#place = `${spec.id} (${backend}, ${device})`;
    // Scores of the small reranker differ too little for its check to tell them apart.
    if (spec.task !== 'embedding') return;
    this.#isWrong = isNextWrong && served.has(this.#place);
    isNextWrong = false;
    if (!this.#isWrong) return;
    tell({ wrongDevice: 'began', place: this.#place });
    super.postMessage({ type: 'compute-wrong-numbers' });
  }
}

self.Worker = WatchedWorker;

const ends: readonly string[] = ['kill-compute', 'hang-compute', 'compute-wrong-numbers'];

page.onmessage = ({ data }: MessageEvent<string>) => {
  if (data === 'close') self.close();
  if (data === 'throw') throw new Error('a defect of the engine worker');
  if (data === 'compute-wrong-numbers') isNextWrong = true;
  for (const worker of ends.includes(data) ? [...started] : []) {
    worker.end();
    // Without the event nobody is told: the worker hangs for all that its owner can see.
    if (data !== 'hang-compute') worker.dispatchEvent(new ErrorEvent('error', { message: 'the process was killed' }));
  }
};
