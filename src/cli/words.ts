/** What the engine's messages say of its options, in the words of the command line. */
import type { ApiConfig, EngineConfig } from '../config.js';
import type { NodeEngineOptions } from '../edge/engine.js';
import type { ListenOptions } from '../edge/server.js';

type Option = keyof EngineConfig | keyof ApiConfig | keyof NodeEngineOptions | keyof ListenOptions | 'header';

const flagOf: Readonly<Partial<Record<Option, string>>> = {
  apiKey: 'api-key',
  compat: 'compat',
  corsOrigin: 'cors',
  device: 'device',
  dtype: 'dtype',
  header: 'client-header',
  hostname: 'host',
  hosts: 'allow-host',
  hubToken: 'hub-token',
  hubUrl: 'hub-url',
  maxBatchTokens: 'max-batch-tokens',
  maxQueue: 'max-queue',
  maxRequestTokens: 'max-request-tokens',
  modelPolicy: 'model-policy',
  modelsDir: 'models-dir',
  port: 'port',
  pulledDir: 'cache-dir',
  routePrefix: 'route-prefix',
  threads: 'threads',
};

/** The same message with flags for options: `hubToken` is `--hub-token` here. */
export function inWordsOfFlags(message: string): string {
  return message
    .replace(/`(\w+)`/g, (name, option: string) => {
      return Object.hasOwn(flagOf, option) ? `\`--${flagOf[option as Option]}\`` : name;
    })
    .replace('or set truncate.', 'or leave out `--no-truncate`.')
    .replace(/^dimensions is/, '`--dimensions` is')
    .replace(/^The folder of models/, '`--models-dir`: the folder of models');
}
