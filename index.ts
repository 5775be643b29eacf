// The package's public face: `import { Network } from 'faultline'`. The data plane, and what tests use it by.
export * from './proxy/index.ts'
export * from './fixtures/index.ts'
