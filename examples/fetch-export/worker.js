import { createHandler, createNodeEngine } from 'vecinity/node';

const engine = await createNodeEngine({ modelsDir: 'public/models' });
await engine.load('all-MiniLM-L6-v2');

export default { fetch: createHandler({ engine, api: { corsOrigin: '*' } }) };
