import path from 'node:path';
import { vecinity } from 'vecinity/vite';

export default {
  plugins: [vecinity({ modelsDir: path.join(import.meta.dirname, '../../public/models'), isolate: true })],
};
