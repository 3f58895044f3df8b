import { createVecinity } from 'vecinity';

window.vecinity = await createVecinity({ model: 'bert-cls', device: 'wasm', dtype: 'f32' });
if (!import.meta.env.VITE_PWA) await window.vecinity.serviceWorker.register();
document.body.dataset.ready = 'true';
