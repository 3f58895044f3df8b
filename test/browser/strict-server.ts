/** The built pages under a strict Content-Security-Policy, and everything that breaks it, in a page or in a worker. */
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type Plugin, preview } from 'vite';

const reportPath = '/policy-reports';

/** What a site has to allow; workers have no policy but that of their own script's answer, so every file is sent with it. */
export const strictPolicy = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
].join('; ');

export interface StrictServer {
  origin: string;
  /** What browsers have reported until now: the directive that was broken, and by what. */
  violations: string[];
  close(): Promise<void>;
}

/** Serves `build/test-pages` at a port of the system's choice. */
export async function startStrictServer(policy = strictPolicy): Promise<StrictServer> {
  const violations: string[] = [];
  const server = await preview({
    configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)),
    logLevel: 'error',
    preview: {
      port: 0,
      host: 'localhost',
      headers: { 'content-security-policy': `${policy}; report-uri ${reportPath}` },
    },
    plugins: [collectReports(violations)],
  });
  const address = server.httpServer.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port.');
  return { origin: `http://localhost:${address.port}`, violations, close: () => server.close() };
}

function collectReports(violations: string[]): Plugin {
  return {
    name: 'collect-reports',
    configurePreviewServer({ middlewares }) {
      middlewares.use(reportPath, (request, response, next) => {
        readViolation(request).then((violation) => {
          violations.push(violation);
          response.statusCode = 204;
          response.end();
        }, next);
      });
    },
  };
}

/** The body that https://www.w3.org/TR/CSP3/#deprecated-serialize-violation describes. */
async function readViolation(request: IncomingMessage): Promise<string> {
  const { 'csp-report': report } = JSON.parse(await text(request)) as { 'csp-report': Record<string, string> };
  return `${report['effective-directive']}: ${report['blocked-uri']} in ${report['document-uri']}`;
}
