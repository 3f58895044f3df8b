// The build for hosts with plain 128-bit SIMD; `relaxed.ts` adds to it.
export { gemmF32 } from './gemm-f32';
export { gemmI16, gemmW16 } from './gemm-i16';
export { attend } from './attention';
export { attendWords } from './attention-words';
export { embed, mean } from './embed';
export { pack } from './pack';
export { normalize, quantize } from './quantize';
