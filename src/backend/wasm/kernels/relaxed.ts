// The build for hosts with relaxed SIMD.
export { gemmAdd, gemmPair, gemmQuad, gemmSingle } from './gemm-u7';
export * from './simd';
