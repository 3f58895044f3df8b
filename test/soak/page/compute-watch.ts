/** Keeps hold of the compute workers that the engine worker starts, and ends things here when the page says so. */
const started = new Set<Worker>();

class WatchedWorker extends Worker {
  constructor(url: string | URL, options?: WorkerOptions) {
    const isCompute = String(url).endsWith('/compute-worker.js');
    // Under the name of our own, by which it finds the page's messages.
    super(isCompute ? '/soak/compute-worker.js' : url, isCompute ? { ...options, name: self.name } : options);
    started.add(this);
  }

  override terminate(): void {
    started.delete(this);
    super.terminate();
  }
}

self.Worker = WatchedWorker;

new BroadcastChannel(self.name).onmessage = ({ data }: MessageEvent<string>) => {
  if (data === 'close') self.close();
  if (data === 'throw') throw new Error('a defect of the engine worker');
  const isEnd = data === 'kill-compute' || data === 'hang-compute';
  for (const worker of isEnd ? [...started] : []) {
    worker.terminate();
    // Without the event nobody is told: the worker hangs for all that its owner can see.
    if (data === 'kill-compute') worker.dispatchEvent(new ErrorEvent('error', { message: 'the process was killed' }));
  }
};

// Makes this file a module.
export {};
