/** Changes of the platform for a test, made before any script of ours runs: in the page and in every worker below it. */
import type { BrowserContext } from '@playwright/test';

/** Runs `work` by its source text: it can use its argument, which is plain data, and nothing else from outside. */
export async function runEverywhere<Argument>(
  context: BrowserContext,
  work: (argument: Argument) => void,
  argument: Argument,
): Promise<void> {
  const call = `(${work.toString()})(${JSON.stringify(argument)});`;
  await context.addInitScript({ content: `${call}(${spread.toString()})(${JSON.stringify(call)});` });
}

/** Lets every worker begin with the call, and with this function for the workers that it starts itself. */
function spread(call: string): void {
  const Original = self.Worker;
  // A Service Worker cannot start workers.
  if (!Original) return;
  const first = `${call}(${spread.toString()})(${JSON.stringify(call)});`;
  self.Worker = class extends Original {
    constructor(url: string | URL, options?: WorkerOptions) {
      const address = new URL(url, location.href).href;
      const imports = [`data:text/javascript,${encodeURIComponent(first)}`, address];
      const source = imports.map((from) => `import ${JSON.stringify(from)};`).join('');
      super(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })), { ...options, type: 'module' });
    }
  };
}
